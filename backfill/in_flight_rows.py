"""The line of rows between reading and writing: sent, answered in any order, let go in input order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sluice.backfill.answer_store import LOOKUP, AnswerStore, digest_of
from sluice.backfill.clients.base import ClassifierClient, IndexedEntries
from sluice.backfill.in_flight_limit import InFlightLimit
from sluice.backfill.table.row import Row
from sluice.tasks.errors import TooManyDeliveries
from sluice.tasks.wire.entry import Entry, Prediction, failure, fault_of, is_prediction

#: Most rows that are read and let go together.
CHUNK_ROWS = LOOKUP
#: Bytes of input, as it lies on the disk, between the oldest unanswered row and the newest one: rows may be large.
MOST_BYTES = 1 << 26
#: Seconds that one wait for answers may take.
POLL_S = 0.25
#: Texts that are sent alone before the next look at the answers, and at whether a checkpoint is due.
ALONE = 32


@dataclass(slots=True)
class Chunk:
    """Neighbouring rows and their answers.

    Attributes:
        start: the number of the first of them.
        begin, position: where in the input the reader was before and after them, bytes.
        sent: rows whose text was sent because of them.
        saved: rows that share the answer of an equal text.
    """

    rows: Sequence[Row]
    start: int
    begin: int
    position: int
    sent: int = 0
    saved: int = 0
    entries: list[Entry | None] = field(init=False)
    missing: int = field(init=False)

    def __post_init__(self) -> None:
        self.missing = len(self.rows)
        self.entries = [None] * self.missing

    def answer(self, index: int, entry: Entry) -> None:
        self.entries[index] = entry
        self.missing -= 1


@dataclass(slots=True)
class InFlightText:
    """A text under way, and the rows that wait for its answer."""

    digest: bytes
    text: str
    rows: list[tuple[Chunk, int]]


class InFlightRows:
    """Rows under way. Each text is sent once: equal ones that wait share it, answered ones are looked up.

    Attributes:
        number: the next envelope's.

    Args:
        classifier: takes the texts.
        answers: what has been answered already.
        most: rows between the oldest unanswered and the newest one, and messages under way.
        max_text_chars: longest text that is sent.
        name: gives the id of the envelope of a number.
        number: the next envelope's.
        row: the next row's.
    """

    def __init__(
        self,
        classifier: ClassifierClient,
        answers: AnswerStore,
        *,
        most: int,
        max_text_chars: int,
        name: Callable[[int], str],
        number: int = 0,
        row: int = 0,
    ) -> None:
        self._classifier = classifier
        self._answers = answers
        self._most = most
        self._max_text_chars = max_text_chars
        self._name = name
        self.number = number
        self._row = row
        self._position = 0
        self._limit = InFlightLimit(most, time.monotonic())
        self._chunks: deque[Chunk] = deque()
        self._held = 0
        self._pending: dict[bytes, InFlightText] = {}
        self._unsent: list[InFlightText] = []
        self._suspects: list[InFlightText] = []
        self._open: dict[str, list[InFlightText | None]] = {}
        self._numbers: dict[str, int] = {}
        self._under_way = 0

    @property
    def chunk_rows(self) -> int:
        """Rows that are read and let go together: an envelope's, and a few chunks fit into the smallest limit."""
        return max(1, min(CHUNK_ROWS, self._most // 4, self._classifier.demand().messages))

    @property
    def full(self) -> bool:
        """Whether the next rows have to wait."""
        limit = self._limit.messages(self._classifier.demand())
        if self._held + self.chunk_rows > self._most or self._under_way >= limit:
            return True
        return bool(self._chunks) and self._position - self._chunks[0].begin >= MOST_BYTES

    @property
    def empty(self) -> bool:
        return not self._chunks

    @property
    def oldest(self) -> int:
        """Number of the oldest envelope under way, or of the next one."""
        return next(iter(self._numbers.values()), self.number)

    @property
    def open(self) -> list[str]:
        """Ids of the envelopes under way."""
        return list(self._open)

    def add(self, rows: Sequence[Row], position: int) -> None:
        """Take up to ``chunk_rows`` rows; full envelopes leave at once."""
        chunk = Chunk(rows, self._row, self._position, position)
        self._position = position
        self._row += len(rows)
        self._chunks.append(chunk)
        self._held += len(rows)
        digests = [self._digest(chunk, index, row) for index, row in enumerate(rows)]
        known = self._answers.find(list({one for one in digests if one is not None and one not in self._pending}))
        for index, digest in enumerate(digests):
            if digest is None:
                continue
            if digest in known:
                entry, first = known[digest]
                # An earlier run may have got the answer for this very row, and was stopped before it wrote it.
                if first < chunk.start + index:
                    chunk.saved += 1
                else:
                    chunk.sent += 1
                chunk.answer(index, entry)
            elif digest in self._pending:
                chunk.saved += 1
                self._pending[digest].rows.append((chunk, index))
            else:
                chunk.sent += 1
                text = InFlightText(digest, rows[index].text or "", [(chunk, index)])
                self._pending[digest] = text
                self._unsent.append(text)
        messages = self._classifier.demand().messages
        while len(self._unsent) >= messages:
            self._send(self._unsent, messages)

    def flush(self) -> None:
        """Send what waits for its envelope to fill: no row comes after it, or none may before it is answered."""
        if self._unsent:
            self._send(self._unsent, len(self._unsent))

    def receive(self, timeout_s: float) -> None:
        """Take what answers there are; waits up to ``timeout_s`` for the first."""
        if not self._open:
            return
        fresh: list[tuple[bytes, int, Prediction]] = []
        done: list[str] = []
        count = 0
        for identity, answers in self._classifier.receive(timeout_s):
            if identity in self._open:
                count += self._take(identity, answers, fresh, done)
        if count:
            self._under_way -= count
            self._limit.answered(count, time.monotonic())
            self._answers.keep(fresh)
        if done:
            self._classifier.done(done)

    def wait(self) -> None:
        """Wait a moment for answers; nothing that could be under way stays behind."""
        for _ in self._suspects[:ALONE]:
            self._send(self._suspects, 1)
        if self._held + self.chunk_rows > self._most or not self._open:
            self.flush()
        self.receive(POLL_S)

    def take(self) -> list[Chunk]:
        """The chunks that are complete up to the first incomplete one, in input order; never waits."""
        done = []
        while self._chunks and not self._chunks[0].missing:
            chunk = self._chunks.popleft()
            self._held -= len(chunk.rows)
            done.append(chunk)
        return done

    def _digest(self, chunk: Chunk, index: int, row: Row) -> bytes | None:
        """The digest of a row that can be classified; others get their error."""
        problem, text = row.problem, row.text
        if problem is None:
            if text is None or not text or text.isspace():
                problem = "the text is empty or blank"
            elif len(text) > self._max_text_chars:
                problem = f"the text has {len(text)} characters, over the limit of {self._max_text_chars}"
            else:
                try:
                    return digest_of(text)
                except UnicodeEncodeError:
                    problem = "the text is not valid Unicode"
        chunk.answer(index, failure(None, "invalid_input", problem))
        return None

    def _send(self, waiting: list[InFlightText], count: int) -> None:
        """The first ``count`` of ``waiting`` leave in one envelope."""
        texts = waiting[:count]
        identity = self._name(self.number)
        self._classifier.send(identity, [one.text for one in texts])
        del waiting[:count]
        self._open[identity] = list(texts)
        self._numbers[identity] = self.number
        self.number += 1
        self._under_way += count

    def _take(
        self, identity: str, answers: IndexedEntries, fresh: list[tuple[bytes, int, Prediction]], done: list[str]
    ) -> int:
        """Answers of one envelope: the first one of each text counts, for work may run twice."""
        texts = self._open[identity]
        count = 0
        whole = len(texts) > 1 and len(answers) == len(texts) and all(_blamed(entry) for _, entry in answers)
        for index, entry in answers:
            text = texts[index] if 0 <= index < len(texts) else None
            if text is None:
                continue
            texts[index] = None
            count += 1
            if whole:
                self._suspects.append(text)
                continue
            del self._pending[text.digest]
            for chunk, at in text.rows:
                chunk.answer(at, entry)
            if is_prediction(entry):
                chunk, at = text.rows[0]
                fresh.append((text.digest, chunk.start + at, entry))
        if not any(texts):
            del self._open[identity], self._numbers[identity]
            done.append(identity)
        return count


def _blamed(entry: Entry) -> bool:
    """Whether workers died of it; a worker of an earlier release says so of all texts that came with the guilty one."""
    return not is_prediction(entry) and fault_of(entry)["code"] == TooManyDeliveries.code
