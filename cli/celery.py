"""Runs a ``celery -A sluice.tasks …`` command in this process."""

from __future__ import annotations


def run(*arguments: str) -> int:
    """The command's exit status; ``Celery.start`` would lose it."""
    from celery.bin.celery import celery

    status = celery.main(args=["-A", "sluice.tasks", *arguments], prog_name="celery", standalone_mode=False)
    return status if isinstance(status, int) else 0
