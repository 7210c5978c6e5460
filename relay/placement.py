"""Which of the media plane's threads carries whom.

The publishers of one room share a thread, its home: the one with the least to do when the room began.
Consumers go to their publisher's thread as long as it has not much more to do than the others; the
rest are spread, so that a room may be larger than one thread carries. A packet that crosses to another
thread costs a copy there, however many consumers it has, so a room is not torn apart without need.
"""

from __future__ import annotations

from collections.abc import Hashable

SPREAD_FROM = 200
"""Consumers that a room's thread may carry more than the idlest before new ones go there."""


class Placement:
    """How many connections each thread has, and where each room lives."""

    def __init__(self, threads: int) -> None:
        self._load = [0] * threads
        self._rooms: dict[Hashable, list[int]] = {}  # room -> [thread, publishers]

    def place_publisher(self, room: Hashable) -> int:
        """The thread for one more publisher of `room`; None is a room of its own each time."""
        home = self._rooms.get(room) if room is not None else None
        thread = home[0] if home else self._idlest()
        if room is not None:
            self._rooms.setdefault(room, [thread, 0])[1] += 1
        self._load[thread] += 1
        return thread

    def place_consumer(self, home: int) -> int:
        """The thread for one more consumer of a publisher on thread `home`."""
        idlest = self._idlest()
        thread = idlest if self._load[home] - self._load[idlest] >= SPREAD_FROM else home
        self._load[thread] += 1
        return thread

    def release(self, thread: int, room: Hashable = None) -> bool:
        """A connection on `thread` ended; room: the publisher's. Whether that was the last of its room."""
        self._load[thread] -= 1
        if room not in self._rooms:
            return False
        self._rooms[room][1] -= 1
        if self._rooms[room][1]:
            return False
        del self._rooms[room]
        return True

    def _idlest(self) -> int:
        return min(range(len(self._load)), key=self._load.__getitem__)
