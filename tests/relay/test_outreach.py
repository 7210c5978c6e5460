"""How many checks go to addresses that were only named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import outreach
from relay.outreach import Acquaintances, Outreach

VICTIM, OTHER = "203.0.113.7", "203.0.113.8"
PEER = (VICTIM, 5000)


def taken(budget: Outreach, host: str, now: float, times: int = 10_000) -> int:
    return sum(budget.take(host, now) for _ in range(times))


def test_one_host_gets_a_burst_and_then_a_rate() -> None:
    budget = Outreach()
    assert taken(budget, VICTIM, 0.0) == outreach.HOST_BURST
    assert taken(budget, VICTIM, 1.0) == outreach.HOST_RATE
    assert taken(budget, VICTIM, 1000.0) == outreach.HOST_BURST


def test_checks_to_one_host_take_nothing_from_others() -> None:
    budget = Outreach()
    assert taken(budget, VICTIM, 0.0, 100_000) == outreach.HOST_BURST
    assert budget.take(OTHER, 0.0)


def test_all_hosts_share_a_burst_and_a_rate() -> None:
    budget = Outreach()
    hosts = [f"10.{n >> 8}.{n & 255}.1" for n in range(10_000)]
    assert sum(budget.take(host, 0.0) for host in hosts) == outreach.BURST
    assert sum(budget.take(host, 1.0) for host in reversed(hosts)) == outreach.RATE
    assert len(budget) <= outreach.BURST + outreach.RATE


@pytest.mark.parametrize(
    ("one", "another", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("what the system says", "what the system says", True),
    ],
)
def test_what_counts_as_one_host(one: str, another: str, same: bool) -> None:
    budget = Outreach()
    taken(budget, one, 0.0)
    assert budget.take(another, 0.0) is not same


def test_hosts_are_forgotten_when_their_budget_is_whole_again() -> None:
    budget = Outreach()
    for number in range(100):
        assert budget.take(f"10.0.0.{number}", float(number))
    assert len(budget) <= 1 + outreach.HOST_BURST / outreach.HOST_RATE
    assert budget.take(VICTIM, 1000.0)
    assert len(budget) == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 20_000), st.integers(0, 300), st.floats(0, 0.1)), max_size=300
    )
)
def test_what_is_remembered_is_bounded(asked: list[tuple[int, int, float]]) -> None:
    budget, now, sent = Outreach(), 0.0, 0
    for number, times, passed in asked:
        now += passed
        for more in range(times):
            sent += budget.take(f"10.{number >> 8}.{number & 255}.{more & 255}", now)
    assert sent <= outreach.BURST + outreach.RATE * now + 1
    assert len(budget) <= sent


class TestAcquaintances:
    @pytest.fixture
    def spent(self) -> Outreach:
        """Nothing is left for who is only named."""
        budget = Outreach()
        taken(budget, VICTIM, 0.0)
        return budget

    def test_who_is_named_shares(self) -> None:
        mine, theirs = Acquaintances(budget := Outreach()), Acquaintances(budget)
        sent = sum(one.may_check(PEER, 0.0) for one in (mine, theirs) for _ in range(1000))
        assert sent == outreach.HOST_BURST

    def test_who_checks_is_checked(self, spent: Outreach) -> None:
        acquaintances = Acquaintances(spent)
        assert not acquaintances.may_check(PEER, 0.0)
        acquaintances.heard(PEER)
        sent = sum(acquaintances.may_check(PEER, 0.0) for _ in range(10))
        assert sent == outreach.PER_REQUEST
        assert not acquaintances.may_check((VICTIM, 5001), 0.0)

    def test_who_checks_for_long_is_not_checked_at_once(self, spent: Outreach) -> None:
        acquaintances = Acquaintances(spent)
        for _ in range(1000):
            acquaintances.heard(PEER)
        assert sum(acquaintances.may_check(PEER, 0.0) for _ in range(100)) == outreach.MAX_CREDIT

    def test_who_answers_is_free(self, spent: Outreach) -> None:
        acquaintances = Acquaintances(spent)
        acquaintances.answered(PEER)
        acquaintances.heard(PEER)
        assert all(acquaintances.may_check(PEER, 0.0) for _ in range(1000))
        acquaintances.forget(PEER)
        assert not acquaintances.may_check(PEER, 0.0)
