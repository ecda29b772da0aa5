"""``sluice completion``: the shell's own completion of commands, options, choices and files."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

SHELLS = ("bash", "zsh", "fish")
#: Where click looks for what the shell asks.
VARIABLE = "_SLUICE_COMPLETE"


@click.command(
    epilog="""
Examples:

\b
  source <(sluice completion bash)                    in this shell; for all, a line of ~/.bashrc
  source <(sluice completion zsh)                     in ~/.zshrc, after compinit
  sluice completion fish > ~/.config/fish/completions/sluice.fish
"""
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete `sluice` and its options with the Tab key."""
    from click.shell_completion import get_completion_class

    from sluice.cli.main import sluice

    complete = get_completion_class(shell)
    assert complete is not None, shell
    # The script itself, without click's look at which bash runs: it may be made for another machine.
    click.echo(complete.source_template % complete(sluice, {}, "sluice", VARIABLE).source_vars())


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """For an argument that takes any number of files: the shell completes them by itself."""
    return [CompletionItem(incomplete, type="file")]
