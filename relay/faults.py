"""What is said of things that go wrong again and again: the first of a kind at once, then sums.

A system that refuses to send does so a thousand times a second. It is all counted (`RelayStats`); the log
gets a line for the first, and from then on one a minute and kind, with how many there were. No line holds
an address.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

REPEAT_INTERVAL = 60.0
"""Seconds between two lines on the same kind."""


class Fault(NamedTuple):
    """A kind of fault. action: what did not work; error: the name of the system's error, or nothing."""

    action: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is to be said. count: how many there were, in the last `seconds` (None: they are the first)."""

    fault: Fault
    count: int
    seconds: float | None

    def __str__(self) -> str:
        reason = (
            f": {self.fault.error} ({error_text(self.fault.error)})" if self.fault.error else ""
        )
        since = "" if self.seconds is None else f" in {self.seconds:.0f} s"
        return f"{self.fault.action}{reason}; {self.count} times{since}"


class Complaints:
    """Which faults to speak of. interval: seconds between two lines on the same kind."""

    def __init__(self, interval: float = REPEAT_INTERVAL) -> None:
        self._interval = interval
        self._told: dict[Fault, tuple[int, float]] = {}  # how many, and when

    def due(self, totals: Mapping[Fault, int], now: float) -> list[Complaint]:
        """What to say now. totals: of each kind since the start; now: seconds on any steady clock."""
        complaints = []
        for fault, total in totals.items():
            count, at = self._told.get(fault, (0, None))
            if total <= count or (at is not None and now - at < self._interval):
                continue
            complaints.append(Complaint(fault, total - count, None if at is None else now - at))
            self._told[fault] = total, now
        return complaints


def error_name(number: int) -> str:
    """The name of a system's error; a number stands for itself."""
    return errno.errorcode.get(number, f"error {number}")


def error_text(name: str) -> str:
    """What the system says to an error, by its name."""
    number = getattr(errno, name, None)
    return os.strerror(number) if isinstance(number, int) else "unknown"
