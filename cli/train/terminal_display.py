"""What `sluice train` shows while it runs: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress as Bar, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from rich.console import Console

    from sluice.training.watcher import Step

LINE_EVERY_S = 20.0
#: The loss and the rate that are shown are those of the last steps, weighted by how late they were.
FORGET = 0.98


class TerminalDisplay:
    """Shows what is being done, then epoch, loss, texts a second and time left.

    Args:
        console: where to show; a bar only if it is a terminal that can redraw it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=120,
            disable=not console.is_interactive,
        )
        self._task = self._bar.add_task("", total=None, figures="")
        self._loss = _Mean()
        self._rate = _Mean()
        self._last_step = self._last_line = time.monotonic()
        self._began: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._bar.stop()

    def stage(self, doing: str) -> None:
        """What is being done before there are steps to count; shown at once."""
        self._bar.update(self._task, description=doing)
        if self._console.is_interactive:
            self._bar.refresh()
        else:
            self.say(doing)

    def say(self, line: str) -> None:
        """A line that stays; the time until the next step is taken for no step's."""
        self._last_step = 0.0
        self._console.print(line, soft_wrap=True)

    def step(self, step: Step, epochs: int) -> None:
        """A step is done."""
        now = time.monotonic()
        if self._began is None:
            self._began = (now, step.step)
        if self._last_step and now > self._last_step:
            self._rate.add(now - self._last_step, step.messages)
        self._last_step = now
        self._loss.add(1, step.loss)
        description = f"Epoch {step.epoch + 1}/{epochs}"
        figures = f"loss {self._loss.value:.3f}  {self._rate.value:,.0f} texts/s"
        self._bar.update(self._task, total=step.steps, completed=step.step, description=description, figures=figures)
        if not self._console.is_interactive and now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            self.say(f"{step.step / step.steps:4.0%}  {description}  {figures}  {self._left(now, step)} left")

    def _left(self, now: float, step: Step) -> str:
        assert self._began is not None
        began, first = self._began
        if step.step == first:
            return "-"
        seconds = round((now - began) / (step.step - first) * (step.steps - step.step))
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class _Mean:
    """A mean of amounts over weights that forgets what is long past."""

    def __init__(self) -> None:
        self._weight = self._amount = 0.0

    def add(self, weight: float, amount: float) -> None:
        self._weight = self._weight * FORGET + weight
        self._amount = self._amount * FORGET + amount

    @property
    def value(self) -> float:
        return self._amount / self._weight if self._weight else 0.0
