"""The model in this process: every text answered once, with what the model says, and no thread left behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from sluice.backfill.clients.base import ClassifierClient
from sluice.backfill.run.stop import Stop, Stopped
from sluice.cli.backfill.local import LocalClient
from sluice.config.settings import Settings, read
from sluice.tasks.errors import ModelUnavailable
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.wire.entry import Entry, fault_of, prediction_of
from sluice.worker.model.loader import load
from sluice.worker.model.simulated import SimulatedClassifier

POISON, FATAL, HOLD = "POISON", "FATAL", "HOLD"
SIMULATED = f"simulated:?batch_ms=1&message_us=0&poison={POISON}&fatal={FATAL}&slow={HOLD}&slow_ms=1000"
WAIT_S = 20.0


def settings(**more: object) -> Settings:
    return read(**{"model": SIMULATED, "max_batch_size": 16, **more})


def local(stop: Stop | None = None, *, options: PredictionOptions = LABEL_ONLY, **more: object) -> LocalClient:
    return LocalClient(settings(**more), stop or Stop(), options)


def numbered(count: int, name: str = "text") -> list[str]:
    return [f"{name} {number} for somebody" for number in range(count)]


def answers(client: ClassifierClient, envelopes: Mapping[str, Sequence[str]]) -> dict[str, list[Entry]]:
    """Send all envelopes; the entries of each in order of its texts. Fails if one comes twice or none comes."""
    for name, texts in envelopes.items():
        client.send(name, texts)
    found: dict[str, dict[int, Entry]] = {name: {} for name in envelopes}
    ends = time.monotonic() + WAIT_S
    while any(len(found[name]) < len(texts) for name, texts in envelopes.items()):
        assert time.monotonic() < ends, "some texts were never answered"
        for name, pairs in client.receive(0.25):
            for index, entry in pairs:
                assert index not in found[name], "answered twice"
                found[name][index] = entry
    return {name: [found[name][index] for index in range(len(texts))] for name, texts in envelopes.items()}


def names_of_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_every_text_of_every_envelope_gets_what_the_model_says() -> None:
    envelopes = {f"e{number}": numbered(7 + 10 * number, f"of {number}") for number in range(5)}
    classifier = load(settings())
    with local() as client:
        found = answers(client, envelopes)
        assert client.labels() == ["ham", "spam", "phishing"]
        assert client.version() == ("simulated", "1")
    for name, texts in envelopes.items():
        rows = classifier.forward(classifier.encode(texts))
        assert [entry["probability"] for entry in map(prediction_of, found[name])] == [max(row) for row in rows]
        assert [entry["label"] for entry in map(prediction_of, found[name])] == [
            classifier.labels[row.index(max(row))] for row in rows
        ]


def test_batches_are_cut_over_several_envelopes(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    forward = SimulatedClassifier.forward

    def noted(classifier: SimulatedClassifier, batch: Sequence[list[int]]) -> list[list[float]]:
        sizes.append(len(batch))
        return forward(classifier, batch)

    monkeypatch.setattr(SimulatedClassifier, "forward", noted)
    with local() as client:
        sizes.clear()
        held = {"first": [f"{HOLD} it", *numbered(15)]}
        answers(client, {**held, **{f"e{number}": numbered(4, f"of {number}") for number in range(8)}})
    assert sum(sizes) == 48
    assert max(sizes) == 16
    assert len(sizes) <= 5


@pytest.mark.slow
def test_the_shipped_model_answers_as_it_does_alone() -> None:
    shipped = read(precision="fp32")  # `auto` measures anew at each load, and may choose otherwise
    texts = ["On my way home, do we need milk?", "Casino welcome bonus: 200 free spins, no deposit. Play now!"]
    texts += numbered(200)
    classifier = load(shipped)
    rows = classifier.forward(classifier.encode(texts))
    with LocalClient(shipped, Stop(), PredictionOptions(scores=True)) as client:
        entries = answers(client, {"one": texts[:150], "two": texts[150:]})
    found = [prediction_of(entry) for entry in entries["one"] + entries["two"]]
    assert [entry["label"] for entry in found[:2]] == ["ham", "spam"]
    for entry, row in zip(found, rows, strict=True):
        assert list(entry["scores"]) == list(classifier.labels)
        assert list(entry["scores"].values()) == pytest.approx(row, abs=1e-5)
        assert entry["probability"] == max(entry["scores"].values())


def test_a_bad_text_spoils_only_itself() -> None:
    texts = numbered(40)
    texts[11] = f"{POISON} here"
    texts[30] = "x" * 200
    with local(max_text_chars=100, options=PredictionOptions(scores=True)) as client:
        found = answers(client, {"one": texts})["one"]
    assert fault_of(found[11])["code"] == "model_failed"
    assert fault_of(found[30])["code"] == "invalid_input"
    assert "100" in fault_of(found[30])["message"]
    assert all("label" in entry for index, entry in enumerate(found) if index not in (11, 30))


def test_scores_come_on_request_only() -> None:
    with local() as client:
        assert "scores" not in answers(client, {"one": ["hello"]})["one"][0]
    with local(options=PredictionOptions(scores=True)) as client:
        entry = prediction_of(answers(client, {"one": ["hello"]})["one"][0])
    assert set(entry["scores"]) == {"ham", "spam", "phishing"}
    assert entry["scores"][entry["label"]] == entry["probability"]


def test_what_is_given_up_does_not_run() -> None:
    with local(max_batch_size=4) as client:
        begun = [f"{HOLD} on", *numbered(15)]
        client.send("begun", begun)
        client.send("given up", numbered(50, "unwanted"))
        client.abandon(["given up"])
        client.send("after", numbered(50, "wanted"))
        counts: Counter[str] = Counter()
        while counts["after"] < 50:
            counts.update({name: len(pairs) for name, pairs in client.receive(WAIT_S)})
    assert counts == {"begun": 16, "after": 50}


def test_a_lost_device_reaches_whoever_waits_or_sends() -> None:
    before = names_of_threads()
    with local() as client:
        client.send("one", [f"{FATAL} word"])
        with pytest.raises(ModelUnavailable, match="device is lost"):
            client.receive(WAIT_S)
        with pytest.raises(ModelUnavailable):
            client.send("two", ["too late"])
    assert names_of_threads() == before


def test_no_thread_is_left_though_texts_wait() -> None:
    before = names_of_threads()
    with local() as client:
        client.send("one", numbered(5_000))
        assert {"sluice-batcher", "sluice-encoder", "sluice-model"} <= names_of_threads()
    assert names_of_threads() == before


def test_a_stop_ends_the_wait_for_answers() -> None:
    stop = Stop()
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        stop.install()
        with local(stop) as client:
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with pytest.raises(Stopped):
                client.receive(WAIT_S)
            timer.join()
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def test_a_model_that_cannot_be_had_is_named_on_entry() -> None:
    with pytest.raises(ModelUnavailable, match="nowhere"), local(model="/nowhere/at/all"):
        pass
