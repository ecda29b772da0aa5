"""What names of files say."""

from __future__ import annotations

import re

_TEXT = re.compile(r"\.te?xt(?:\.(?:gz|bz2|zst|zstd))?$", re.IGNORECASE)


def is_called_text(name: str) -> bool:
    """Whether a file's name says that it is plain text, packed or not: what is in such a file cannot."""
    return _TEXT.search(name) is not None
