"""Every option that a sentence may name is one of the command."""

from __future__ import annotations

from sluice.backfill.run.facts import Option
from sluice.cli.backfill.command import backfill
from sluice.cli.wording import OPTIONS, said, words
from sluice.tasks.errors import BrokerUnavailable, UnreadableArchive
from sluice.tasks.sentence import Sentence


def test_options_are_those_of_the_command() -> None:
    known = {name for one in backfill.params for name in one.opts}
    assert set(OPTIONS) == set(Option)
    assert set(OPTIONS.values()) <= known


def test_sentences_name_options_and_errors_of_servers_their_address() -> None:
    error = UnreadableArchive(Sentence("no column {n} ({option})", n=3, option=Option.TEXT_COLUMN))
    assert said(error) == "no column 3 (--text-column)"
    assert error.message == "no column 3 (text_column)"
    assert words("--x") == "--x"
    assert said(BrokerUnavailable("the broker is away", operator_message="redis://h is away")) == "redis://h is away"
    assert said(UnreadableArchive("{odd} braces}")) == "{odd} braces}"
