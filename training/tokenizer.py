"""The small model's tokenizer: undoes obfuscation in its normalizer, then cuts text with a unigram model.

Everything is stored in tokenizer.json, so that any client of a model folder sees the same ids.
Method: Kudo (2018), "Subword Regularization", arXiv:1804.10959, for the unigram model.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE, Unigram

PAD, UNKNOWN, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = [PAD, UNKNOWN, CLS, SEP, MASK]
CANDIDATES = 1.25
"""Pieces to choose from, for each piece kept."""
MIXED = "◆"
"""Stands before a word that mixes alphabets or hides invisible characters in it."""

INVISIBLE = "\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
"""Characters without a shape: soft hyphens, zero-width spaces and joiners, direction marks, variants."""
ARABIC_DECORATION = "\u0640\u064b-\u0652"
"""Stretching and short vowels, which leave an Arabic word the same."""

LOOK_ALIKES = {
    "a": "аɑαаᴀ",
    "b": "вьƅʙβ",
    "c": "сϲᴄⲥ",
    "d": "ԁɗđᴅ",
    "e": "еҽєεɛᴇə",
    "f": "ƒғꜰ",
    "g": "ɡցǥԍɢ",
    "h": "һнհʜ",
    "i": "іıιɩɪ",
    "j": "јϳᴊ",
    "k": "кκĸᴋ",
    "l": "ӏłⅼʟ",
    "m": "мᴍ",
    "n": "ոηпɴŋ",
    "o": "оοσօөøᴏ",
    "p": "рρᴘ",
    "q": "ԛզ",
    "r": "гʀᴦ",
    "s": "ѕꜱʂ",
    "t": "тτᴛŧ",
    "u": "υսᴜʊ",
    "v": "νѵᴠ",
    "w": "ԝωᴡ",
    "x": "хχ",
    "y": "уγүყʏ",
    "z": "ᴢƶʐ",
}
"""Lower-case letters of any alphabet by the Latin letter they pass for.

Whole alphabets are folded, not only suspicious words: pure Russian or Greek stays one-to-one readable
for a model, while "Pаypаl" with two Cyrillic letters becomes the word it imitates.
"""


def normalizer() -> normalizers.Normalizer:
    """What is done to a text before it is cut; the order matters."""
    alien = "\u0370-\u052f\u0530-\u058f\u2c80-\u2cff"
    word = rf"\p{{L}}{INVISIBLE}"
    mixed = rf"[A-Za-z][{INVISIBLE}]+\p{{L}}|[A-Za-z][{alien}]|[{alien}][A-Za-z]"
    steps: list[normalizers.Normalizer] = [
        normalizers.Prepend(" "),
        normalizers.NFKD(),
        normalizers.Replace(Regex(rf"\s(?=[{word}]*(?:{mixed}))"), f" {MIXED} "),
        normalizers.Replace(Regex(rf"[{INVISIBLE}{ARABIC_DECORATION}\u0300-\u036f]+"), ""),
        normalizers.Lowercase(),
        *[normalizers.Replace(Regex(f"[{alike}]"), letter) for letter, alike in LOOK_ALIKES.items()],
        normalizers.NFC(),
        normalizers.Replace(Regex(_spaced_letters()), ""),
        normalizers.Replace(Regex(_inner_digits()), "0"),
    ]
    return normalizers.Sequence(steps)


def _spaced_letters() -> str:
    """The spaces within "P a y P a l": at least three single characters in a row."""
    return (
        r"(?<=^\S|\s\S)\s(?=\S\s\S(?:\s|$))"
        r"|(?<=\s\S\s\S)\s(?=\S(?:\s|$))"
        r"|(?<=^\S\s\S)\s(?=\S(?:\s|$))"
    )


def _inner_digits() -> str:
    """Every digit of a number of three digits or more: its length tells more than its value."""
    return r"\p{Nd}(?=\p{Nd}\p{Nd})|(?<=\p{Nd}\p{Nd})\p{Nd}|(?<=\p{Nd})\p{Nd}(?=\p{Nd})"


def train_tokenizer(texts: Sequence[str], vocab_size: int, piece_chars: int = 10) -> Tokenizer:
    """Learns a unigram vocabulary of at most `vocab_size` pieces of at most `piece_chars` characters.

    Pieces know nothing of spaces, so "y o u r" and "your" end up alike. The candidates are those of
    byte-pair encoding, because its training, unlike the library's unigram training, gives the same
    pieces every time; their probabilities then come from counting the best cuts, a few times over.
    """
    tokenizer = _empty(BPE(unk_token=UNKNOWN))
    trainer = trainers.BpeTrainer(
        vocab_size=int(vocab_size * CANDIDATES),
        special_tokens=SPECIAL,
        max_token_length=piece_chars,
        show_progress=False,
        initial_alphabet=[MIXED],
    )
    tokenizer.train_from_iterator(texts, trainer)
    pieces = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)[len(SPECIAL) :]
    counts = dict.fromkeys(pieces, 1)
    for size in (len(pieces), len(pieces), vocab_size, vocab_size):
        counts = _count(_unigram(_keep(counts, size - len(SPECIAL))), texts, counts)
    return _unigram(_keep(counts, vocab_size - len(SPECIAL)))


def _empty(model: Any) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(rf"{MIXED}|\p{{Nd}}+|[\p{{P}}\p{{S}}]+"), "isolated"),
        ]
    )
    return tokenizer


def _unigram(counts: Mapping[str, int]) -> Tokenizer:
    """A tokenizer whose pieces are as likely as `counts` says."""
    total = sum(counts.values())
    scores = [(piece, math.log(count / total)) for piece, count in counts.items()]
    tokenizer = _empty(Unigram([(name, 0.0) for name in SPECIAL] + scores, SPECIAL.index(UNKNOWN), False))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}",
        pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
        special_tokens=[(CLS, SPECIAL.index(CLS)), (SEP, SPECIAL.index(SEP))],
    )
    return tokenizer


def _count(tokenizer: Tokenizer, texts: Sequence[str], pieces: Iterable[str]) -> dict[str, int]:
    """How often each piece is used in the best cuts of the texts, plus one."""
    used: Counter[int] = Counter()
    for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False):
        used.update(encoding.ids)
    ids = {piece: tokenizer.token_to_id(piece) for piece in pieces}
    return {piece: used[number] + 1 for piece, number in ids.items() if number is not None}


def _keep(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """The `size` most used pieces and every single character, in a fixed order."""
    ranked = sorted(counts, key=lambda piece: (len(piece) > 1, -counts[piece], piece))
    return {piece: counts[piece] for piece in ranked[:size]}


def save_tokenizer(tokenizer: Tokenizer, folder: Path, max_length: int) -> None:
    """Writes tokenizer.json and the tokenizer_config.json that makes the library load it as it is."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "cls_token": CLS,
        "sep_token": SEP,
        "mask_token": MASK,
    }
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
