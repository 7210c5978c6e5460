"""A histogram of durations: bounded memory, whatever comes, and quantiles within a few percent."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .stats import ForwardLatency

BUCKETS_PER_OCTAVE = 8
SMALLEST = 1e-6
"""Seconds. Shorter durations count as this; the last bucket begins at about one second."""

_BUCKETS = 20 * BUCKETS_PER_OCTAVE + 1


class LatencyHistogram:
    """Durations in buckets whose bounds grow by a tenth each."""

    __slots__ = ("_buckets", "_count", "_maximum", "_sum")

    def __init__(self) -> None:
        self._buckets = [0] * _BUCKETS
        self._count = 0
        self._sum = 0.0
        self._maximum = 0.0

    @classmethod
    def of(cls, buckets: Sequence[int], total: float, maximum: float) -> LatencyHistogram:
        """A histogram that somebody else counted. total, maximum: in seconds."""
        histogram = cls()
        histogram._buckets = list(buckets)
        histogram._count = sum(buckets)
        histogram._sum = total
        histogram._maximum = maximum
        return histogram

    def add(self, seconds: float) -> None:
        """Count one duration."""
        ratio = seconds / SMALLEST
        bucket = int(math.log2(ratio) * BUCKETS_PER_OCTAVE) if ratio > 1.0 else 0
        self._buckets[min(bucket, _BUCKETS - 1)] += 1
        self._count += 1
        self._sum += seconds
        self._maximum = max(self._maximum, seconds)

    def quantile(self, fraction: float) -> float:
        """The duration, in seconds, that `fraction` of all stay under; 0 when there are none."""
        wanted = fraction * self._count
        seen = 0
        for bucket, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                upper = SMALLEST * 2 ** ((bucket + 1) / BUCKETS_PER_OCTAVE)
                return min(upper, self._maximum)
        return 0.0

    def summary(self) -> ForwardLatency:
        """What is known so far."""
        return ForwardLatency(
            count=self._count,
            mean=self._sum / self._count if self._count else 0.0,
            median=self.quantile(0.5),
            p99=self.quantile(0.99),
            maximum=self._maximum,
        )
