"""Where the process of the ``sluice`` command begins: Ctrl-C is harmless before anything else is imported."""

from __future__ import annotations

from sluice.cli import interrupt


def main() -> None:
    interrupt.ends_quietly()
    from sluice.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
