"""Envelopes that came back more than once: run one at a time, so that only the guilty one is given up."""

from __future__ import annotations

from collections import deque

from sluice.worker.message import Received


class Trials:
    """The suspects, and the one of them that runs now. Owned by the deliver thread."""

    def __init__(self) -> None:
        self._suspects: deque[Received] = deque()
        self._on_trial: Received | None = None

    def suspect(self, envelope: Received) -> None:
        """It has come back twice: it may be what stopped its workers."""
        self._suspects.append(envelope)

    def begin(self, generation: int) -> Received | None:
        """The next suspect to run, None while one runs or none is left.

        Args:
            generation: of the broker connection now; what came over an older one is delivered again.
        """
        if self._on_trial is not None and self._on_trial.generation >= generation:
            return None
        self._on_trial = None
        while self._suspects:
            suspect = self._suspects.popleft()
            if suspect.generation >= generation:
                self._on_trial = suspect
                return suspect
        return None

    def end(self, envelope: Received) -> None:
        """``envelope`` is finished, whether it was on trial or not."""
        if envelope is self._on_trial:
            self._on_trial = None
