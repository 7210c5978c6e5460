"""What a bad network does to packets, drawn from a seed so that it does the same each time. Pure.

A `Wire` is one direction of a link. Time is an argument; what comes out is when each copy of a packet
arrives at the other end.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

HELD_BACK = 0.03
"""Seconds that a packet out of order comes late: behind the next one or two packets of sound."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """loss, reorder, duplicate: of packets, 0 to 1. delay, jitter: seconds; a packet takes `delay` and up
    to `jitter` more, in order."""

    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    reorder: float = 0.0
    duplicate: float = 0.0


NONE = Impairment()


class Wire:
    """One direction of a link. up: while false, nothing passes."""

    def __init__(self, impairment: Impairment, seed: int) -> None:
        self.impairment = impairment
        self.up = True
        self._random = random.Random(seed)
        self._latest = 0.0

    def carry(self, now: float) -> list[float]:
        """When the copies of a packet arrive that was sent `now`; empty for one that is lost."""
        impairment, draw = self.impairment, self._random.random
        # Every packet takes as many random numbers, so that one impairment does not change another.
        lost, late, twice, share = draw(), draw(), draw(), draw()
        if not self.up or lost < impairment.loss:
            return []
        arrival = now + impairment.delay + impairment.jitter * share
        if late < impairment.reorder:
            arrival += HELD_BACK
        else:
            arrival = self._latest = max(arrival, self._latest)
        return [arrival, arrival] if twice < impairment.duplicate else [arrival]
