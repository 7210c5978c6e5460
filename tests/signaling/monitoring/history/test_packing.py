"""What is packed comes out as it went in, nearly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.monitoring.history.packing import (
    pack,
    summarize,
    unpack_records,
    unpack_window,
)
from signaling.monitoring.meters import Quality
from signaling.monitoring.sampler import ParticipantSample
from tests.signaling.monitoring.history.course import quality, sample


def _maybe(strategy: st.SearchStrategy[float]) -> st.SearchStrategy[float | None]:
    return st.none() | strategy


QUALITIES = st.builds(
    Quality,
    at=st.just(100.0),
    interval=st.floats(0.1, 60),
    loss=_maybe(st.floats(0, 1)),
    jitter=_maybe(st.floats(0, 6.5)),
    round_trip_time=_maybe(st.floats(0, 6.5)),
    bitrate=st.floats(0, 1e6),
    packets=st.integers(1, 60_000),
    gaps=st.none() | st.integers(0, 250),
    score=_maybe(st.floats(1, 4.5)),
)


@given(QUALITIES)
def test_a_connection_comes_out_as_it_went_in(quality: Quality) -> None:
    sample = ParticipantSample("a", "ada", {"x": quality})
    window = summarize(sample)
    assert window is not None
    ((number, got),) = unpack_records(100.0, pack(window, sample, lambda id: 7))

    assert number == 7
    assert got.at == 100.0
    assert got.packets == quality.packets
    assert got.gaps == quality.gaps
    assert got.interval == pytest.approx(quality.interval, abs=0.051)
    assert got.bitrate == pytest.approx(quality.bitrate, abs=8.1)
    _near(got.loss, quality.loss, 1e-5)
    _near(got.jitter, quality.jitter, 6e-5)
    _near(got.round_trip_time, quality.round_trip_time, 6e-5)
    _near(got.score, quality.score, 0.007)


def _near(got: float | None, expected: float | None, tolerance: float) -> None:
    assert (got is None) == (expected is None)
    if got is not None and expected is not None:
        assert got == pytest.approx(expected, abs=tolerance)


@given(QUALITIES, st.integers(2**16, 2**40), st.floats(7, 1e9))
def test_what_is_too_large_becomes_the_largest(
    quality: Quality, packets: int, seconds: float
) -> None:
    large = Quality(100.0, 1e9, 2.0, seconds, seconds, 1e12, packets, packets, 9.0)
    sample = ParticipantSample("a", "ada", {"x": large, "y": quality})
    window = summarize(sample)
    assert window is not None
    found = dict(unpack_records(100.0, pack(window, sample, {"x": 0, "y": 1}.get)))

    assert found[0].loss == 1.0
    assert found[0].score == 4.5
    assert found[0].packets == 0xFFFF
    assert found[0].gaps == 0xFE
    assert len(found) == 2


def test_the_head_has_the_means() -> None:
    both = sample(
        "a", "ada", quality(9, 4.0, 0.1), bob=quality(9, 2.0, 0.2), cyd=quality(9, 3.0, 0)
    )
    window = summarize(both)
    assert window is not None
    got = unpack_window(9.0, pack(window, both, lambda id: None))

    assert got.sent_score == pytest.approx(4.0, abs=0.01)
    assert got.heard_score == pytest.approx(2.5, abs=0.01)
    assert got.heard_worst == pytest.approx(2.0, abs=0.01)
    assert got.worst == pytest.approx(2.5, abs=0.01)
    assert got.loss_up == pytest.approx(0.1, abs=1e-4)
    assert got.loss_down == pytest.approx(0.1, abs=1e-4)


def test_nothing_to_say() -> None:
    assert summarize(ParticipantSample("a", "ada")) is None
    silent = sample("a", "ada", quality(9, None, None, packets=0))
    window = summarize(silent)
    assert window is not None
    assert window.worst is None
    assert list(unpack_records(9.0, pack(window, silent, lambda id: 0))) == []


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02" + bytes(30)])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="version"):
        unpack_window(0.0, data)
    with pytest.raises(ValueError, match="version"):
        list(unpack_records(0.0, data))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        records = list(unpack_records(0.0, data))
    except ValueError:
        return
    for _, got in records:
        assert got.loss is None or 0 <= got.loss <= 1
        assert got.score is None or 1 <= got.score <= 4.5
