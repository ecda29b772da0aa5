"""What the sender of an envelope says in headers beside Celery's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from sluice.tasks.wire.release import WIRE, wire_of

REPLY = "sluice_reply"
MORE = "sluice_more"
VERDICT = "sluice_verdict"
COUNTED = "sluice_counted"
NUMBER = "sluice_wire"

#: What is added to the headers of an envelope when its messages have been counted.
COUNTED_MARK = {COUNTED: True}

Headers = Mapping[Any, Any]
"""Of a message, as its sender wrote them."""
#: Far more than any sender holds back.
MOST = 2**31


class EnvelopeHeaders(NamedTuple):
    """Our own headers of one envelope. A tuple: workers make one of every message.

    Attributes:
        reply_to: the address (``sluice.tasks.replies``) at which a waiting process wants the answers.
        more: messages that the sender already holds back for its next envelope.
        verdict: the entries shall hold verdicts. Early workers refuse an argument that they do not know.
        counted: the messages are in the ledger (``sluice.tasks.ledger``).
        wire: number of the forms that the sender reads; see ``release.py``.
    """

    reply_to: str | None = None
    more: int = 0
    verdict: bool = False
    counted: bool = False
    wire: int = WIRE

    def to_wire(self) -> dict[str, object]:
        """The headers; those that say nothing are left out."""
        headers = {
            REPLY: self.reply_to,
            MORE: self.more,
            VERDICT: self.verdict,
            COUNTED: self.counted,
            NUMBER: self.wire,
        }
        return {name: value for name, value in headers.items() if value}

    @classmethod
    def from_wire(cls, headers: Headers) -> Self:
        """The headers of a message by whomever: what makes no sense counts as not said."""
        get = headers.get
        address, more, number = get(REPLY), get(MORE), get(NUMBER)
        return cls(
            _address(address) if address is not None else None,
            more if type(more) is int and 0 <= more < MOST else 0,
            get(VERDICT) is True,
            get(COUNTED) is True,
            WIRE if number == WIRE else wire_of(number),
        )


def is_counted(headers: Headers) -> bool:
    """Whether the messages of an envelope with these headers are in the ledger."""
    return headers.get(COUNTED) is True


def _address(given: object) -> str | None:
    """A text that UTF-8 can carry: it becomes part of a key."""
    if not isinstance(given, str) or not given:
        return None
    return given if given.isascii() or not any("\ud800" <= char <= "\udfff" for char in given) else None
