"""Audio levels: what a browser says of each packet's loudness (RFC 6464), added up as energy. Pure.

    |V| level (7 bits) |   V: voice activity; level: 0 loud to 127 silent, in -dBov

Decibels cannot be added up: a short word between pieces of digital silence (127) would come out as a
murmur. Their powers can, as integers in fixed point, so that both media planes come to the same to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

SILENCE = -127
"""In dBov, what RFC 6464 §3 calls digital silence."""

FULL_SCALE = 1 << 45
"""The power of 0 dBov in fixed point: -127 dBov is 7.02 of it, near enough to a whole number."""

POWER = tuple(round(FULL_SCALE * 10 ** (-level / 10)) for level in range(128))
"""The power of each level, 0 to 127 in -dBov; `native/levels.c` has the same."""

ENERGY_MASK = (1 << 64) - 1
"""Sums of powers count modulo 2**64, which is hours of the loudest: only differences mean anything."""


def mean_level(energy: int, packets: int) -> int:
    """The level of the mean power, in dBov from -127 to 0. energy: sum of powers of so many packets,
    at least one."""
    if energy <= 0:
        return SILENCE
    return max(SILENCE, min(0, round(10 * math.log10(energy / (packets * FULL_SCALE)))))


class LevelMeter:
    """How loud a voice was since the meter was last read. read: the energy and the number of packets so
    far; None before there is a voice."""

    __slots__ = ("_count", "_energy", "_read")

    def __init__(self, read: Callable[[], tuple[int, int] | None]) -> None:
        self._read = read
        self._energy = self._count = 0

    def take(self) -> int | None:
        """The mean power in dBov from -127 to 0; None when there was nothing to hear."""
        now = self._read()
        if now is None:
            return None
        energy, count = self._energy, self._count
        self._energy, self._count = now
        if self._count == count:
            return None
        return mean_level((self._energy - energy) & ENERGY_MASK, self._count - count)
