"""What a backfill needs to carry on: one small JSON file, replaced as a whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson

#: Of the file's layout; another one is not carried on.
LAYOUT = 1
#: Envelopes that may leave between two checkpoints. A run that carries on cancels so many that no checkpoint knows.
AHEAD = 512


@dataclass(slots=True)
class Checkpoint:
    """The state of a run between two rows.

    Attributes:
        inputs: name, size and SHA-256 of every input, in order.
        options: what the output depends on besides the inputs.
        rows: rows of the input that are in the committed output.
        writer: where the output's writer was.
        stats: counts of these rows.
        run: names the envelopes of the run.
        oldest, number: the oldest envelope that was under way, and the next one.
        complete: every row is committed; only the output's last steps may be missing.
        output: which file the finished output is, just before it gets its name.
    """

    inputs: list[dict[str, Any]]
    options: dict[str, Any]
    rows: int = 0
    writer: dict[str, Any] | None = None
    stats: dict[str, Any] | None = None
    run: str = field(default_factory=lambda: str(uuid4()))
    oldest: int = 0
    number: int = 0
    complete: bool = False
    output: list[int] | None = None
    layout: int = LAYOUT

    def envelope(self, number: int) -> str:
        """The id of an envelope of this run."""
        return str(uuid5(UUID(self.run), str(number)))

    def stale(self) -> list[str]:
        """Ids of the envelopes that an earlier run may have left with the broker."""
        return [self.envelope(number) for number in range(self.oldest, self.number + AHEAD)]

    def dump(self) -> bytes:
        fields = asdict(self)
        fields["tally"] = fields.pop("stats")  # as earlier releases call it, whose runs are carried on
        return orjson.dumps(fields)

    @classmethod
    def load(cls, content: bytes) -> Checkpoint | None:
        """The checkpoint in a file; None if it is not one of ours."""
        try:
            fields = orjson.loads(content)
            found = cls(**{"stats" if name == "tally" else name: value for name, value in fields.items()})
        except (ValueError, TypeError, AttributeError):
            return None
        return found if found.layout == LAYOUT else None
