"""Cuts a tokenizer's vocabulary to the pieces that messages use, and a model's embeddings along with it.

Multilingual encoders spend most of their weights on pieces that no SMS holds. A text whose pieces are all kept is cut
into the same pieces as before: a unigram model loses worse alternatives only, WordPiece takes the longest match.
Method: Abdaoui, Pradel and Sigel (2020), "Load What You Need", arXiv:2010.05609.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.huggingface import PAST_PADDING

CHARACTERS_SHARE = 0.25
"""Of the vocabulary, at most, for single characters that the texts do not use."""
WORD_MARKS = "▁"
"""Before the first piece of a word in unigram vocabularies; a piece of it and one character is a character, too."""
POSITIONS_STEP = 128
"""Positions are kept in multiples of it."""


@dataclass(frozen=True)
class Cut:
    """A smaller vocabulary."""

    tokenizer: Tokenizer
    kept: tuple[int, ...]
    """The former id of each new id."""

    def new_id(self, former: int | None) -> int | None:
        """The id now of a piece that was kept; None for None."""
        return None if former is None else self.kept.index(former)


def cut_vocabulary(tokenizer: Tokenizer, size: int, used: Mapping[int, int], special: Iterable[int]) -> Cut:
    """Keeps `size` pieces: the special ones, single characters, those `used` most, then the best by score.

    `used` counts by id, `special` are ids that must stay.
    Raises ModelUnavailable for a tokenizer that is neither unigram nor WordPiece.
    """
    data = json.loads(tokenizer.to_str())
    pieces, scores = _pieces(data["model"])
    special = {*special, *_special(data)}
    kept = _choose(pieces, scores, size, used, special)
    number = {former: new for new, former in enumerate(kept)}
    _renumber(data, pieces, number)
    return Cut(Tokenizer.from_str(json.dumps(data)), tuple(kept))


def count_pieces(rows: Iterable[Sequence[int]]) -> Counter[int]:
    """How often each id occurs in encoded texts."""
    counts: Counter[int] = Counter()
    for row in rows:
        counts.update(row)
    return counts


def cut_embeddings(model: Any, cut: Cut) -> None:
    """Keeps the rows of the word embeddings that `cut` keeps, and renumbers the special ids of the config.

    Raises ModelUnavailable where positions count from the padding's id (RoBERTa) and that id would change.
    """
    config = model.config
    pad_id = cut.new_id(config.pad_token_id)
    if config.model_type in PAST_PADDING and pad_id != config.pad_token_id:
        raise ModelUnavailable("The padding's id must stay what it is for this architecture: leave out --vocabulary.")
    former = model.get_input_embeddings()
    rows = former.weight.detach()[torch.tensor(cut.kept)].clone()
    model.set_input_embeddings(nn.Embedding.from_pretrained(rows, freeze=False, padding_idx=pad_id))
    config.vocab_size = len(cut.kept)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id"):
        if getattr(config, name, None) is not None:
            setattr(config, name, cut.new_id(getattr(config, name)))


def cut_positions(model: Any, max_length: int) -> None:
    """Keeps the learned positions that `max_length` tokens need, in steps of 128; nothing where there is no table."""
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    if not isinstance(table, nn.Embedding):
        return
    offset = int(model.config.pad_token_id or 0) + 1 if model.config.model_type in PAST_PADDING else 0
    count = -(-max_length // POSITIONS_STEP) * POSITIONS_STEP + offset
    if count >= len(table.weight):
        return
    embeddings = model.base_model.embeddings
    kept = table.weight.detach()[:count].clone()
    embeddings.position_embeddings = nn.Embedding.from_pretrained(kept, freeze=False, padding_idx=table.padding_idx)
    model.config.max_position_embeddings = count
    for name in ("position_ids", "token_type_ids"):
        buffer = getattr(embeddings, name, None)
        if isinstance(buffer, torch.Tensor):
            embeddings.register_buffer(name, buffer[:, :count].clone(), persistent=False)


def _pieces(model: Mapping[str, Any]) -> tuple[list[str], np.ndarray]:
    """The pieces by id, and how good each is: log probability, or how early it stands."""
    if model["type"] == "Unigram":
        return [piece for piece, _ in model["vocab"]], np.array([score for _, score in model["vocab"]])
    if model["type"] == "WordPiece":
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        return pieces, -np.arange(len(pieces), dtype=np.float64)
    raise ModelUnavailable(
        f"The base model's tokenizer is of the kind {model['type']}, whose vocabulary cannot be cut; "
        "unigram and WordPiece can: leave out --vocabulary."
    )


def _special(data: Mapping[str, Any]) -> set[int]:
    """Ids that the tokenizer itself names: added tokens, those of the post-processor, the unknown one, bytes."""
    found = {token["id"] for token in data["added_tokens"]}
    processor = data.get("post_processor") or {}
    for token in (processor.get("special_tokens") or {}).values():
        found.update(token["ids"])
    found.update(processor[name][1] for name in ("sep", "cls") if isinstance(processor.get(name), list))
    model = data["model"]
    if model["type"] == "WordPiece":
        found.add(model["vocab"][model["unk_token"]])
        return found
    if model["unk_id"] is not None:
        found.add(model["unk_id"])
    if model.get("byte_fallback"):
        found.update(number for number, (piece, _) in enumerate(model["vocab"]) if piece.startswith("<0x"))
    return found


def _choose(
    pieces: Sequence[str], scores: np.ndarray, size: int, used: Mapping[int, int], special: set[int]
) -> list[int]:
    """Ids to keep, ascending."""
    by_score = [int(number) for number in np.argsort(-scores, kind="stable")]
    characters = [number for number in by_score if len(pieces[number].lstrip(WORD_MARKS).removeprefix("##")) <= 1]
    by_use = sorted(used, key=lambda number: (-used[number], number))
    beyond = [number for number in special if number >= len(pieces)]  # added tokens stand outside of the model
    kept = special.difference(beyond)
    for candidates, limit in (
        (characters, int(size * CHARACTERS_SHARE)),
        (by_use, size),
        (by_score, size),
    ):
        for number in candidates:
            if len(kept) >= limit:
                break
            if number < len(pieces):
                kept.add(number)
    return sorted(kept) + sorted(beyond)


def _renumber(data: dict[str, Any], pieces: Sequence[str], number: Mapping[int, int]) -> None:
    """Writes the new ids wherever a tokenizer.json holds ids."""
    model = data["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [entry for former, entry in enumerate(model["vocab"]) if former in number]
        model["unk_id"] = None if model["unk_id"] is None else number[model["unk_id"]]
    else:
        model["vocab"] = {piece: number[former] for former, piece in enumerate(pieces) if former in number}
    for token in data["added_tokens"]:
        token["id"] = number[token["id"]]
    processor = data.get("post_processor") or {}
    for token in (processor.get("special_tokens") or {}).values():
        token["ids"] = [number[former] for former in token["ids"]]
    for name in ("sep", "cls"):  # BERT's and RoBERTa's own processors hold a token and its id
        if isinstance(processor.get(name), list):
            processor[name][1] = number[processor[name][1]]
