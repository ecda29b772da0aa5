"""What Ctrl-C does before a command begins and after it is done: it ends the process, without a word.

Python's own way, an exception wherever the main thread happens to be, would come up in the middle of an import, and
end as a traceback. This module is imported first, so it imports next to nothing itself.
"""

from __future__ import annotations

import os
import signal

STATUS = 130


def ends_quietly() -> None:
    """From now on Ctrl-C ends this process at once, unless whoever started it has it ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


def raises() -> None:
    """From now on Ctrl-C is a ``KeyboardInterrupt``, which a command may handle."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def caused(exc: BaseException | None) -> bool:
    """Whether ``exc`` is a Ctrl-C, or what Python made of one: in the middle of a class it is a ``RuntimeError``."""
    while exc is not None and not isinstance(exc, KeyboardInterrupt):
        exc = exc.__cause__
    return exc is not None


def _end(*_: object) -> None:
    os._exit(STATUS)
