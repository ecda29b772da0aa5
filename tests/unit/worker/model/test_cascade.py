"""Two models in a row: whose answer stands, the same bits in any batch, and plans that are refused."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings as hypothesis_settings, strategies as st
from transformers import PreTrainedTokenizerFast

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.calibrate import measure
from sluice.worker.model.cascade import Cascade
from sluice.worker.model.golden import golden_texts
from sluice.worker.model.huggingface import load_huggingface
from sluice.worker.model.loader import load
from sluice.worker.model.torch_classifier import TorchClassifier
from tests.unit.worker.model.architectures import expected, make
from tests.unit.worker.model.conftest import SENTENCES, Settings, make_tokenizer

LABELS = {0: "ham", 1: "spam", 2: "phishing"}
SURE = 0.6
PLAN = {"first": "../small", "then": "../large", "sure": {"ham": SURE}}
WORDS = " ".join(SENTENCES[:5]).split()


def save_member(folder: Path, kind: str, seed: int, pieces: int, labels: dict[int, str] | None = None) -> None:
    """A model with decided opinions of all kinds, and a tokenizer of its own."""
    tokenizer = make_tokenizer(pieces)
    model = make(kind, seed, vocab_size=tokenizer.get_vocab_size(), id2label=labels or LABELS)
    logits = expected(model, [encoding.ids for encoding in tokenizer.encode_batch(texts(40, seed))])
    with torch.no_grad():
        scale = 3 / logits.std(dim=0).mean()
        model.classifier.weight.mul_(scale)
        model.classifier.bias.sub_(logits.mean(dim=0)).mul_(scale)
    model.save_pretrained(str(folder))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        str(folder)
    )


def save_plan(folder: Path, cascade: Any, **card: Any) -> Settings:
    """A folder that is nothing but a plan, and the settings that name it."""
    folder.mkdir(exist_ok=True)
    (folder / "sluice.json").write_text(json.dumps({"cascade": cascade, **card}))
    return Settings(str(folder))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cascade")
    save_member(root / "small", "bert", 5, 120)
    save_member(root / "large", "mean_bert", 6, 45)
    save_plan(root / "both", PLAN, name="pair", version="3", author="a", last_training="d")
    return root


@pytest.fixture(scope="module")
def cascade(folders: Path) -> Cascade:
    loaded = load(Settings(str(folders / "both")))
    assert isinstance(loaded, Cascade)
    return loaded


@pytest.fixture(scope="module")
def members(folders: Path) -> tuple[TorchClassifier, TorchClassifier]:
    small, large = (load_huggingface(str(folders / name), Settings()) for name in ("small", "large"))
    return small, large


def texts(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for _ in range(count)]


def test_the_first_answers_where_it_is_sure_of_ham_and_the_second_everything_else(
    cascade: Cascade, members: tuple[TorchClassifier, TorchClassifier]
) -> None:
    some = texts(60)
    small, large = (one.forward(one.encode(some)) for one in members)
    before = cascade.answered, cascade.sent_on
    found = cascade.forward(cascade.encode(some))
    assert found == [mine if mine[0] >= SURE else theirs for mine, theirs in zip(small, large, strict=True)]
    sent_on = sum(mine[0] < SURE for mine in small)
    assert 10 < sent_on < 50
    assert any(max(mine[1:]) >= SURE for mine in small)  # sure of a bad one, which the second must judge all the same
    assert (cascade.answered, cascade.sent_on) == (before[0] + 60, before[1] + sent_on)


@hypothesis_settings(max_examples=15, deadline=None, derandomize=True)
@given(size=st.integers(1, 100), seed=st.integers(0, 999))
def test_neighbours_and_places_change_no_bit(cascade: Cascade, size: int, seed: int) -> None:
    batch = cascade.encode(texts(size, seed))
    together = cascade.forward(batch)
    rng = random.Random(seed)
    for row in rng.sample(range(size), min(size, 5)):
        assert cascade.forward([batch[row]]) == [together[row]]
    order = rng.sample(range(size), size)
    assert cascade.forward([batch[row] for row in order]) == [together[row] for row in order]


def test_ids_carry_both_models_tokens_and_cost_no_more_than_the_longer(
    cascade: Cascade, members: tuple[TorchClassifier, TorchClassifier]
) -> None:
    some = [*texts(20), "", "ok", "a text 🙂 of letters that no vocabulary knows"]
    ids = cascade.encode(some)
    small, large = (one.encode(some) for one in members)
    assert [len(row) for row in ids] == [max(map(len, pair)) for pair in zip(small, large, strict=True)]
    assert any(len(mine) != len(theirs) for mine, theirs in zip(small, large, strict=True))
    assert all(0 <= number < 2**63 for row in ids for number in row)


def test_texts_that_read_alike_for_one_model_only_are_told_apart(tmp_path: Path) -> None:
    save_member(tmp_path / "small", "bert", 5, 120)
    save_member(tmp_path / "large", "bert", 6, 120)
    blind = json.loads((tmp_path / "small" / "tokenizer.json").read_text())
    vocabulary = blind["model"]["vocab"]
    vocabulary["another"] = vocabulary.pop("z")
    (tmp_path / "small" / "tokenizer.json").write_text(json.dumps(blind))
    both = load(save_plan(tmp_path / "both", PLAN))
    small = load_huggingface(str(tmp_path / "small"), Settings())
    assert small.encode(["z"]) == small.encode(["🙂"])
    assert both.encode(["z"]) != both.encode(["🙂"])


def test_it_says_what_it_is(cascade: Cascade, folders: Path) -> None:
    info = cascade.info
    assert (info.name, info.version, info.author, info.last_training) == ("pair", "3", "a", "d")
    assert info.architecture == "small unknown then large unknown"
    assert (cascade.labels, cascade.device, cascade.padded) == (("ham", "spam", "phishing"), "cpu", False)
    assert cascade.precision == "float32"
    small = load_huggingface(str(folders / "small"), Settings(precision="bf16"))
    large = load_huggingface(str(folders / "large"), Settings(packed=False))
    mixed = Cascade(small, large, SURE, info)
    assert (mixed.precision, mixed.padded) == ("bfloat16 then float32", True)


def test_the_cost_is_that_of_the_share_of_golden_messages_sent_on(
    cascade: Cascade, members: tuple[TorchClassifier, TorchClassifier], caplog: pytest.LogCaptureFixture
) -> None:
    small, large = members
    rows = small.forward(small.encode(golden_texts()))
    share = sum(row[0] < SURE for row in rows) / len(rows)
    with caplog.at_level(logging.INFO):
        cascade.warm_up(8)
    assert f"pair reckons with {share:.0%} of messages sent on" in caplog.messages
    sizes: list[int] = []
    run = large.forward

    def counted(batch: Sequence[list[int]]) -> list[list[float]]:
        sizes.append(len(batch))
        return run(batch)

    spied = Cascade(small, large, SURE, cascade.info)
    large.forward = counted  # type: ignore[method-assign]
    try:
        batch = spied.encode(texts(50))
        spied.forward_as_expected(batch)
        spied.warm_up(8)
        sizes.clear()
        spied.forward_as_expected(batch)
    finally:
        large.forward = run  # type: ignore[method-assign]
    assert sizes == [pytest.approx(50 * share, abs=1)]
    before = cascade.answered
    cost = measure(cascade, 4, budget_s=0.2)
    assert cost.seconds(100) > 0
    assert cascade.answered == before


def test_errors_of_either_model_are_told_apart(cascade: Cascade) -> None:
    full, lost = RuntimeError("CUDA out of memory"), RuntimeError("CUDA error: an illegal memory access")
    assert [cascade.is_out_of_memory(error) for error in (full, lost, ValueError())] == [True, False, False]
    assert [cascade.is_fatal(error) for error in (full, lost, ValueError())] == [False, True, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first": "../nowhere"}, "names no model folder as first"),
        ({"then": 3}, "names no model folder as then"),
        ({"sure": 0.9}, "needs sure for ham alone"),
        ({"sure": {"ham": 0.9, "spam": 0.9}}, "needs sure for ham alone"),
        ({"sure": {"phishing": 0.9}}, "needs sure for ham alone"),
        ({"sure": {"ham": "0.9"}}, "needs sure.ham over 0.5"),
        ({"sure": {"ham": True}}, "needs sure.ham over 0.5"),
        ({"sure": {"ham": 0.5}}, "needs sure.ham over 0.5"),
        ({"sure": {"ham": 1.1}}, "needs sure.ham over 0.5"),
        ({"third": "../small"}, "and nothing else"),
        ({"then": "../other"}, "joins labels ham, spam, phishing with ham, phishing, spam"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(
    folders: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    for name in ("small", "large"):
        (tmp_path / name).symlink_to(folders / name)
    save_member(tmp_path / "other", "bert", 7, 120, {0: "ham", 1: "phishing", 2: "spam"})
    with pytest.raises(ModelUnavailable, match=r"^The cascade of [^\n]*SLUICE_MODEL[^\n]*$") as error:
        load(save_plan(tmp_path / "both", {**PLAN, **change}))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"thresholds": {"spam": {"flag": 0.3, "block": 0.9}}}, "needs sure.ham over 0.7 for it"),
        ({"thresholds": {"phishing": {"block": 0.4}}}, "needs sure.ham over 0.6 for it"),
        ({"temperature": 1.5}, "has a temperature of its own"),
    ],
)
def test_a_plan_by_which_the_first_alone_would_be_acted_on_is_refused(
    folders: Path, tmp_path: Path, card: dict[str, Any], words: str
) -> None:
    for name in ("small", "large"):
        (tmp_path / name).symlink_to(folders / name)
    with pytest.raises(ModelUnavailable, match=r"^The cascade of [^\n]*SLUICE_MODEL[^\n]*$") as error:
        load(save_plan(tmp_path / "both", PLAN, **card))
    assert words in str(error.value)


def test_models_without_ham_are_refused_and_so_is_a_plan_that_is_none(tmp_path: Path) -> None:
    for name in ("small", "large"):
        save_member(tmp_path / name, "bert", 5, 120, {0: "good", 1: "spam", 2: "phishing"})
    with pytest.raises(ModelUnavailable, match="without the label ham"):
        load(save_plan(tmp_path / "both", PLAN))
    with pytest.raises(ModelUnavailable, match="needs first, then and sure"):
        load(save_plan(tmp_path / "both", []))


def test_the_workers_status_counts_what_was_sent_on(cascade: Cascade) -> None:
    from sluice.config.settings import read
    from sluice.tasks.app import make_celery
    from sluice.worker.consumer.waker import Waker
    from sluice.worker.engine.capacity import Capacity
    from sluice.worker.model.calibrate import Cost
    from sluice.worker.pipeline import Pipeline

    settings = read(broker_url="redis://127.0.0.1:1/0")
    capacity = Capacity(settings, cascade, Cost(0.001, 0.0001), 1, 0, 64, 0.1)
    pipeline = Pipeline(
        make_celery(settings),
        capacity,
        "w",
        waker=Waker(None, lambda: None),  # type: ignore[arg-type]  # nobody wakes
        revoked=lambda envelope: None,
        held=lambda: 0,
        answered=lambda: None,
        on_death=print,
    )
    cascade.forward(cascade.encode(texts(30)))
    assert pipeline.status().to_json()["cascade"] == {"answered": cascade.answered, "sent_on": cascade.sent_on}
    assert 0 < cascade.sent_on < cascade.answered
