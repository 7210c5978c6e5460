"""When to ask for a lost packet, and when to send one again; the clock is turned by hand."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from relay.nack import (
    FORGET_AFTER,
    MAX_REMEMBERED,
    MAX_REQUESTS,
    MAX_RETRANSMISSIONS,
    RETRANSMISSION_BURST,
    RETRANSMISSION_RATE,
    SHORTEST_INTERVAL,
    UNKNOWN_ROUND_TRIP,
    NackGenerator,
    RetransmissionBudget,
)
from relay.stats import RetransmissionRefusal

SSRC = 7


def admit(
    budget: RetransmissionBudget, sequences: Iterable[int], now: float, rtt: float | None = None
) -> list[int]:
    return budget.admit(sequences, now, rtt)


def test_what_is_asked_for_is_sent() -> None:
    budget = RetransmissionBudget()
    assert admit(budget, [7, 9], 100.0) == [7, 9]
    assert not budget.refused


def test_a_packet_is_not_sent_while_it_may_still_arrive() -> None:
    budget = RetransmissionBudget()
    assert admit(budget, [7, 7], 100.0) == [7]
    assert admit(budget, [7], 100.0 + SHORTEST_INTERVAL / 2) == []
    assert admit(budget, [7], 100.0 + SHORTEST_INTERVAL) == [7]
    assert admit(budget, [7], 100.1, rtt=0.2) == []
    assert admit(budget, [7], 100.2, rtt=0.2) == [7]
    assert budget.refused == {RetransmissionRefusal.TOO_SOON: 3}


def test_a_packet_is_sent_so_often_and_no_more() -> None:
    budget = RetransmissionBudget()
    sent = [bool(admit(budget, [7], 100.0 + attempt * 0.1)) for attempt in range(10)]
    assert sent == [True] * MAX_RETRANSMISSIONS + [False] * (10 - MAX_RETRANSMISSIONS)
    assert budget.refused == {RetransmissionRefusal.TOO_OFTEN: 10 - MAX_RETRANSMISSIONS}
    # Much later the number is another packet's.
    assert admit(budget, [7], 101.0 + FORGET_AFTER) == [7]
    assert admit(budget, [7], 102.0 + FORGET_AFTER) == [7]


def test_the_budget_fills_up_again() -> None:
    budget = RetransmissionBudget()
    assert len(admit(budget, range(100), 100.0)) == RETRANSMISSION_BURST
    assert budget.refused == {RetransmissionRefusal.OVER_BUDGET: 100 - RETRANSMISSION_BURST}
    assert len(admit(budget, range(200, 300), 100.125)) == int(RETRANSMISSION_RATE * 0.125)
    assert len(admit(budget, range(300, 400), 1000.0)) == RETRANSMISSION_BURST


@given(
    st.lists(
        st.tuples(st.floats(0, 0.2), st.lists(st.integers(0, 400), max_size=300), st.floats(0, 1)),
        max_size=30,
    )
)
def test_no_consumer_gets_more_than_its_share(
    asked: list[tuple[float, list[int], float]],
) -> None:
    budget, now, sent, wanted = RetransmissionBudget(), 0.0, 0, 0
    for later, sequences, rtt in asked:
        now += later
        admitted = admit(budget, sequences, now, rtt)
        assert len(set(admitted)) == len(admitted)
        sent, wanted = sent + len(admitted), wanted + len(sequences)
        assert sent <= RETRANSMISSION_BURST + now * RETRANSMISSION_RATE + 1e-6
        assert sent + budget.refused.total() == wanted
        assert len(budget._sent) <= MAX_REMEMBERED


def test_a_publisher_is_asked_until_it_comes() -> None:
    nacks = NackGenerator()
    assert nacks.ask(SSRC, [7, 9], 100.0, 0.08) == [7, 9]
    assert nacks.due == 100.0 + 0.1
    assert nacks.ask(SSRC, [9], 100.05, 0.08) == []
    assert nacks.due == 100.0 + 0.1
    assert nacks.ask(SSRC, [9, 12], 100.11, 0.08) == [9, 12]
    assert nacks.ask(SSRC, [], 100.2, 0.08) == []
    assert nacks.due is None


def test_a_publisher_is_asked_so_often_and_no_more() -> None:
    nacks = NackGenerator()
    now, times = 100.0, 0
    while True:
        times += len(nacks.ask(SSRC, [7], now, None))
        if nacks.due is None:
            break
        assert nacks.due == now + UNKNOWN_ROUND_TRIP
        now = nacks.due
    assert times == MAX_REQUESTS
    assert nacks.ask(SSRC, [7], now + 1.0, None) == []


def test_the_least_interval() -> None:
    nacks = NackGenerator()
    nacks.ask(SSRC, [7], 100.0, 0.001)
    assert nacks.due == 100.0 + SHORTEST_INTERVAL


def test_another_source_has_numbers_of_its_own() -> None:
    nacks = NackGenerator()
    for _ in range(MAX_REQUESTS):
        nacks.ask(SSRC, [7], 100.0, None)
    assert nacks.ask(SSRC + 1, [7], 100.0, None) == [7]
