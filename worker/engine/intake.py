"""Messages that are not tokenised yet, by lane, and the chunk of them that is with the tokenizer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from sluice.tasks.errors import SluiceError
from sluice.worker.engine.mail import Encoded, InFlightEnvelope, MessageRef


class Intake:
    """Holds messages in order of arrival until their token ids are there."""

    def __init__(self) -> None:
        self.lanes: dict[bool, deque[MessageRef]] = {False: deque(), True: deque()}
        """What waits for the tokenizer, by lane: bulk or not."""
        self.chunk: list[MessageRef | None] = []
        """What is with the tokenizer; None: nobody wants it any more."""
        self.took_s = 0.0
        """Seconds that the last chunk took."""

    def __len__(self) -> int:
        return sum(map(len, self.lanes.values())) + len(self.chunk)

    def next_chunk(self, most: int, *, bulk: bool) -> list[str]:
        """Give the oldest texts of a lane to the tokenizer, which has none."""
        lane = self.lanes[bulk]
        chunk = [lane.popleft() for _ in range(min(most, len(lane)))]
        self.chunk = list(chunk)
        return [envelope.messages[index].text for envelope, index in chunk]

    def back(self, note: Encoded) -> Iterator[tuple[MessageRef, list[int] | SluiceError]]:
        """The messages of the chunk that are still wanted, with their token ids or why there are none."""
        chunk, self.chunk = self.chunk, []
        self.took_s = note.took_s
        return ((ref, ids) for ref, ids in zip(chunk, note.rows, strict=True) if ref is not None)

    def forget(self, unwanted: Callable[[InFlightEnvelope], bool]) -> None:
        """Drop the messages of these envelopes."""
        for bulk, lane in self.lanes.items():
            self.lanes[bulk] = deque(kept(lane, unwanted))
        self.chunk = [None if ref is None or unwanted(ref[0]) else ref for ref in self.chunk]


def kept(refs: Iterable[MessageRef], unwanted: Callable[[InFlightEnvelope], bool]) -> list[MessageRef]:
    """The messages of the other envelopes."""
    return [ref for ref in refs if not unwanted(ref[0])]
