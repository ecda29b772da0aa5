"""Gates: what they let through, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.training.gate import GateError, failures, read_gate
from sluice.training.intervals import share
from sluice.training.predictions import Predictions
from sluice.training.results import pool_result
from sluice.worker.model.thresholds import Threshold
from tests.unit.training.test_measures import made
from tests.unit.training.test_results import pool

TRUTH, GUESS = "hhhhhhhhhhss", "hhhhhhhhhsss"
"""One ham in ten blocked, all bad blocked."""


def rules(tmp_path: Path, text: str, predictions: Predictions | None = None) -> list[object]:
    path = tmp_path / "gates.toml"
    path.write_text(text)
    return list(read_gate(path, {"one": predictions or made(TRUTH, GUESS), "quiet": made("hhh", "hhh")}))


def test_disguises_have_floors(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text("[disguised]\nspaced_min = 0.9\nzero_width_min = 0.9\nleet_links_min = 0.9\n")
    with pytest.raises(GateError, match="needs --disguised"):
        read_gate(path, {"one": made(TRUTH, GUESS)})
    found = read_gate(path, {"one": made(TRUTH, GUESS)}, styles=("spaced", "zero_width", "leet_links"))
    (failure,) = failures(found, [], {"spaced": share(8, 10), "zero_width": share(9, 10), "leet_links": share(1, 1)})
    assert (failure.rule.language, round(failure.by, 4)) == ("spaced", 0.1)
    with pytest.raises(GateError, match="leet_links_min cannot be measured"):
        failures(found, [], {"spaced": share(8, 10), "zero_width": share(9, 10)})
    path.write_text("[disguised]\nspced_min = 0.9\n")
    with pytest.raises(GateError, match="did you mean spaced_min"):
        read_gate(path, {"one": made(TRUTH, GUESS)}, styles=("spaced",))


def failed(tmp_path: Path, text: str) -> list[tuple[str, str, str, float]]:
    path = tmp_path / "gates.toml"
    path.write_text(text)
    predictions = made(TRUTH, GUESS)
    found = failures(read_gate(path, {"one": predictions}), [pool_result(pool(TRUTH), predictions)])
    return [(one.rule.pool, one.rule.language, one.rule.measure, round(one.by, 4)) for one in found]


def test_floors_and_ceilings(tmp_path: Path) -> None:
    assert not failed(tmp_path, "[pools.one]\nham_blocked_max = 0.1\nbad_blocked_min = 1\n")
    assert failed(tmp_path, "[pools.one]\nham_blocked_max = 0.08\nbad_blocked_min = 1\n") == [
        ("one", "", "ham_blocked", 0.02)
    ]
    assert failed(tmp_path, "[pools.one]\naccuracy_min = 0.95\n") == [("one", "", "accuracy", 0.0333)]


def test_languages_have_limits_of_their_own(tmp_path: Path) -> None:
    text = "[pools.one]\nham_blocked_max = 0.2\n[pools.one.languages.en]\nham_blocked_max = 0.05\n"
    assert failed(tmp_path, text) == [("one", "en", "ham_blocked", 0.05)]


def test_the_default_counts_where_a_pool_says_nothing_else(tmp_path: Path) -> None:
    assert failed(tmp_path, "[default]\nham_blocked_max = 0.01\n") == [("one", "", "ham_blocked", 0.09)]
    assert not failed(tmp_path, "[default]\nham_blocked_max = 0.01\n[pools.one]\nham_blocked_max = 0.2\n")
    found = rules(tmp_path, "[default]\nbad_blocked_min = 0.9\nece_max = 0.5\n")
    assert len(found) == 3  # the pool without bad messages has no share of them


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[pools.one]\nham_blocked_maxx = 0.1\n", "did you mean ham_blocked_max"),
        ("[pools.one]\nham_blocked = 0.1\n", "unknown key, 'ham_blocked'"),
        ("[pools.oen]\nece_max = 0.1\n", "unknown pool, 'oen': did you mean one"),
        ("[pools.other]\nece_max = 0.1\n", "the pools given are one, quiet"),
        ("[defaults]\nece_max = 0.1\n", "did you mean default"),
        ("[pools.one]\nece_max = true\n", "a number from 0 to 1, not True"),
        ("[pools.one]\nece_max = 5\n", "a number from 0 to 1, not 5"),
        ("[pools.one]\nece_max = 'low'\n", "not 'low'"),
        ("[pools.one]\nece_max = 0.1\nece_min = 0.2\n", "ece_min is over ece_max"),
        ("[pools.quiet]\nbad_blocked_min = 0.9\n", "cannot be measured here: no message counts for it"),
        ("[pools.one]\nverdict_ham_blocked_max = 0.1\n", "the model's folder has no thresholds"),
        ("[pools.one.languages.de]\nece_max = 0.1\n", "unknown language, 'de'"),
        ("pools = 3\n", "pools is no table"),
        ("[pools]\none = 3\n", "pools.one is no table"),
        ("", "limits nothing"),
        ("[pools.one\n", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(GateError, match=words) as raised:
        rules(tmp_path, text)
    assert "gates.toml: " in str(raised.value)


def test_a_gate_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="cannot be read"):
        read_gate(tmp_path / "none.toml", {"one": made("h", "h")})


def test_thresholds_can_be_gated(tmp_path: Path) -> None:
    predictions = made(TRUTH, GUESS, 0.8, {"spam": Threshold(0.5, 0.9)})
    assert len(rules(tmp_path, "[pools.one]\nverdict_ham_flagged_max = 0.2\n", predictions)) == 1
