"""Timers that need no exact time, a thousand of them for the price of a few: they fire on a grid.

Every connection has something to do every few seconds: a consent check, a report. Each such timer of
its own wakes the event loop, and that costs more than what there is to do. Here all that falls due within
a step is done in one wake-up.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from heapq import heappop, heappush

logger = logging.getLogger(__name__)

STEP = 0.5
"""Seconds between the grid's points. Timers fire late by half of it on the average, and never early."""


class Timer:
    """One call that is due some time, unless it is cancelled."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Do not call, and let go of what would be called."""
        self._callback = None

    def fire(self) -> None:
        """Call, once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class TimerGrid:
    """Timers of one event loop, the running one. step: seconds between the grid's points. before: called
    ahead of those that fire, since the event loop is awake."""

    def __init__(self, step: float = STEP, before: Callable[[], None] = lambda: None) -> None:
        self.step = step
        self._before = before
        self._due: dict[int, list[Timer]] = {}
        self._points: list[int] = []  # a heap of the keys
        self._armed: asyncio.TimerHandle | None = None

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call at the first point of the grid that is at least `delay` seconds from now."""
        loop = asyncio.get_running_loop()
        point = math.ceil((loop.time() + delay) / self.step)
        timer = Timer(callback)
        if point in self._due:
            self._due[point].append(timer)
        else:
            self._due[point] = [timer]
            heappush(self._points, point)
            if self._points[0] == point:
                self._arm(loop)
        return timer

    def close(self) -> None:
        """Cancel every timer."""
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        self._due.clear()
        self._points.clear()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        if self._points:
            self._armed = loop.call_at(self._points[0] * self.step, self._fire)

    def _fire(self) -> None:
        self._armed = None
        if not self._points:
            return
        point = heappop(self._points)
        for call in (self._before, *(timer.fire for timer in self._due.pop(point))):
            try:
                call()
            except Exception:
                logger.exception("a timer met a fault")
        self._arm(asyncio.get_running_loop())
