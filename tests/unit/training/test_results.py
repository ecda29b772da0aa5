"""A model beside another."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sluice.training.data import Columns, DataError, Example
from sluice.training.pools import Pool, named_files, read_pools
from sluice.training.results import compare
from tests.unit.training.test_measures import made


def pool(truth: str) -> Pool:
    names = {"h": "ham", "s": "spam", "p": "phishing"}
    return Pool("one", "one.csv", "0" * 64, tuple(Example(str(at), names[one]) for at, one in enumerate(truth)))


def test_mcnemar_by_hand() -> None:
    truth = "h" * 12
    found = compare(pool(truth), made(truth, "h" * 8 + "s" * 4), made(truth, "s" * 7 + "h" * 5))
    assert (found.fixed, found.broken) == (7, 4)
    # two-sided: 2 * P(at most 4 of 11 by a fair coin) = 2 * (1 + 11 + 55 + 165 + 330) / 2048
    assert found.p_value == pytest.approx(2 * 562 / 2048)


def test_mcnemar_without_any_difference() -> None:
    found = compare(pool("hs"), made("hs", "hh"), made("hs", "hh"))
    assert (found.fixed, found.broken, found.p_value, found.changes) == (0, 0, 1.0, ())


def test_changes_by_pair_of_labels() -> None:
    truth = "hhsp"
    found = compare(pool(truth), made(truth, "hhph"), made(truth, "sshp"))
    rows = [(one.before, one.after, one.messages, one.fixed, one.broken) for one in found.changes]
    assert rows[0] == ("spam", "ham", 2, 2, 0)
    assert set(rows[1:]) == {("ham", "phishing", 1, 0, 0), ("phishing", "ham", 1, 0, 1)}


def test_pools_are_called_by_their_file_or_by_a_given_name() -> None:
    files = named_files(["data/notices.csv", "mine=x/y.csv", "two words.csv"])
    assert {name: str(path) for name, path in files.items()} == {
        "notices": "data/notices.csv", "mine": "x/y.csv", "two-words": "two words.csv",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a/one.csv", "b/one.csv"], "two pools are called 'one'"),
        (["a=x.csv", "a=y.csv"], "two pools are called 'a'"),
        (["a b=x.csv"], "the pool's name 'a b'"),
        (["=x.csv"], "the pool's name ''"),
        (["%.csv"], "makes no name"),
    ],
)
def test_names_that_will_not_do(arguments: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        named_files(arguments)


def test_a_pool_knows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a=b.csv"
    path.write_text("text,label\nhi,ham\n")
    (found,) = read_pools(named_files([str(path)]), ["ham"], Columns())
    assert (found.name, found.file, len(found.examples)) == ("a-b", "a=b.csv", 1)
    assert found.sha256 == hashlib.sha256(b"text,label\nhi,ham\n").hexdigest()
