"""An event loop whose time flies: where it would wait for a timer, the clock jumps there, and `GRAIN` at
least, so that timers are late as on a busy machine. A connection that looks for a path has a timer each 20
ms; without the grain nearly all of an input's time would go there."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

from .target import BrokenRule

MAX_TURNS = 20_000
TURNS_PER_SECOND = 1_000
"""Turns of the loop for one input, and for each second that it lets pass; code that needs more goes round
in circles."""

GRAIN = 0.1
"""Seconds that a jump has at least."""

TURN = 1e-6
"""Seconds that a turn takes. On a clock that stands still while code runs, what is due in less than it can
tell would be put off for ever: after some million seconds that is any timer's last nanosecond."""


class _Selector(selectors.SelectSelector):
    """Never waits; what it would have waited is added to the clock."""

    now = 0.0
    began = 0.0
    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # Alone in it is the loop's pipe to itself, for threads and signals, which there are none of.
        found = super().select(0) if len(self.get_map()) > 1 else []
        self.turns += 1
        passed = self.now - self.began
        if self.turns > MAX_TURNS + TURNS_PER_SECOND * passed:
            self.turns = 0
            raise BrokenRule(f"the event loop turned too often in {passed:.3f} s")
        if not found:
            if timeout is None:
                raise BrokenRule("everything waits, and for nothing that has a time")
            self.now += max(timeout, GRAIN) if timeout else 0
        self.now += TURN
        return found


class FlyingLoop(asyncio.SelectorEventLoop):
    """What happened in a callback and was caught by the loop is raised by `play`."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)
        self._faults: list[str] = []
        self.set_exception_handler(self._keep_fault)

    def time(self) -> float:
        """Seconds of a time that flies."""
        return self._clock.now

    def play(self, course: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine to its end, and nothing may be left of it then."""
        self._clock.turns, self._clock.began = 0, self._clock.now
        self._faults.clear()
        self.run_until_complete(course())
        left = asyncio.all_tasks(self)
        for task in left:
            task.cancel()
        if left:
            self.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            raise BrokenRule(f"left running: {left}")
        if self._faults:
            raise BrokenRule("the event loop met: " + "; ".join(self._faults))

    def _keep_fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._faults.append(repr(context))
