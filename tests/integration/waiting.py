"""Waiting for what announces itself by no event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 20.0
"""Seconds for what takes milliseconds, on a machine that is busy otherwise."""


async def eventually(condition: Callable[[], bool]) -> None:
    """Look again and again until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - counters have no events
            await asyncio.sleep(0.002)
