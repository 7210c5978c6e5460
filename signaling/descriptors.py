"""File descriptors: as many as the system lets a process have, and one sentence when they are all in use.

Every TCP connection takes one. When there is none left, asyncio cannot accept the next connection and tries
again every second, each time with a traceback in the log; what is connected already does not notice.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

QUIET_SECONDS = 60.0
"""Until the same is said again."""

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def raise_limit() -> int:
    """Let this process have as many descriptors as it may; how many that are."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class ExhaustionHandler:
    """An exception handler for an event loop, which says once a minute that connections cannot be
    accepted, and passes everything else on. clock: seconds of any steady clock. refused: called each
    time; count: how often it was so."""

    def __init__(self, clock: Callable[[], float], refused: Callable[[], object] = int) -> None:
        self.count = 0
        self._clock = clock
        self._refused = refused
        self._silent_until: float | None = None

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, ValueError) and "_start_serving" in context.get("message", ""):
            return  # asyncio's next try, after the socket was closed: the server stops
        exhausted = isinstance(error, OSError) and error.errno in _EXHAUSTED
        if not exhausted or "accept" not in context.get("message", ""):
            loop.default_exception_handler(context)
            return
        self.count += 1
        self._refused()
        now = self._clock()
        if self._silent_until is not None and now < self._silent_until:
            return
        self._silent_until = now + QUIET_SECONDS
        logger.warning(
            "no connection can be accepted: %s; who is connected stays so, and others are accepted as"
            " soon as somebody goes",
            error.strerror if isinstance(error, OSError) else error,
        )
