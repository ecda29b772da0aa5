"""A model of mBERT's shape with random weights: what a forward costs does not depend on what the weights say.

``python -m sluice.bench.models FOLDER [--vocabulary vocab.txt] [--layers 12]`` writes one that
``SLUICE_MODEL`` can name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from sluice.harness import texts
from sluice.worker.model.labels import LABELS

#: Rows of bert-base-multilingual-cased's embedding table.
MBERT_ROWS = 119_547
MAX_POSITIONS = 512
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
#: Pieces of the vocabulary made here: so many that the sample archive has about as many tokens as with mBERT's own.
PIECES = 4000
MARK = "bench.json"
#: Counts up when what a folder holds changes for the same arguments.
FORMAT = 1


def mbert_folder(
    folder: Path,
    *,
    vocabulary: Path | None = None,
    layers: int = 12,
    hidden: int = 768,
    heads: int = 12,
    labels: Sequence[str] = LABELS,
    rows: int = MBERT_ROWS,
    seed: int = 1,
) -> Path:
    """A complete Hugging Face folder of a BERT classifier with random weights; returns ``folder``.

    What is there already is kept when it was made from the same arguments.

    Args:
        folder: where; with mBERT's shape it takes 711 MB.
        vocabulary: a WordPiece ``vocab.txt``, such as mBERT's own, which makes token counts real. Without it, one is
            made from the sample archive.
        rows: rows of the embedding table, at least as many as the vocabulary has.

    Raises:
        ValueError: ``folder`` holds something that was not made here, or ``vocabulary`` is no vocabulary of BERT's.
    """
    pieces = read_vocabulary(vocabulary) if vocabulary else make_vocabulary(texts.load())
    made_from = {
        "format": FORMAT,
        "shape": [layers, hidden, heads, max(rows, len(pieces))],
        "labels": list(labels),
        "seed": seed,
        "vocabulary": hashlib.sha256("\n".join(pieces).encode()).hexdigest(),
    }
    if _mark(folder) == made_from:
        return folder
    if folder.exists() and _mark(folder) is None and any(folder.iterdir()):
        raise ValueError(f"{folder} holds something else: name a new folder")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _save_tokenizer(unfinished, pieces)
    _save_model(unfinished, layers, hidden, heads, labels, max(rows, len(pieces)), seed)
    (unfinished / MARK).write_text(json.dumps(made_from) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return folder


def read_vocabulary(file: Path) -> list[str]:
    """The pieces of a ``vocab.txt``, in order of their ids.

    Raises:
        ValueError: a special piece of BERT's is missing.
    """
    pieces = file.read_text(encoding="utf-8").split("\n")
    while pieces and not pieces[-1]:
        pieces.pop()
    pieces = [piece.rstrip("\r") for piece in pieces]
    missing = [piece for piece in SPECIAL if piece not in pieces]
    if missing:
        raise ValueError(f"{file} is no vocabulary of BERT's: it lacks {', '.join(missing)}")
    return pieces


def make_vocabulary(corpus: Sequence[str], size: int = PIECES) -> list[str]:
    """Pieces that cut ``corpus`` much as a real vocabulary would; the same ones every time.

    Every character, then the beginnings (2 to 6 characters) and inner stretches (2 to 4) of words that save most.
    The library's trainers break ties by chance, so two machines would get different models from them.
    """
    splitter = _tokenizer({"[UNK]": 0})
    words: Counter[str] = Counter()
    for text in corpus:
        normal = splitter.normalizer.normalize_str(text)
        words.update(word for word, _ in splitter.pre_tokenizer.pre_tokenize_str(normal))
    saved: Counter[str] = Counter()
    for word, count in words.items():
        for end in range(2, min(len(word), 6) + 1):
            saved[word[:end]] += count * (end - 1)
        for start in range(1, len(word)):
            for end in range(start + 2, min(len(word), start + 4) + 1):
                saved["##" + word[start:end]] += count * (end - start - 1)
    characters = sorted({character for word in words for character in word})
    single = [*SPECIAL, *characters, *(f"##{character}" for character in characters)]
    best = sorted(saved, key=lambda piece: (-saved[piece], piece))
    return single + best[: max(0, size - len(single))]


def _tokenizer(vocabulary: Mapping[str, int]) -> Tokenizer:
    """WordPiece as bert-base-multilingual-cased has it: case and accents are kept."""
    tokenizer = Tokenizer(models.WordPiece(dict(vocabulary), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _save_tokenizer(folder: Path, pieces: Sequence[str]) -> None:
    from transformers import PreTrainedTokenizerFast

    ids = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = _tokenizer(ids)
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(piece, ids[piece]) for piece in ("[CLS]", "[SEP]")],
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_POSITIONS, **names).save_pretrained(folder)


def _save_model(
    folder: Path, layers: int, hidden: int, heads: int, labels: Sequence[str], rows: int, seed: int
) -> None:
    import torch
    from transformers import BertConfig, BertForSequenceClassification
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    config = BertConfig(
        vocab_size=rows,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        max_position_embeddings=MAX_POSITIONS,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertForSequenceClassification(config).save_pretrained(folder)


def _mark(folder: Path) -> Any:
    """What a folder was made from; None when it was not made here."""
    try:
        return json.loads((folder / MARK).read_text())
    except (OSError, ValueError):
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vocabulary", type=Path)
    parser.add_argument("--layers", type=int, default=12)
    options = parser.parse_args()
    print(mbert_folder(options.folder, vocabulary=options.vocabulary, layers=options.layers))


if __name__ == "__main__":
    main()
