"""What a fuzz target is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DATAGRAM = 1500
"""Bytes: longer ones never come to a parser (`relay/udp.py`)."""


class BrokenRule(AssertionError):
    """An input made the code break a rule that it has to keep."""


def require(holds: object, rule: str) -> None:
    """Raise BrokenRule unless a rule holds."""
    if not holds:
        raise BrokenRule(rule)


@dataclass(frozen=True, slots=True)
class Target:
    """One way in.

    run: feeds an input to the code; raises when something is wrong that an error of that layer is not.
    seeds: valid inputs to begin with. max_length: bytes of an input. course: whether inputs are sequences
    of steps (`course.py`).
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    max_length: int = DATAGRAM
    course: bool = False
