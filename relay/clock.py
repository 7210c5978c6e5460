"""Two clocks: the one on the wall, which may be set at any moment, and the steady one.

How old a datagram is by its time stamp tells `StampClock`. Time stamps are of the clock on the wall
(`SO_TIMESTAMPNS`; there are no others), and that is stepped: by an administrator, by NTP, by a virtual
machine that wakes up. What came before a step would look old, or from the future, and latency and jitter
with it. So each look compares this clock with the steady one: where they have moved apart since the look
before, nothing is known of the age, and it counts as none.

What sender reports tell is `wall_time`, which no step moves.
"""

from __future__ import annotations

import time

_AHEAD = time.time() - time.monotonic()

TOLERANCE = 0.005
"""Seconds that the clocks may move apart between two looks without a step: a thread may wait in between."""

DRIFT = 0.001
"""And so much for each second: NTP slews by up to half of it."""


def wall_time(now: float) -> float:
    """Unix seconds of an instant on the monotonic clock, had nobody set the clock on the wall since the
    program began. A round trip (RFC 3550 §6.4.1: between two of these times) stays true over a step, and
    so does how receivers map timestamps to times."""
    return now + _AHEAD


class StampClock:
    """Watches the clock on the wall for one socket."""

    __slots__ = ("_at", "_offset")

    def __init__(self) -> None:
        self._offset: float | None = None
        self._at = 0.0

    def age(self, real: float, monotonic: float, stamp: float) -> float:
        """Seconds since `stamp`; 0 when that is in the future, or when the clock was stepped since the last
        look. real, monotonic: both clocks now, in seconds."""
        offset = real - monotonic
        stepped = False
        if self._offset is not None:
            allowed = TOLERANCE + DRIFT * max(0.0, monotonic - self._at)
            stepped = abs(offset - self._offset) > allowed
        self._offset, self._at = offset, monotonic
        return 0.0 if stepped else max(0.0, real - stamp)
