"""What emits events: through pyee, on the event loop.

Handlers may be functions or coroutine functions. One that raises is logged, and harms neither the relay nor
other handlers.
"""

from __future__ import annotations

import logging

from pyee.asyncio import AsyncIOEventEmitter

logger = logging.getLogger(__name__)


class Emitter(AsyncIOEventEmitter):
    """Emits events to those who listen."""

    def __init__(self) -> None:
        super().__init__()
        self.on("error", _log_fault)

    def silence(self) -> None:
        """Emit nothing more. Handlers that are coroutines may still run."""
        self.remove_all_listeners()
        self.on("error", _log_fault)


def _log_fault(fault: Exception) -> None:
    """Take what pyee makes of a handler that raised; it would raise it again if nobody did."""
    logger.error("an event handler raised", exc_info=fault)
