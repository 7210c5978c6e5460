"""What tests of monitoring share: a relay's counters that a test sets, and answers as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from relay import ForwardLatency, RelayStats
from signaling.monitoring.api import Api
from signaling.monitoring.load import LoadMeter
from signaling.monitoring.metrics import Now
from signaling.site import Page

NO_LATENCY = ForwardLatency(0, 0.0, 0.0, 0.0, 0.0)


def relay_stats(**figures: Any) -> RelayStats:
    """A relay's counters; what is not given is zero."""
    names = "publishers consumers bound_addresses datagrams_received rtp_packets_received packets_forwarded"
    zeros: dict[str, Any] = dict.fromkeys(names.split(), 0)
    return RelayStats(**(zeros | {"forward_latency": NO_LATENCY} | figures))


async def ask(api: Api, target: str, authorization: str | None = None) -> tuple[int, Any]:
    """The status of an answer, and its JSON."""
    page = await api.respond("GET", target, authorization)
    return page.status.value, json.loads(page.body)


def header(page: Page, name: str) -> str | None:
    """A header's value."""
    return dict(page.headers).get(name)


async def until(condition: Callable[[], bool], limit: float = 60.0) -> None:
    """Wait for a condition. limit: seconds, generous for a busy machine."""
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


def now(**figures: Any) -> Now:
    """What a scrape finds; what is not given is nothing."""
    stats = figures.pop("relay", relay_stats())
    nothing: dict[str, Any] = {
        "version": "1.2.3",
        "media_plane": "python",
        "rooms": 0,
        "participants": 0,
        "waiting": 0,
        "relay": stats,
        "load": LoadMeter(lambda: stats).read(),
        "history": {},
        "webhooks": {},
    }
    return Now(**(nothing | figures))
