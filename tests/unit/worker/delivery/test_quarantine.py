"""Suspects run alone, piece by piece, those first at which the fewest workers ended; only the guilty is given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sluice.tasks.envelope import Message
from sluice.tasks.wire.entry import failure, prediction
from sluice.worker.delivery.patience import Interrupted
from sluice.worker.delivery.quarantine import MOST_ENDS, PIECE, Ends, Piece, Quarantine, plan
from sluice.worker.engine.mail import Alone, Begin, InFlightEnvelope, Outcome, Trial


def envelope(messages: int = 1, generation: int = 1) -> InFlightEnvelope:
    texts = [Message("text")] * messages
    return InFlightEnvelope("x", texts, single=False, bulk=False, arrived=0.0, generation=generation)


class Store:
    """What workers note of one envelope; it outlives them."""

    def __init__(self) -> None:
        self.ends: dict[Piece, int] = {}
        self.away = False

    def note_trial(self, envelope: InFlightEnvelope, piece: Piece, change: int) -> None:
        self.ends[piece] = self.ends.get(piece, 0) + change

    def forget_trials(self, envelope: InFlightEnvelope) -> None:
        self.ends.clear()


class Rig:
    """One worker's trials, with the batcher's inbox as a list."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()
        self.batcher: list[Any] = []
        self.generation = 1
        self.quarantine = Quarantine(self.store, self.patiently, self.batcher.append, lambda: self.generation)

    def patiently(self, action: Callable[[], Any]) -> Any:
        if self.store.away:
            raise Interrupted
        return action()

    def begun(self) -> Trial | None:
        """The trial that the batcher was told of, with the model free for it."""
        if not self.batcher:
            return None
        trial = self.batcher.pop()
        assert isinstance(trial, Trial)
        self.quarantine.alone(Alone(trial))
        assert self.batcher.pop() == Begin(trial)
        return trial


def answer(trial: Trial) -> None:
    trial.envelope.answers[trial.first : trial.end] = [prediction(None, "ham", 1.0, "m", "1")] * (
        trial.end - trial.first
    )


def given_up(outcomes: list[Outcome]) -> list[int]:
    return [index for outcome in outcomes for refs in outcome.refs for _, index in refs]


def test_suspects_run_one_at_a_time_those_with_the_fewest_ends_first() -> None:
    rig, guilty, first, second = Rig(), envelope(), envelope(), envelope()
    rig.quarantine.suspect(guilty, {(0, 1): 1})
    rig.quarantine.suspect(first, {})
    rig.quarantine.suspect(second, {})
    for expected in (first, second, guilty):
        assert rig.quarantine.go_on() == []
        trial = rig.begun()
        assert trial is not None
        assert trial.envelope is expected
        rig.quarantine.end(envelope())  # not the one on trial
        assert rig.quarantine.go_on() == []
        assert not rig.batcher
        answer(trial)
        rig.quarantine.end(expected)
    assert rig.quarantine.go_on() == []
    assert not rig.batcher


def test_what_is_answered_is_held_against_nobody() -> None:
    rig, one = Rig(), envelope(PIECE + 1)
    rig.quarantine.suspect(one, {})
    rig.quarantine.go_on()
    trial = rig.begun()
    assert trial == Trial(one, 0, PIECE)
    assert rig.store.ends == {(0, PIECE): 1}
    answer(trial)
    rig.quarantine.go_on()
    assert rig.store.ends == {(0, PIECE): 0}
    assert rig.begun() == Trial(one, PIECE, PIECE + 1)


def test_a_new_connection_ends_all_trials_of_the_old_one() -> None:
    rig, old, waiting, new = Rig(), envelope(), envelope(), envelope(generation=2)
    rig.quarantine.suspect(old, {})
    rig.quarantine.go_on()
    assert rig.begun() == Trial(old, 0, 1)
    rig.quarantine.suspect(waiting, {})
    rig.quarantine.suspect(new, {(0, 1): 1})
    rig.generation = 2
    rig.quarantine.go_on()
    assert rig.begun() == Trial(new, 0, 1)


def test_nothing_runs_whose_note_cannot_be_written() -> None:
    rig = Rig()
    rig.quarantine.suspect(envelope(), {})
    rig.quarantine.go_on()
    rig.store.away = True
    with pytest.raises(Interrupted):
        rig.quarantine.alone(Alone(rig.batcher.pop()))
    assert not rig.batcher


@pytest.mark.parametrize(("messages", "guilty"), [(1, {0}), (3, {1}), (256, {100}), (40, {0, 15, 16, 39}), (5, set())])
def test_workers_that_die_find_the_guilty_messages(messages: int, guilty: set[int]) -> None:
    """Each life of a worker tries the envelope anew, and ends with a guilty message in the model."""
    store = Store()
    for _ in range(12 * len(guilty) + 1):
        rig, one = Rig(store), envelope(messages)
        rig.quarantine.suspect(one, dict(store.ends))
        found: set[int] = set()
        while None in one.answers:
            for index in given_up(rig.quarantine.go_on()):
                found.add(index)
                one.answers[index] = failure(None, "too_many_deliveries", "")
            trial = rig.begun()
            if trial is None:
                continue
            if guilty & set(range(trial.first, trial.end)):
                break  # this worker is dead
            answer(trial)
        else:
            assert found == guilty
            return
    pytest.fail(f"not found: {store.ends}")


@pytest.mark.parametrize(
    ("ends", "pieces"),
    [
        ({}, [(0, 16), (16, 20)]),
        ({(0, 16): 9}, [(0, 8), (8, 16), (16, 20)]),
        ({(0, 16): 1, (8, 16): 1, (16, 20): 1, (18, 20): 1}, [(0, 8), (8, 12), (12, 16), (16, 18), (18, 19), (19, 20)]),
        ({(3, 4): MOST_ENDS}, [(0, 16), (16, 20)]),
    ],
)
def test_a_piece_is_halved_as_far_as_workers_ended_at_it(ends: Ends, pieces: list[Piece]) -> None:
    assert list(plan(20, ends)) == pieces
