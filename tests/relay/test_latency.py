"""The histogram against sorted lists."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.latency import BUCKETS_PER_OCTAVE, SMALLEST, LatencyHistogram

LARGEST = 1.0  # seconds; beyond, all durations share a bucket
WIDTH = 2 ** (1 / BUCKETS_PER_OCTAVE)

durations = st.floats(SMALLEST, LARGEST)


def histogram_of(*seconds: float) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for duration in seconds:
        histogram.add(duration)
    return histogram


def test_nothing_measured() -> None:
    summary = LatencyHistogram().summary()
    assert (summary.count, summary.mean, summary.median, summary.p99, summary.maximum) == (0,) * 5


def test_one_duration_is_its_own_quantile() -> None:
    summary = histogram_of(0.003).summary()
    assert summary.count == 1
    assert summary.mean == summary.median == summary.p99 == summary.maximum == 0.003


@given(st.lists(durations, min_size=1), st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_at_most_a_bucket_above_the_true_one(
    seconds: list[float], fraction: float
) -> None:
    true = sorted(seconds)[max(0, math.ceil(fraction * len(seconds)) - 1)]
    told = histogram_of(*seconds).quantile(fraction)
    assert true * (1 - 1e-9) <= told <= true * WIDTH * (1 + 1e-9)


@given(st.lists(durations, min_size=1))
def test_summary(seconds: list[float]) -> None:
    summary = histogram_of(*seconds).summary()
    assert summary.count == len(seconds)
    assert summary.mean == pytest.approx(math.fsum(seconds) / len(seconds))
    assert summary.maximum == max(seconds)
    assert summary.median <= summary.p99 <= summary.maximum


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-12, SMALLEST, 2.0, 1e9])
def test_what_lies_outside_of_the_buckets_counts_too(seconds: float) -> None:
    summary = histogram_of(seconds).summary()
    assert summary.count == 1
    assert summary.mean == seconds
    assert summary.p99 <= max(seconds, SMALLEST * WIDTH)
