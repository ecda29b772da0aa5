"""Messages that read alike but for names, links, numbers and codes: one campaign to or from many numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sluice.backfill.report.senders import wilson
from sluice.backfill.report.skeletons import MIN_BYTES, keys, signatures, skeletons
from sluice.backfill.report.times import NEVER

#: Groups that are remembered for sure; up to twice as many are.
CAPACITY = 4_096
#: The largest groups stay, whatever else comes.
LARGEST = 256
#: Values of two signatures that must agree: about as large a part of the shingles is shared.
ALIKE = 7
#: Hashes of senders that are kept of a group. Twice as many senders are counted; more are estimated, within some 12%.
SENDERS = 64
#: Steps in which the times of a group are counted, from the finest one on, and most counters of a group.
STEPS_S = (3_600, 86_400, 7 * 86_400, 30 * 86_400)
MAX_COUNTERS = 48
#: A burst: half of a group, and so many messages, in two neighbouring hours or days of a longer archive.
BURST_SHARE, BURST_ROWS, BURST_SPAN = 0.5, 10, 8
#: Characters of a skeleton that are kept.
MAX_SKELETON_CHARS = 300
_HASHES = 2.0**64


@dataclass(slots=True)
class Campaign:
    """Messages that read like the first of them.

    Attributes:
        row: number of the first of them in the output, from 1 on.
        skeleton: its text without what changes; empty unless texts may be kept.
        labels: rows by the number of the label.
        first, last: seconds since 1970; NEVER where no message has a time.
        senders: hashes of senders: all of them, or the smallest ones if ``many``.
        by_time: rows by time, in ``STEPS_S[step]``.
    """

    row: int
    skeleton: str
    signature: np.ndarray
    keys: list[int]
    rows: int = 0
    weight: int = 0
    labels: dict[int, int] = field(default_factory=dict)
    first: int = NEVER
    last: int = NEVER
    senders: set[int] = field(default_factory=set)
    many: bool = False
    step: int = 0
    by_time: dict[int, int] = field(default_factory=dict)

    def count(self, labels: Collection[int]) -> int:
        """Rows with one of ``labels``."""
        return sum(rows for label, rows in self.labels.items() if label in labels)

    @property
    def distinct_senders(self) -> int:
        """How many there are; an estimate if they are ``many``.

        Z. Bar-Yossef et al., "Counting distinct elements in a data stream", RANDOM 2002: by the k-th smallest hash.
        """
        if not self.many:
            return len(self.senders)
        return round((SENDERS - 1) / (sorted(self.senders)[SENDERS - 1] / _HASHES))

    def burst(self, whole_s: int) -> tuple[int, int, int] | None:
        """Where most of it came within a short time: start, length (s) and rows of that; None if it did not.

        Args:
            whole_s: the span of the whole archive, of which a burst is a small part.
        """
        dated = sum(self.by_time.values())
        for step, length in enumerate(STEPS_S[:2]):
            if step < self.step or 2 * length * BURST_SPAN > whole_s:
                continue
            counts: dict[int, int] = {}
            for start, rows in self.by_time.items():
                at = start * STEPS_S[self.step] // length
                counts[at] = counts.get(at, 0) + rows
            start = max(counts, key=lambda at: (counts[at] + counts.get(at + 1, 0), -at), default=0)
            rows = counts.get(start, 0) + counts.get(start + 1, 0)
            if rows >= max(BURST_ROWS, BURST_SHARE * dated):
                return start * length, 2 * length, rows
        return None

    def count_times(self, starts: Sequence[tuple[int, int]]) -> None:
        """Add rows by hour since 1970."""
        ratio = STEPS_S[self.step] // STEPS_S[0]
        for hour, rows in starts:
            self.by_time[hour // ratio] = self.by_time.get(hour // ratio, 0) + rows
        while len(self.by_time) > MAX_COUNTERS and self.step < len(STEPS_S) - 1:
            self._coarsen()

    def _coarsen(self) -> None:
        fine, self.step = STEPS_S[self.step], self.step + 1
        coarse: dict[int, int] = {}
        for start, rows in self.by_time.items():
            at = start * fine // STEPS_S[self.step]
            coarse[at] = coarse.get(at, 0) + rows
        self.by_time = coarse


@dataclass(frozen=True, slots=True)
class Facts:
    """Columns of a batch, of equal length.

    Attributes:
        row: numbers of the rows in the output, from 1 on.
        label: numbers of their labels.
        seconds: since 1970, or NEVER.
        text, sender: ``large_string``.
    """

    row: np.ndarray
    label: np.ndarray
    seconds: np.ndarray
    text: pa.Array
    sender: pa.Array | None


class Campaigns:
    """The largest groups of a stream of messages, in bounded memory.

    A message joins a group whose first message it resembles (MinHash and locality-sensitive hashing, see
    ``skeletons``); else it begins one. When a batch ends with more than ``2 * capacity`` groups, Misra and Gries's
    summary (see ``senders``) says which go: none that has more than ``rows / capacity`` rows.

    Args:
        texts: keep a skeleton of each group.

    Attributes:
        rows: rows that were looked at; shorter texts were not.
        missed: no count falls short by more.
    """

    def __init__(self, *, texts: bool = False, capacity: int = CAPACITY) -> None:
        self._texts = texts
        self._capacity = capacity
        self._groups: list[Campaign] = []
        self._by_key: dict[int, Campaign] = {}
        self.rows = 0
        self.missed = 0

    def add(self, facts: Facts) -> None:
        """Take in the rows of a batch that have a label."""
        if not len(facts.text):
            return
        bare = skeletons(facts.text.fill_null(""))
        long = pc.greater_equal(pc.binary_length(bare), MIN_BYTES)
        chosen = np.flatnonzero(long.to_numpy(zero_copy_only=False))
        if not len(chosen):
            return
        self.rows += len(chosen)
        encoded = bare.take(pa.array(chosen)).dictionary_encode()
        place = encoded.indices.to_numpy(zero_copy_only=False)
        first = np.full(len(encoded.dictionary), len(chosen))
        np.minimum.at(first, place, np.arange(len(chosen)))
        groups = self._groups_of(encoded.dictionary, facts.row[chosen[first]].tolist())
        _count(groups, place, facts, chosen)
        if len(self._groups) > 2 * self._capacity:
            self._shrink()

    def _groups_of(self, texts: pa.Array, rows: Sequence[int]) -> list[Campaign]:
        """The group of each of these texts, which are different and came first in ``rows``."""
        made = signatures(texts)
        found = []
        for at, names in enumerate(keys(made).tolist()):
            group = self._alike(names, made[at])
            if group is None:
                kept = texts[at].as_py()[:MAX_SKELETON_CHARS] if self._texts else ""
                group = Campaign(rows[at], kept, made[at].copy(), names)
                self._groups.append(group)
                for name in names:
                    self._by_key.setdefault(name, group)
            found.append(group)
        return found

    def _alike(self, names: Sequence[int], signature: np.ndarray) -> Campaign | None:
        """The group that shares a key and enough besides; the fullest of several."""
        found = {id(group): group for name in names if (group := self._by_key.get(name)) is not None}
        near = [group for group in found.values() if np.count_nonzero(group.signature == signature) >= ALIKE]
        if len(near) > 1:
            return max(near, key=lambda group: group.rows)
        return near[0] if near else None

    def _shrink(self) -> None:
        """Take the weight of the first one that is too many off all; who has none left goes, but for the largest."""
        self._groups.sort(key=lambda group: (-group.rows, group.row))
        cut = sorted((group.weight for group in self._groups), reverse=True)[self._capacity]
        self.missed += cut
        kept = []
        for number, group in enumerate(self._groups):
            group.weight = max(0, group.weight - cut)
            if group.weight or number < LARGEST:
                kept.append(group)
                continue
            for name in group.keys:
                if self._by_key.get(name) is group:
                    del self._by_key[name]
        self._groups = kept

    def top(self, count: int, min_rows: int, unwanted: Collection[int] = ()) -> list[Campaign]:
        """The groups to look at first, of ``min_rows`` at least.

        By the least that the share of the labels ``unwanted`` could well be (see ``wilson``), so that 5 of 5
        do not come before 500 of 501; then by size.
        """
        large = [group for group in self._groups if group.rows >= min_rows]
        bound = {id(group): wilson(group.count(unwanted), group.rows) for group in large}
        return sorted(large, key=lambda group: (-bound[id(group)], -group.rows, group.row))[:count]


def _count(groups: Sequence[Campaign], place: np.ndarray, facts: Facts, chosen: np.ndarray) -> None:
    """Add the rows ``chosen`` to their groups; ``place`` says which of ``groups`` each belongs to."""
    distinct: dict[int, int] = {}
    unique: list[Campaign] = []
    numbers = np.empty(len(groups), np.int64)
    for at, group in enumerate(groups):
        number = distinct.setdefault(id(group), len(unique))
        if number == len(unique):
            unique.append(group)
        numbers[at] = number
    of = numbers[place]
    for number, rows in enumerate(np.bincount(of, minlength=len(unique)).tolist()):
        unique[number].rows += rows
        unique[number].weight += rows
    for number, label, rows in _pairs(of, facts.label[chosen]):
        labels = unique[number].labels
        labels[label] = labels.get(label, 0) + rows
    _count_times(unique, of, facts.seconds[chosen])
    if facts.sender is not None:
        _count_senders(unique, of, facts.sender.take(pa.array(chosen)))


def _count_times(groups: Sequence[Campaign], of: np.ndarray, seconds: np.ndarray) -> None:
    dated = seconds != NEVER
    of, seconds = of[dated], seconds[dated]
    order = np.lexsort((seconds, of))
    of, seconds = of[order], seconds[order]
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    ends = np.append(starts[1:], len(of)) - 1 if len(starts) else starts
    by_hour: dict[int, list[tuple[int, int]]] = {}
    for number, hour, rows in _pairs(of, seconds // STEPS_S[0]):
        by_hour.setdefault(number, []).append((hour, rows))
    for number, low, high in zip(of[starts].tolist(), seconds[starts].tolist(), seconds[ends].tolist(), strict=True):
        group = groups[number]
        group.first = low if group.first == NEVER else min(group.first, low)
        group.last = max(group.last, high)
        group.count_times(by_hour[number])


def _count_senders(groups: Sequence[Campaign], of: np.ndarray, sender: pa.Array) -> None:
    encoded = sender.dictionary_encode()
    known = [_hash(name) for name in encoded.dictionary.to_pylist()]
    code = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    named = code >= 0
    for number, at, _ in _pairs(of[named], code[named]):
        group = groups[number]
        group.senders.add(known[at])
        if len(group.senders) > 2 * SENDERS:
            group.senders, group.many = set(sorted(group.senders)[:SENDERS]), True


def _hash(name: Any) -> int:
    return int.from_bytes(blake2b(str(name).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _pairs(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """The different pairs of two columns of whole numbers, and how often each comes."""
    if not len(first):
        return
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    starts = np.flatnonzero((np.diff(first, prepend=first[0] - 1) != 0) | (np.diff(second, prepend=0) != 0))
    counts = np.diff(np.append(starts, len(first)))
    yield from zip(first[starts].tolist(), second[starts].tolist(), counts.tolist(), strict=True)
