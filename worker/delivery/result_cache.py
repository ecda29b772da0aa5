"""The result cache: answers for texts that come again, in the result backend's Redis. Holds hashes, never a text.

A key is a hash of the text as the model sees it (its token ids) and of everything else that decides the answer: the
model's name, version, precision, temperature and labels. The value is the answer itself: a hit is what the model gave,
bit by bit.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Sequence
from hashlib import blake2b

from sluice.worker.model.base import Classifier

PREFIX = b"sluice:answer:"
#: Bytes of a hash: two texts among a billion share one with a chance of 1 in 10^20.
DIGEST_BYTES = 16


class ResultCache:
    """Names and forms of cached answers for one classifier. Holds no state, so any thread may use it.

    Args:
        ttl_s: seconds an answer is kept.
    """

    def __init__(self, classifier: Classifier, ttl_s: int) -> None:
        info = classifier.info
        made = (info.architecture, classifier.precision, repr(info.temperature))
        facts = (info.name, info.version, *made, *classifier.labels)
        self.ttl_s = ttl_s
        self._model = blake2b("\0".join(facts).encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES)
        self._answer = struct.Struct(f"<{len(classifier.labels)}d")

    def key(self, ids: Sequence[int]) -> bytes:
        """The Redis key of the answer to one encoded message."""
        digest = self._model.copy()
        digest.update(array("q", ids).tobytes())
        return PREFIX + digest.hexdigest().encode()

    def pack(self, probabilities: Sequence[float]) -> bytes:
        """The value of one answer, shaped (labels,)."""
        return self._answer.pack(*probabilities)

    def unpack(self, value: bytes | None) -> list[float] | None:
        """The probabilities in a value; None if there is none, or if it is not one of ours."""
        if value is None or len(value) != self._answer.size:
            return None
        probabilities = list(self._answer.unpack(value))
        return probabilities if all(map(math.isfinite, probabilities)) else None
