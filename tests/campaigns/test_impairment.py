from __future__ import annotations

import pytest

from tests.campaigns.impairment import HELD_BACK, NONE, Impairment, Wire

PACKETS = 2_000
FRAME = 0.02


def arrivals(impairment: Impairment, seed: int = 7) -> list[list[float]]:
    """When the copies of packets come that are sent 20 ms apart, from time 0 on."""
    wire = Wire(impairment, seed)
    return [wire.carry(FRAME * number) for number in range(PACKETS)]


def test_a_good_wire_delivers_at_once() -> None:
    assert arrivals(NONE) == [[FRAME * number] for number in range(PACKETS)]


def test_the_same_seed_does_the_same_again() -> None:
    bad = Impairment(loss=0.1, jitter=0.05, reorder=0.1, duplicate=0.1)
    assert arrivals(bad) == arrivals(bad)
    assert arrivals(bad) != arrivals(bad, seed=8)


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.2, 1.0])
def test_loses_its_share(loss: float) -> None:
    lost = sum(not copies for copies in arrivals(Impairment(loss=loss)))
    assert lost == pytest.approx(loss * PACKETS, abs=0.02 * PACKETS)


def test_jitter_delays_within_its_bound_and_keeps_the_order() -> None:
    came = [copies[0] for copies in arrivals(Impairment(delay=0.1, jitter=0.05))]
    assert came == sorted(came)
    late = [at - FRAME * number for number, at in enumerate(came)]
    assert min(late) >= 0.1
    assert max(late) <= 0.15 + 1e-9
    assert max(late) - min(late) > 0.04


def test_reordering_lets_the_next_one_pass() -> None:
    came = [copies[0] for copies in arrivals(Impairment(reorder=0.1))]
    late = [number for number, at in enumerate(came) if at == FRAME * number + HELD_BACK]
    assert len(late) == pytest.approx(0.1 * PACKETS, abs=0.02 * PACKETS)
    assert any(came[number] > came[number + 1] for number in late if number + 1 < PACKETS)


def test_duplicates_come_twice() -> None:
    copies = [len(each) for each in arrivals(Impairment(duplicate=0.1))]
    assert set(copies) == {1, 2}
    assert copies.count(2) == pytest.approx(0.1 * PACKETS, abs=0.02 * PACKETS)


def test_one_impairment_leaves_the_others_draws_alone() -> None:
    lossy = arrivals(Impairment(loss=0.1))
    both = arrivals(Impairment(loss=0.1, duplicate=0.5))
    assert [not copies for copies in lossy] == [not copies for copies in both]


def test_a_wire_that_is_down_carries_nothing() -> None:
    wire = Wire(NONE, 1)
    wire.up = False
    assert wire.carry(0.0) == []
    wire.up = True
    assert wire.carry(1.0) == [1.0]
