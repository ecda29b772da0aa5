"""How busy a GPU is while a block runs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from types import TracebackType
from typing import Self

QUERY = "--query-gpu=utilization.gpu --format=csv,noheader,nounits -lms 100".split()


class GpuBusy:
    """The share of time in which the GPU ran a kernel, as the driver's own sampling says.

    Args:
        device: ``cuda``, ``cuda:1``; on any other one nothing is sampled.
        note: is told if the driver's tool is not there.

    Attributes:
        share: 0 to 1 once the block has ended; None without samples.
    """

    def __init__(self, device: str, note: Callable[[str], None]) -> None:
        self.share: float | None = None
        self._device = device
        self._note = note
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if self._device.startswith("cuda"):
            number = self._device.partition(":")[2] or "0"
            command = ["nvidia-smi", "-i", number, *QUERY]
            try:
                self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            except OSError as exc:
                self._note(f"left out: GPU busy share: {exc}")
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._process is None:
            return
        self._process.terminate()
        out = self._process.communicate()[0]
        samples = [int(line) for line in out.splitlines() if line.strip().isdigit()]
        self.share = sum(samples) / len(samples) / 100 if samples else None
