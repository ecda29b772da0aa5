"""Texts without what changes from message to message, and how alike two of them are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sluice.backfill.report.scripts import text_bytes

#: Stands for a link, an address, a number, an amount or a code.
MASK = "#"
_CHANGING = (
    r"(?:https?://|www\.)[!-~]+"
    r"|[!-~]+@[!-~]+"
    r"|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24}/[!-~]*"  # bit.ly/x
    r"|[a-z0-9-]+(?:\.[a-z0-9-]+)+\b"
    r"|[$€£¥₹₽₺₦₩]?[a-z0-9]*\p{Nd}(?:[\p{Nd}a-z.,:/*-]*[\p{Nd}a-z])?[$€£¥₹₽₺₦₩]?"
)
#: Bytes in a row that are compared: a shingle, in one machine word. Eight Latin letters, some three Chinese characters.
SHINGLE = 8
#: Shorter skeletons are not compared: people say "ok, see you there" by themselves.
MIN_BYTES = 32
#: Smallest values of so many hash functions are a text's signature; pairs of them are its keys.
HASHES, PAIR = 16, 2
_NOTHING = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


def _odd_numbers(count: int) -> np.ndarray:
    """Shape (count,): fixed multipliers with well mixed bits."""
    return _mixed(np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)) | np.uint64(1)


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): every bit depends on all; shape as given."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return values ^ (values >> np.uint64(31))


_MULTIPLIERS = _odd_numbers(HASHES)


def skeletons(texts: pa.Array) -> pa.Array:
    """``texts`` in lower case with links, addresses, numbers, amounts and codes masked; ``large_string``."""
    return pc.replace_substring_regex(pc.utf8_lower(texts), _CHANGING, MASK)


def signatures(texts: pa.Array) -> np.ndarray:
    """Shape (texts, HASHES), uint64: MinHash of the shingles of each text, which has MIN_BYTES at least.

    Two texts agree in as large a part of it as they share shingles (Jaccard), give or take 0.12: A. Broder, "On the
    resemblance and containment of documents", SEQUENCES 1997.
    """
    data, bounds = text_bytes(texts)
    padded = np.concatenate([data, np.zeros(SHINGLE - 1, np.uint8)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, SHINGLE)
    shingles = _mixed(np.ascontiguousarray(windows).view("<u8").ravel())
    over = (bounds[1:, None] - np.arange(1, SHINGLE)).ravel()  # these would reach into the next text
    result = np.empty((len(texts), HASHES), np.uint64)
    for number, multiplier in enumerate(_MULTIPLIERS):
        hashed = shingles * multiplier
        hashed[over] = _NOTHING
        result[:, number] = np.minimum.reduceat(hashed, bounds[:-1])
    return result


def keys(signature: np.ndarray) -> np.ndarray:
    """Shape (texts, HASHES / PAIR), uint64: who shares one may be alike (locality-sensitive hashing, Indyk and Motwani
    1998); of texts that share three quarters of their shingles, 999 of 1,000 do.
    """
    pairs = signature.reshape(len(signature), -1, PAIR)
    salt = np.arange(pairs.shape[1], dtype=np.uint64)
    return _mixed(pairs[:, :, 0] ^ _mixed(pairs[:, :, 1] + salt))
