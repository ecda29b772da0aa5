"""``sluice``: the group of all commands, and the one place that turns errors into exit statuses.

Exit statuses: 0 done; 1 it could not be done; 2 wrong settings or usage; 130 stopped by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

from sluice.cli import interrupt

if __name__ == "__main__":  # `python -m sluice.cli.main`; the command itself begins in `__main__.py`
    interrupt.ends_quietly()

import os
import sys
from collections.abc import Sequence

import click

from sluice.cli import streams
from sluice.cli.lazy import LazyGroup, Target
from sluice.cli.processes import PART
from sluice.tasks.errors import SluiceError

FAILED = 1
WRONG_SETTINGS = 2

TARGETS = {
    "up": Target("cli.up.command:up", "Run the whole service: web, worker, Flower, on an embedded Redis."),
    "web": Target("cli.web:web", "Run the web front end alone."),
    "worker": Target("cli.worker.command:worker", "Run one worker alone."),
    "flower": Target("cli.flower:flower", "Run Flower alone."),
    "predict": Target("cli.predict:predict", "Classify texts from the shell."),
    "backfill": Target("cli.backfill.command:backfill", "Classify archives: tables and exports of phones."),
    "train": Target("cli.train.command:train", "Train a classifier on a CSV."),
    "evaluate": Target("cli.evaluate:evaluate", "Score a classifier on a CSV."),
    "tune": Target("cli.tune:tune", "Measure the device; recommend batch sizes for a latency target."),
    "config": Target("cli.config:config", "Show every setting, its value, source and meaning."),
    "bench": Target("cli.bench:bench", "Measure the service, and others beside it."),
    "completion": Target("cli.completion:completion", "Print what makes a shell complete these commands."),
}

EXAMPLES = """
Examples:

\b
  sluice up                                   the service on http://127.0.0.1:8000
  sluice predict "You won a prize, call now"  one answer, from the running service
  sluice backfill in.csv -o out.csv           an archive, with a progress bar
  sluice config                               what is set, and where

Settings are environment variables with the prefix SLUICE_, or lines of a .env file.
"""


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"sluice {version('sluice')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    targets=TARGETS,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def sluice() -> None:
    """Classify SMS as ham, spam or phishing, in batches."""
    interrupt.raises()  # the command's module is there, and its own handling begins


def run(argv: Sequence[str]) -> int:
    """Run one command; returns the exit status. Errors that have a reason end as one line on stderr."""
    try:
        status = _main(argv)
        sys.stdout.flush()
        return status
    except click.UsageError as exc:
        exc.show()
        return exc.exit_code
    except click.ClickException as exc:
        return complain(exc.format_message(), exc.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return complain("stopped", interrupt.STATUS)
    except BrokenPipeError:
        streams.abandon()  # the reader of our output (head, less) has gone
        return FAILED
    except Exception as exc:
        return complain("stopped", interrupt.STATUS) if interrupt.caused(exc) else _explain(exc)


def _main(argv: Sequence[str]) -> int:
    if PART not in os.environ and not {"-h", "--help", "--version"}.intersection(argv):
        from sluice.config import names

        names.tell_once(lambda line: complain(line, 0))
    try:
        status = sluice.main(args=list(argv), prog_name="sluice", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as exc:
        click.echo(exc.ctx.get_help())
        return 0


def complain(message: str, status: int) -> int:
    """One line on stderr; returns ``status``."""
    click.echo(f"sluice: {message}", err=True)
    return status


def _explain(exc: Exception) -> int:
    """The exit status of an error that has a reason, which is printed; anything else is a defect and raises."""
    from sluice.cli import extras
    from sluice.config.settings import SettingsError

    if isinstance(exc, ModuleNotFoundError) and (advice := extras.explain(exc.name or "")):
        return complain(advice, FAILED)
    if isinstance(exc, streams.OutputLost):
        streams.abandon()
    if isinstance(exc, SettingsError):
        return complain(str(exc), WRONG_SETTINGS)
    if isinstance(exc, SluiceError):
        from sluice.cli.wording import said

        return complain(said(exc), FAILED)
    if isinstance(exc, OSError) and exc.filename is not None and exc.strerror:
        return complain(f"{_shown(exc.filename)}: {exc.strerror}", FAILED)
    raise exc


def _shown(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, (bytes, str, os.PathLike)) else str(path)


def main() -> None:
    """Run the command of ``sys.argv``, and exit with its status."""
    interrupt.ends_quietly()
    streams.prepare()
    status = run(sys.argv[1:])
    interrupt.ends_quietly()
    sys.exit(status)


if __name__ == "__main__":
    main()
