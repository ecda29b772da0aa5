"""The batch former, as a pure function of lengths, ages and lanes."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings, strategies as st

from sluice.worker.engine.batching.former import BULK_SHARE, WINDOW_BATCHES, BatchFormer, Limits


@dataclass(eq=False)
class Sms:
    tokens: int
    arrived: float = 0.0
    bulk: bool = False


def filled(limits: Limits, messages: list[Sms]) -> BatchFormer[Sms]:
    former: BatchFormer[Sms] = BatchFormer(limits)
    for message in messages:
        former.add(message)
    return former


messages = st.lists(st.builds(Sms, tokens=st.integers(1, 96), bulk=st.booleans()), min_size=1, max_size=300)
limits = st.builds(
    Limits,
    messages=st.integers(1, 64),
    tokens=st.one_of(st.just(0), st.integers(96, 4000)),
    padded=st.booleans(),
    overhead_tokens=st.floats(0, 500),
)


@given(messages, limits)
@settings(max_examples=200, deadline=None)
def test_every_message_leaves_once_and_no_batch_is_over_its_limits(given_messages: list[Sms], limits: Limits) -> None:
    for position, message in enumerate(given_messages):
        message.arrived = float(position)
    former = filled(limits, given_messages)
    seen: list[int] = []
    while len(former):
        batch = former.take(now=1e6)
        assert 1 <= len(batch) <= limits.messages
        longest = max(message.tokens for message in batch)
        cost = longest * len(batch) if limits.padded else sum(message.tokens for message in batch)
        assert not limits.tokens or cost <= limits.tokens
        seen += map(id, batch)
    assert sorted(seen) == sorted(map(id, given_messages))


def test_what_is_put_back_goes_first_again_in_its_lane() -> None:
    urgent, bulk = [Sms(1), Sms(1)], [Sms(1, bulk=True) for _ in range(4)]
    former = filled(Limits(messages=3, tokens=3, padded=False), bulk)
    taken = former.take(now=0.0)
    assert taken == bulk[:3]
    former.add(urgent[1])
    former.put_back([*taken[:2], urgent[0], taken[2]])
    assert former.full()
    assert former.take(now=0.0) == [*urgent, bulk[0]]
    assert former.take(now=0.0) == bulk[1:]
    assert (len(former), former.full(), former.oldest()) == (0, False, None)


@given(st.lists(st.integers(1, 96), min_size=1, max_size=200))
@settings(max_examples=100, deadline=None)
def test_the_oldest_message_is_always_in_the_next_batch(lengths: list[int]) -> None:
    waiting = [Sms(tokens, float(position)) for position, tokens in enumerate(lengths)]
    former = filled(Limits(messages=8, padded=True), waiting)
    while len(former):
        oldest = min(former, key=lambda message: message.arrived)
        assert oldest in former.take(now=1e6)


@given(
    st.lists(st.builds(Sms, tokens=st.integers(1, 96), bulk=st.booleans()), min_size=1, max_size=120),
    st.integers(1, 24),
    st.sampled_from([0, 96, 300]),
)
@settings(max_examples=100, deadline=None)
def test_overdue_bulk_messages_are_in_one_batch_of_so_many(waiting: list[Sms], most: int, tokens: int) -> None:
    """Whatever the lengths: a bulk message waits for a bounded number of batches, interactive ones get the most."""
    for padded in (False, True):
        former = filled(Limits(messages=most, tokens=tokens, padded=padded, bulk_patience_s=1.0), waiting)
        passed = 0
        while former.waiting(bulk=True):
            for _ in range(most):
                former.add(Sms(10, 10.0))
            oldest = next(message for message in former if message.bulk)
            batch = former.take(now=10.0)
            passed = 0 if oldest in batch else passed + 1
            assert passed < (BULK_SHARE if padded else 1)
            if not padded and most >= BULK_SHARE:
                bulk = [message.tokens for message in batch if message.bulk]
                assert len(bulk) <= most // BULK_SHARE
                assert len(bulk) == 1 or not tokens or sum(bulk) <= tokens // BULK_SHARE


@given(
    st.lists(st.builds(Sms, tokens=st.integers(1, 96)), min_size=1, max_size=40),
    st.integers(1, 12),
    st.sampled_from([0, 96, 200]),
    st.floats(0, 300),
)
@settings(max_examples=200, deadline=None)
def test_no_run_of_neighbours_is_cheaper_than_the_one_taken(
    waiting: list[Sms], most: int, tokens: int, overhead: float
) -> None:
    chosen = filled(Limits(most, tokens, True, overhead), waiting).take(0)
    order = sorted(waiting[: most * WINDOW_BATCHES], key=lambda message: message.tokens)

    def cost(run: list[Sms]) -> float:
        longest = max(message.tokens for message in run)
        return (max(1.0, overhead) + longest * len(run)) / sum(message.tokens for message in run)

    def allowed(run: list[Sms]) -> bool:
        longest = max(message.tokens for message in run)
        return waiting[0] in run and (len(run) == 1 or not tokens or longest * len(run) <= tokens)

    runs = [order[i:j] for i in range(len(order)) for j in range(i + 1, min(i + most, len(order)) + 1)]
    assert cost(chosen) <= min(cost(run) for run in runs if allowed(run)) + 1e-9


def test_cutting_looks_at_the_batch_and_not_at_all_that_waits() -> None:
    """Counted, not timed: how many messages the former asks anything of."""
    asked = 0

    class Watched(Sms):
        @property
        def tokens(self) -> int:
            nonlocal asked
            asked += 1
            return 10

        @tokens.setter
        def tokens(self, value: int) -> None:
            pass

    for padded, window in ((False, 1), (True, WINDOW_BATCHES)):
        former = filled(Limits(messages=8, padded=padded), [Watched(10, float(i)) for i in range(20_000)])
        asked = 0
        assert len(former.take(0)) == 8
        assert 0 < asked <= 8 * window * 6


def test_a_message_can_be_taken_out_by_itself() -> None:
    waiting = [Sms(5, bulk=True), Sms(6), Sms(7)]
    former = filled(Limits(messages=2, tokens=14, padded=False), waiting)
    former.remove(waiting[1])
    assert list(former) == [waiting[2], waiting[0]]
    assert (former.waiting(bulk=True), former.waiting(bulk=False)) == (1, 1)
    former.remove(waiting[0])
    assert not former.full()


def test_a_padded_batch_is_made_of_neighbours_in_length() -> None:
    waiting = [Sms(90 if position % 2 else 10, float(position)) for position in range(64)]
    former = filled(Limits(messages=32, padded=True), waiting)
    assert {message.tokens for message in former.take(0)} == {10}
    assert {message.tokens for message in former.take(0)} == {90}


def test_without_padding_the_oldest_go_first_whatever_their_length() -> None:
    waiting = [Sms(tokens, float(position)) for position, tokens in enumerate([5, 90, 7, 60, 5])]
    former = filled(Limits(messages=3, padded=False), waiting)
    assert former.take(0) == waiting[:3]


def test_a_dear_batch_takes_longer_neighbours_than_a_cheap_one() -> None:
    lengths = [10, 12, 14, 16, 60]
    cheap = filled(Limits(messages=8, overhead_tokens=0), [Sms(n) for n in lengths]).take(0)
    dear = filled(Limits(messages=8, overhead_tokens=10_000), [Sms(n) for n in lengths]).take(0)
    assert len(cheap) < len(dear) == 5


def test_interactive_messages_go_before_bulk_ones() -> None:
    bulk = [Sms(10, 0.0, bulk=True) for _ in range(10)]
    interactive = [Sms(10, 0.5) for _ in range(4)]
    former = filled(Limits(messages=4, padded=False), bulk + interactive)
    assert former.take(now=0.6) == interactive
    assert former.take(now=0.6) == bulk[:4]


def test_neither_lane_starves() -> None:
    for padded in (True, False):
        limits = Limits(messages=8, padded=padded, bulk_patience_s=1.0)
        former = filled(limits, [Sms(80, 0.0, bulk=True) for _ in range(100)])
        served = {True: 0, False: 0}
        for turn in range(64):
            for _ in range(8):
                former.add(Sms(10, 10.0 + turn))
            for message in former.take(now=10.0 + turn):
                served[message.bulk] += 1
        assert served[True] >= 8, "overdue bulk messages wait for ever"
        assert served[False] >= 64 * 8 * 0.6, "bulk takes more than its share"


def test_the_window_bounds_how_far_a_batch_looks() -> None:
    limits = Limits(messages=4, padded=True)
    waiting = [Sms(50, float(position)) for position in range(4 * WINDOW_BATCHES)] + [Sms(51, 1e3)] * 1
    batch = filled(limits, waiting).take(0)
    assert waiting[-1] not in batch


def test_full_by_count_and_by_tokens() -> None:
    former = filled(Limits(messages=4, tokens=100, padded=False), [Sms(40), Sms(40)])
    assert not former.full()
    former.add(Sms(20))
    assert former.full()
    assert filled(Limits(messages=2), [Sms(1), Sms(1)]).full()


def test_discard_takes_out_and_returns() -> None:
    waiting = [Sms(n) for n in range(1, 7)]
    former = filled(Limits(messages=10), waiting)
    assert former.discard(lambda message: message.tokens % 2 == 0) == [waiting[1], waiting[3], waiting[5]]
    assert list(former) == [waiting[0], waiting[2], waiting[4]]
    assert former.take_oldest(2) == [waiting[0], waiting[2]]


def test_an_empty_former_has_no_batch_and_no_oldest() -> None:
    former: BatchFormer[Sms] = BatchFormer(Limits(messages=4))
    assert former.take(0) == []
    assert former.oldest() is None
    assert not former.full()
