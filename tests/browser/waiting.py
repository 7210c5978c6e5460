"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds. Far above what anything here needs on an idle machine; a busy one is no fault of ours."""
_INTERVAL = 0.05


async def eventually(
    probe: Callable[[], Awaitable[T]],
    accept: Callable[[T], bool] = bool,
    *,
    what: str,
    patience: float = PATIENCE,
) -> T:
    """Probes until the result is accepted, and returns it.

    Raises AssertionError with the last result once `patience` seconds have passed.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while not accept(result := await probe()):
        if loop.time() > deadline:
            raise AssertionError(f"not within {patience:g} s: {what}; last seen: {result!r}")
        await asyncio.sleep(_INTERVAL)
    return result
