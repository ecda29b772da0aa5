"""The process of the ``sluice`` command. It imports nothing before Ctrl-C is harmless."""

from __future__ import annotations

import sys

from sluice.cli import interrupt


def main() -> None:
    """Run the command of ``sys.argv``, and exit with its status."""
    interrupt.ends_quietly()
    from sluice.cli import streams
    from sluice.cli.main import run

    streams.prepare()
    status = run(sys.argv[1:])
    interrupt.ends_quietly()
    sys.exit(status)


if __name__ == "__main__":
    main()
