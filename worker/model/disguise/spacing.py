"""Letters set apart: "P a y P a l", "y.o.u.r", "в-а-ш", single words of a message or all of it."""

from __future__ import annotations

import re
from collections import Counter

from sluice.worker.model.disguise.signs import SPACELESS
from sluice.worker.model.disguise.vocabulary import Vocabulary

UNIT = "(?:[LGCRXHKJTaw](?:m|v[LGCRXHKJTa]?)*+|0)"
"""One letter with its marks, or one digit; a letter after a virama belongs to the one before."""
LETTER_OR_MARK = "LGCRXHKJTaw0mv"
RUN = re.compile(f"(?<![{LETTER_OR_MARK}]){UNIT}(?:[ .$io]{{1,16}}{UNIT})++(?![mv])")
EDGE = re.compile(f"[{LETTER_OR_MARK}]")
PIECE = re.compile(f"({UNIT})([^{LETTER_OR_MARK}]*)")
UNITS = re.compile(UNIT)
FEWEST = 4
"""Letters in a row; three are an abbreviation ("U.S.A.", "x x x")."""
FEWEST_HANGUL = 6
"""Korean has words of one syllable."""
FEWEST_LISTED = 6
"""Letters with commas between them are a list."""
FEWEST_DIGITS = 6
"""Single digits in a row; fewer are a list or a date."""
NO_SPACES = frozenset(SPACELESS.values())
SHORTEST_CUT = 6
"""Letters from which on a joined string may be several words."""


def joined(text: str, signs: str, vocabulary: Vocabulary | None) -> str:
    """The text with letters that were set apart joined to words.

    Where the gaps are of two widths, the wider ones are the borders between words; where they are all alike, the
    vocabulary chooses.
    """
    parts, at = [], 0
    for run in RUN.finditer(signs):
        start, end = run.span()
        if end < len(signs) and EDGE.match(signs, end):
            # The last unit is the beginning of a longer word.
            end = start + max(found.start() for found in UNITS.finditer(run[0]))
            while end > start and signs[end - 1] not in LETTER_OR_MARK:
                end -= 1
        if start < at:
            continue
        plain, gap = _join(text[start:end], signs[start:end], vocabulary)
        parts += [text[at:start], plain]
        # "C.o.h.e.n.," ends in a gap and the sign after it.
        at = end + len(gap) if gap and text.startswith(gap, end) and signs[end + len(gap) :][:1] in (".", "$") else end
    return "".join(parts) + text[at:]


def _join(text: str, signs: str, vocabulary: Vocabulary | None) -> tuple[str, str]:
    """One run of units and gaps, joined if it is a disguise, and the gap that is no space then."""
    spans = [(found.span(1), found.span(2)) for found in PIECE.finditer(signs)]
    units = [text[slice(*unit)] for unit, _ in spans]
    gaps = [text[slice(*gap)] for _, gap in spans[:-1]]
    if not gaps:
        return text, ""
    gap, times = Counter(gaps).most_common(1)[0]
    letters = [signs[unit[0]] for unit, _ in spans if signs[unit[0]] != "0"]
    if not _is_disguise(units, letters, gap, times, len(gaps)):
        return text, ""
    word = units[0]
    for unit, between in zip(units[1:], gaps, strict=True):
        word += _inside(between, gap) + unit
    words = [word]
    wide = not word.isalnum() and bool(re.search(r"\s", word))
    if not wide and vocabulary is not None and not NO_SPACES & set(letters) and len(letters) >= SHORTEST_CUT:
        words = vocabulary.words(words[0])
    return " ".join(words), gap if not gap.isspace() else ""


def _is_disguise(units: list[str], letters: list[str], gap: str, times: int, gaps: int) -> bool:
    if 2 * times < gaps or "\n" in gap or len({unit.lower() for unit in units}) < 3:
        return False
    if not letters:
        return len(units) >= FEWEST_DIGITS
    if "," in gap or ";" in gap:
        return len(letters) >= FEWEST_LISTED
    hangul = letters.count("J") * 2 > len(letters)
    return len(letters) >= (FEWEST_HANGUL if hangul else FEWEST)


def _inside(between: str, gap: str) -> str:
    """What stands between two units once the usual gap is gone: nothing, a space for a border, or other signs."""
    if between == gap:
        return ""
    if not between.strip():
        return "\n" if "\n" in between else " "
    # Three in a row are a gap, the same sign as the sender's own, and a gap: "e-mail" as "e---m-a-i-l".
    own = "" if gap.isspace() else gap
    wide = re.sub(f"(?:{re.escape(gap)}){{2,}}", "\0", between.replace(gap * 3, "\1") if own else between)
    return wide.replace(gap, "").replace("\0", " ").replace("\1", own)
