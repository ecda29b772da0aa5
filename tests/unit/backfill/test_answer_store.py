"""The store of answers: found for the version that answers now, over restarts, never in the way."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from sluice.backfill.answer_store import LOOKUP, AnswerStore, digest_of
from sluice.tasks.errors import UnwritableOutput
from sluice.tasks.wire.entry import prediction_of
from tests.unit.backfill.fakes import entry_for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.sqlite"


def kept(path: Path, *texts: str, version: str = "1") -> AnswerStore:
    store = AnswerStore(path)
    store.keep((digest_of(text), row, prediction_of(entry_for(text, version))) for row, text in enumerate(texts))
    return store


def test_what_was_kept_is_found_with_its_scores_and_verdict(path: Path) -> None:
    store = kept(path, "a", "b")
    assert store.find([digest_of("a"), digest_of("c")]) == {digest_of("a"): (entry_for("a"), 0)}


def test_a_full_lookup_finds_all(path: Path) -> None:
    texts = [f"text {i}" for i in range(LOOKUP)]
    store = kept(path, *texts)
    assert len(store.find([digest_of(text) for text in texts])) == LOOKUP


def test_nothing_is_found_before_the_version_is_known(path: Path) -> None:
    first = kept(path, "a")
    first.commit()
    first.close()
    store = AnswerStore(path)
    assert store.find([digest_of("a")]) == {}
    store.serve("fake", "2")
    assert store.find([digest_of("a")]) == {}
    store.serve("fake", "1")
    assert store.find([digest_of("a")]) == {digest_of("a"): (entry_for("a"), 0)}


def test_what_was_not_committed_is_gone(path: Path) -> None:
    kept(path, "a").close()
    store = AnswerStore(path)
    store.serve("fake", "1")
    assert store.find([digest_of("a")]) == {}


@pytest.mark.parametrize("content", [b"not a database at all, but longer than a header" * 40, b""])
def test_a_broken_store_is_begun_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert kept(path, "a").find([digest_of("a")])


def test_the_store_holds_no_text(path: Path) -> None:
    store = kept(path, "a text like no other")
    store.commit()
    store.close()
    assert all(b"like no other" not in one.read_bytes() for one in path.parent.iterdir())


def test_a_full_disk_is_no_reason_to_forget_answers(path: Path) -> None:
    answers = AnswerStore(path)
    answers.keep([(digest_of("a"), 0, prediction_of(entry_for("a")))])
    answers.commit()
    answers.close()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(UnwritableOutput):
            AnswerStore(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    answers = AnswerStore(path)
    answers.serve("fake", "1")
    assert digest_of("a") in answers.find([digest_of("a")])
    answers.close()
