"""The option ``--processes``, apart from what acts on it: help must load nothing heavy."""

from __future__ import annotations

import click


class ProcessCount(click.ParamType):
    """A number of processes, or ``auto``, which is 0."""

    name = "N|auto"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value in ("auto", 0):
            return 0
        try:
            count = int(str(value))
        except ValueError:
            count = 0
        if not 1 <= count <= 1024:
            self.fail(f"{value!r} is neither auto nor a number from 1 to 1024", param, ctx)
        return count


processes_option = click.option(
    "--processes",
    type=ProcessCount(),
    default=1,
    show_default=True,
    metavar="N|auto",
    help="Worker processes; auto: one for each CUDA device, or one without CUDA.",
)
