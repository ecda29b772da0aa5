"""The script that a text is written in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

#: What a text without any letter gets.
NO_LETTERS = "no letters"

#: Letters by script as the Unicode Standard's blocks have them, first and last code point. Digits, punctuation and
#: symbols inside a block are left out; marks that belong to a script (Thai vowels, Hebrew points) count as its letters.
RANGES: dict[str, tuple[tuple[int, int], ...]] = {
    "Latin": (
        (0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xBA, 0xBA), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x2B8),
        (0x1D00, 0x1D25), (0x1D2C, 0x1D5C), (0x1D62, 0x1D65), (0x1D6B, 0x1D77), (0x1D79, 0x1DBE), (0x1E00, 0x1EFF),
        (0x2071, 0x2071), (0x207F, 0x207F), (0x2090, 0x209C), (0x212A, 0x212B), (0x2C60, 0x2C7F), (0xA722, 0xA787),
        (0xA78B, 0xA7FF), (0xAB30, 0xAB64), (0xFB00, 0xFB06), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A),
        (0x1D400, 0x1D6A5),  # mathematical letters: how some spam writes plain words
    ),
    "Greek": ((0x370, 0x373), (0x376, 0x37D), (0x37F, 0x37F), (0x386, 0x386), (0x388, 0x3E1), (0x3F0, 0x3FF),
              (0x1F00, 0x1FFE), (0x1D6A8, 0x1D7CB)),
    "Cyrillic": ((0x400, 0x481), (0x483, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)),
    "Armenian": ((0x531, 0x588), (0xFB13, 0xFB17)),
    "Hebrew": ((0x591, 0x5BD), (0x5BF, 0x5BF), (0x5C1, 0x5C2), (0x5C4, 0x5C5), (0x5C7, 0x5F2), (0xFB1D, 0xFB28),
               (0xFB2A, 0xFB4F)),
    "Arabic": ((0x610, 0x61A), (0x620, 0x65F), (0x66E, 0x6D3), (0x6D5, 0x6DC), (0x6DF, 0x6E8), (0x6EA, 0x6EF),
               (0x6FA, 0x6FC), (0x6FF, 0x6FF), (0x750, 0x77F), (0x870, 0x8FF), (0xFB50, 0xFBB1), (0xFBD3, 0xFD3D),
               (0xFD50, 0xFDFB), (0xFE70, 0xFEFC)),
    "Devanagari": ((0x900, 0x963), (0x971, 0x97F), (0xA8E0, 0xA8F7), (0xA8FB, 0xA8FF)),
    "Bengali": ((0x980, 0x9E3), (0x9F0, 0x9F1), (0x9FC, 0x9FC)),
    "Gurmukhi": ((0xA01, 0xA65), (0xA70, 0xA75)),
    "Gujarati": ((0xA81, 0xAE3), (0xAF9, 0xAFF)),
    "Odia": ((0xB01, 0xB63), (0xB71, 0xB71)),
    "Tamil": ((0xB82, 0xBD7),),
    "Telugu": ((0xC00, 0xC63),),
    "Kannada": ((0xC80, 0xC83), (0xC85, 0xCE3), (0xCF1, 0xCF3)),
    "Malayalam": ((0xD00, 0xD4E), (0xD54, 0xD57), (0xD5F, 0xD63), (0xD7A, 0xD7F)),
    "Sinhala": ((0xD81, 0xDDF), (0xDF2, 0xDF3)),
    "Thai": ((0xE01, 0xE3A), (0xE40, 0xE4E)),
    "Lao": ((0xE81, 0xECF), (0xEDC, 0xEDF)),
    "Tibetan": ((0xF00, 0xF00), (0xF40, 0xFBC)),
    "Myanmar": ((0x1000, 0x103F), (0x1050, 0x108F), (0x109A, 0x109D), (0xA9E0, 0xA9EF), (0xA9FA, 0xA9FE),
                (0xAA60, 0xAA76), (0xAA7A, 0xAA7F)),
    "Georgian": ((0x10A0, 0x10FA), (0x10FC, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2D)),
    "Ethiopic": ((0x1200, 0x135F), (0x1380, 0x138F), (0x2D80, 0x2DDE), (0xAB01, 0xAB2E)),
    "Khmer": ((0x1780, 0x17D3), (0x17D7, 0x17D7), (0x17DC, 0x17DD)),
    "Mongolian": ((0x1820, 0x18AA),),
    "Hangul": ((0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97C), (0xAC00, 0xD7FB), (0xFFA0, 0xFFDC)),
    "Kana": ((0x3041, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F),
             (0x1AFF0, 0x1B16F)),
    "Han": ((0x3005, 0x3007), (0x3021, 0x3029), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),
            (0x20000, 0x2FA1F), (0x30000, 0x3347F)),
    "Bopomofo": ((0x2EA, 0x2EB), (0x3105, 0x312F), (0x31A0, 0x31BF)),
    "another script": ((0x700, 0x74F), (0x780, 0x7BF), (0x7CA, 0x7F5), (0x800, 0x86A), (0x13A0, 0x16F8),
                       (0x1700, 0x176C), (0x1900, 0x1945), (0x1950, 0x19CF), (0x1A00, 0x1A7F), (0x1B05, 0x1B4C),
                       (0x1B83, 0x1BAF), (0x1BBA, 0x1C3F), (0x1C4D, 0x1C7D), (0x2C00, 0x2C5F), (0x2C80, 0x2CEE),
                       (0x2D30, 0x2D6F), (0x3E2, 0x3EF), (0xA000, 0xA48C), (0xA4D0, 0xA61F), (0xA62A, 0xA62B),
                       (0xA6A0, 0xA6EF), (0xA800, 0xA827), (0xA840, 0xA873), (0xA882, 0xA8B3), (0xA90A, 0xA946),
                       (0xA984, 0xA9B2), (0xA9CF, 0xA9CF), (0xAA00, 0xAA4B), (0xAA80, 0xAAF4), (0xAB70, 0xABE2),
                       (0x10000, 0x100FA), (0x10280, 0x10FFF), (0x11003, 0x1AFEF), (0x1BC00, 0x1BC99),
                       (0x1DF00, 0x1E95F)),
}  # fmt: skip
NAMES = (NO_LETTERS, *RANGES)
_LATIN = NAMES.index("Latin")


def _table() -> np.ndarray:
    """Shape (code points,): the place in NAMES of each code point's script, 0 for what is no letter."""
    table = np.zeros(0x110000, np.uint8)
    for number, ranges in enumerate(RANGES.values(), 1):
        for first, last in ranges:
            table[first : last + 1] = number
    return table


_SCRIPT_OF = _table()


def majority(texts: pa.Array) -> np.ndarray:
    """Shape (rows,): the place in NAMES of the script of most letters; of two with equally many, the earlier one.

    Args:
        texts: ``large_string``; a missing text has no letters.
    """
    data, bounds = _bytes(texts)
    latin = _latin_letters(data, bounds)
    result = np.where(latin > 0, _LATIN, 0).astype(np.uint8)
    leads = np.flatnonzero(data >= 0xC0)
    if not len(leads):
        return result
    row = np.searchsorted(bounds, leads, side="right") - 1
    script = _SCRIPT_OF[_code_points(data, leads)]
    mixed, place = np.unique(row[script > 0], return_inverse=True)
    counts = np.zeros((len(mixed), len(NAMES)), np.int64)
    np.add.at(counts, (place, script[script > 0]), 1)
    counts[:, _LATIN] += latin[mixed]
    result[mixed] = counts.argmax(axis=1)
    return result


def _bytes(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The UTF-8 bytes of all texts end to end, and where each one begins; the last bound is the end."""
    rows = len(texts)
    if rows == 0:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    texts = texts.fill_null("")
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + rows + 1]
    return np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]], bounds - bounds[0]


def _latin_letters(data: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Shape (rows,): how many ASCII letters each text has."""
    letter = (_SCRIPT_OF[data & 0x7F] == _LATIN) & (data < 0x80)
    before = np.zeros(len(data) + 1, np.int32)
    np.cumsum(letter, out=before[1:])
    return before[bounds[1:]] - before[bounds[:-1]]


def _code_points(data: np.ndarray, leads: np.ndarray) -> np.ndarray:
    """The code points that begin at ``leads``, which are not ASCII."""
    first = data[leads].astype(np.int32)
    one, two, three = (data[np.minimum(leads + ahead, len(data) - 1)].astype(np.int32) & 0x3F for ahead in (1, 2, 3))
    short = (first & 0x1F) << 6 | one
    middle = (first & 0x0F) << 12 | one << 6 | two
    long = (first & 0x07) << 18 | one << 12 | two << 6 | three
    return np.minimum(np.where(first < 0xE0, short, np.where(first < 0xF0, middle, long)), 0x10FFFF)
