"""Inputs that are courses of events: steps, each an operation and its argument.

    | operation, 1 byte | length of the argument, 2 bytes | argument |  and so on

Every string of bytes is a course: a last step that was cut off has what is left of it. Plain changes of
bytes would break the framing most of the time, so `mutate` changes whole steps as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Step = tuple[int, bytes]

MAX_STEPS = 48
"""Of one course; the rest is not looked at."""

_HEAD = 3


def join(steps: Sequence[Step]) -> bytes:
    """The bytes of a course."""
    return b"".join(
        bytes((operation,)) + len(argument).to_bytes(2, "big") + argument
        for operation, argument in steps
    )


def split(data: bytes) -> list[Step]:
    """The steps of a course."""
    steps: list[Step] = []
    position = 0
    while position + _HEAD <= len(data) and len(steps) < MAX_STEPS:
        end = position + _HEAD + int.from_bytes(data[position + 1 : position + _HEAD], "big")
        steps.append((data[position], data[position + _HEAD : end]))
        position = end
    return steps


def mutate(
    data: bytes, max_length: int, seed: int, mutate_bytes: Callable[[bytes, int], bytes]
) -> bytes:
    """Another course: a step's argument changed by `mutate_bytes(argument, most bytes)`, or its operation,
    or a step doubled, moved, left out; more than one of those now and then."""
    dice = random.Random(seed)
    steps = split(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        _change(steps, dice, mutate_bytes)
    while steps and len(join(steps)) > max_length:
        steps.pop(dice.randrange(len(steps)))
    return join(steps)


def _change(
    steps: list[Step], dice: random.Random, mutate_bytes: Callable[[bytes, int], bytes]
) -> None:
    if not steps:
        steps.append((dice.randrange(256), b""))
    at = dice.randrange(len(steps))
    operation, argument = steps[at]
    match dice.randrange(8):
        case 0:
            steps[at] = (dice.randrange(256), argument)
        case 1:
            steps.insert(dice.randrange(len(steps) + 1), steps[at])
        case 2:
            steps.pop(at)
        case 3:
            steps.insert(dice.randrange(len(steps)), steps.pop(at))
        case _:
            longest = min(max(16, 2 * len(argument)), 0xFFFF)
            steps[at] = (operation, mutate_bytes(argument, longest)[:longest])


class Reader:
    """Takes an argument apart; what is not there any more reads as zero."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0] if self._position < len(self._data) else 0

    def number(self, size: int) -> int:
        """The next number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        """The next bytes, as many as there are."""
        taken = self._data[self._position : self._position + size]
        self._position += size
        return taken

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(len(self._data))
