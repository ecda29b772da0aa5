"""A click group that imports a command only when it is run or asked for its own help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Target:
    """Where a command lives (``module:attribute``, below ``sluice``) and its line in the group's help."""

    path: str
    summary: str


class LazyGroup(click.Group):
    """Starts fast: the group's help needs no module of any command.

    Args:
        targets: the commands by name, in the order in which the help lists them.
    """

    def __init__(self, *args: Any, targets: Mapping[str, Target], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._targets = targets

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._targets)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = self._targets.get(cmd_name)
        if target is None:
            return None
        module, attribute = target.path.split(":")
        command: click.Command = getattr(import_module(f"sluice.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = [(name, target.summary) for name, target in self._targets.items()]
        with formatter.section("Commands"):
            formatter.write_dl(lines)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click's own, but without importing every command, some of which may lack their packages."""
        found = [
            CompletionItem(name, help=target.summary)
            for name, target in self._targets.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._targets and not args[0].startswith("-"):
            known = ", ".join(self._targets)
            ctx.fail(f"no such command {args[0]!r}; the commands are {known}")
        return super().resolve_command(ctx, args)
