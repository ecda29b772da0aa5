"""Who looks on while a model is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Step:
    """What a training run reports after a step."""

    epoch: int
    step: int
    """Of the whole run, from 1."""
    steps: int
    loss: float
    messages: int
    """Of this step."""


class Watcher:
    """Looks on and does nothing; what shows progress or ends runs overrides its parts."""

    def stage(self, doing: str) -> None:
        """What is being done next, which may take long."""

    def say(self, line: str) -> None:
        """Something to be told once."""

    def began(self) -> None:
        """From now on `check` is asked after every step."""

    def step(self, step: Step) -> None:
        """A step is done."""

    def check(self) -> None:
        """May raise to end the run, whose state is then saved."""

    def ended(self) -> None:
        """`check` is asked no more."""
