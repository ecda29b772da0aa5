"""Names of columns and tables, as errors may show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice

#: Names that an error lists.
LISTED = 20
#: A longer name, in characters or words, may be the text of a message, in a file without a header: it is not shown.
NAME_CHARS = 40
NAME_WORDS = 3
#: Nor is one with characters that JSON or a sentence has and a name hardly ever.
_NAME = re.compile(r"[\w .:/()#%&+-]*")
_VALUE = re.compile(r"[+(]?\d[\d\s()./:,+TZ-]*")


def listed(names: Sequence[str], quote: Callable[[str], str] = repr) -> str:
    """The names, for an error, each as ``quote`` has it: no more than ``LISTED``, and none of a row of values."""
    hidden = any(map(is_value, names))
    shown = (quote(name) if is_name(name) and not hidden else f"(column {at})" for at, name in enumerate(names, 1))
    return ", ".join(islice(shown, LISTED))


def is_value(field: str) -> bool:
    """Whether it is a number, a date or a telephone number."""
    return _VALUE.fullmatch(field.strip()) is not None


def is_name(name: str) -> bool:
    return len(name) <= NAME_CHARS and len(name.split()) <= NAME_WORDS and _NAME.fullmatch(name) is not None
