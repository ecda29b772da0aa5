"""Which CUDA devices worker processes may be given, found without touching CUDA in this process."""

from __future__ import annotations

import os
import subprocess
import sys

from sluice.cli.processes import environment
from sluice.config.settings import Settings
from sluice.tasks.errors import SluiceError

VISIBLE = "CUDA_VISIBLE_DEVICES"
COUNT = "import torch; print(torch.cuda.device_count())"
COUNT_LIMIT_S = 60.0


def find(settings: Settings) -> list[str]:
    """The devices that the settings allow, each as ``CUDA_VISIBLE_DEVICES`` names it; empty on a CPU.

    A child asks, for what torch itself sees is what its build, the driver and the environment allow, and a process
    that has asked CUDA can no longer fork.

    Raises:
        SluiceError: the child failed.
    """
    if settings.device not in ("auto", "cuda"):
        return []  # a CPU, or one device, which every process shares
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", COUNT],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COUNT_LIMIT_S,
            check=True,
        )
        count = int(done.stdout.split()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as exc:
        raise SluiceError("the CUDA devices cannot be counted: say how many processes, e.g. --processes 1") from exc
    named = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return (named or [str(number) for number in range(count)])[:count]
