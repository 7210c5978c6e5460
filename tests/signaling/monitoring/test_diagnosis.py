"""Bad calls and their causes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.monitoring.diagnosis import Call, Cause, Point, Strain, diagnose
from signaling.monitoring.quality import score


def _point(
    at: float,
    *,
    up: float = 0.0,
    down: float = 0.0,
    delay: float = 0.08,
    heard: bool = True,
    scored: bool = True,
) -> Point:
    sounded = score(1 - (1 - up) * (1 - down), delay)
    return Point(at, 10.0, "Bob", heard, sounded if scored else None, up, down, delay)


def _strain(at: float, busiest: float = 0.1, dropped: int = 0) -> Strain:
    return Strain(at, 10.0, busiest, dropped, 10_000)


GOOD = [_point(at) for at in (10.0, 20.0, 30.0, 40.0)]


@pytest.mark.parametrize(
    ("call", "cause", "share"),
    [
        (Call("Ada", GOOD), Cause.NONE, 0.0),
        (Call("Ada", []), Cause.UNKNOWN, 0.0),
        (Call("Ada", [_point(10.0, scored=False)]), Cause.UNKNOWN, 0.0),
        (Call("Ada", [*GOOD[:3], _point(40.0, down=0.1)]), Cause.DOWNLINK_LOSS, 0.25),
        (
            Call("Ada", [*GOOD[:2], _point(30.0, up=0.1), _point(40.0, up=0.2)]),
            Cause.UPLINK_LOSS,
            0.5,
        ),
        (Call("Ada", [_point(10.0, up=0.03, down=0.1)]), Cause.DOWNLINK_LOSS, 1.0),
        (Call("Ada", [_point(10.0, up=0.1, down=0.03)]), Cause.UPLINK_LOSS, 1.0),
        (Call("Ada", [_point(10.0, delay=0.5)]), Cause.DELAY, 1.0),
        (
            Call("Ada", [_point(10.0, down=0.1)], strains=[_strain(12.0, busiest=0.99)]),
            Cause.RELAY_OVERLOADED,
            1.0,
        ),
        (
            Call("Ada", [_point(10.0, down=0.1)], strains=[_strain(12.0, dropped=900)]),
            Cause.RELAY_OVERLOADED,
            1.0,
        ),
        (
            Call("Ada", [_point(100.0, down=0.1)], strains=[_strain(12.0, dropped=900)]),
            Cause.DOWNLINK_LOSS,
            1.0,
        ),
        (Call("Ada", [_point(10.0, down=0.1)], strains=[_strain(12.0)]), Cause.DOWNLINK_LOSS, 1.0),
        (
            Call("Ada", [*GOOD[:1], _point(20.0, down=0.3)], changes=[15.0]),
            Cause.NETWORK_CHANGE,
            0.5,
        ),
        (Call("Ada", [_point(90.0, down=0.3)], changes=[15.0]), Cause.DOWNLINK_LOSS, 1.0),
        (Call("Ada", GOOD, silences=[(40.0, 50.0)]), Cause.NETWORK_CHANGE, 0.2),
        (
            Call("Ada", [Point(10.0, 10.0, "Bob", True, 2.0, 0.0, 0.0, 0.05)]),
            Cause.UNKNOWN,
            1.0,
        ),
    ],
)
def test_the_likely_cause(call: Call, cause: Cause, share: float) -> None:
    diagnosis = diagnose(call)

    assert diagnosis.cause is cause
    assert diagnosis.bad_share == pytest.approx(share)
    assert "Ada" in diagnosis.summary or cause in (Cause.RELAY_OVERLOADED, Cause.DELAY)


def test_what_explains_most_comes_first() -> None:
    points = [_point(10.0, down=0.1), _point(20.0, up=0.2), _point(30.0, up=0.2), *GOOD[3:]]
    diagnosis = diagnose(Call("Ada", points))

    assert [each.cause for each in diagnosis.evidence] == [Cause.UPLINK_LOSS, Cause.DOWNLINK_LOSS]
    assert [each.share for each in diagnosis.evidence] == [0.5, 0.25]
    uplink = diagnosis.evidence[0]
    assert (uplink.begin, uplink.end) == (10.0, 30.0)
    assert uplink.figures == {"loss": 0.2, "worst_loss": 0.2, "speakers": 1, "seconds": 20.0}
    assert "heard Bob badly" in uplink.summary
    assert "20.0 %" in uplink.summary


def test_ones_own_voice() -> None:
    diagnosis = diagnose(Call("Ada", [_point(10.0, up=0.2, heard=False)]))

    assert diagnosis.cause is Cause.UPLINK_LOSS
    assert diagnosis.summary.startswith("The others heard Ada badly")


def test_of_several_voices_at_once_the_worst_counts() -> None:
    diagnosis = diagnose(Call("Ada", [_point(10.0, down=0.1), _point(10.2, up=0.5), _point(20.0)]))

    assert [each.cause for each in diagnosis.evidence] == [Cause.UPLINK_LOSS]
    assert diagnosis.bad_share == 0.5


SHARES = st.floats(0, 1)
POINTS = st.builds(
    Point,
    at=st.floats(0, 1e3),
    interval=st.floats(0.1, 60),
    speaker=st.just("Bob"),
    heard=st.booleans(),
    score=st.none() | st.floats(1, 4.5),
    loss_up=SHARES,
    loss_down=SHARES,
    delay=st.floats(0, 10),
)
STRAINS = st.builds(
    Strain,
    at=st.floats(0, 1e3),
    interval=st.floats(0.1, 60),
    busiest_thread=st.floats(0, 2),
    dropped=st.integers(0, 10**6),
    forwarded=st.integers(0, 10**6),
)


@given(
    st.lists(POINTS, max_size=20),
    st.lists(STRAINS, max_size=5),
    st.lists(st.floats(0, 1e3), max_size=3),
)
def test_any_call_has_a_cause(
    points: list[Point], strains: list[Strain], changes: list[float]
) -> None:
    diagnosis = diagnose(Call("Ada", points, strains, changes))

    assert 0 <= diagnosis.bad_share <= 1
    assert diagnosis.summary
    assert (diagnosis.cause in (Cause.NONE, Cause.UNKNOWN)) or diagnosis.evidence
