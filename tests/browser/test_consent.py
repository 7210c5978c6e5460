"""Consent to get media (RFC 7675), for longer than it lasts without an answer: the browser answers the
relay's checks, and the relay's media plane those of the browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.browser.chromium import Chromium
from tests.browser.guests import Guests
from tests.browser.reports import ConnectionReport
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually

_PLANES = ("native", "python")
_PACKETS = 42 * 50
"""42 seconds: consent expires after 30 without an answer, Chromium gives a pair up after 15."""

_PROMPT = 0.5
"""Seconds, generous: what waited for a timer of the relay's would show."""


@pytest_asyncio.fixture(loop_scope="session")
async def rooms(artifacts: Path) -> AsyncIterator[list[Guests]]:
    """Who is with a server of each media plane."""
    servers = [
        RelayServer(artifacts / f"{plane}.log", f"--media-plane={plane}") for plane in _PLANES
    ]
    guests = [Guests(server) for server in servers]
    await asyncio.gather(*(server.start() for server in servers))
    yield guests
    for each in guests:
        await each.close()
    await asyncio.gather(*(server.stop() for server in servers))


async def test_outlasts_its_expiry(chromium: Chromium, rooms: list[Guests]) -> None:
    joined = await asyncio.gather(*(room.join(chromium, "Ann", "Ben") for room in rooms))
    people = [each for room in joined for each in room]

    async def reports() -> list[ConnectionReport]:
        return [report for each in people for report in await each.connections()]

    await eventually(
        reports,
        lambda found: min(map(_packets, found)) >= _PACKETS,
        what=f"{_PACKETS} packets of each voice",
        patience=120,
    )
    found = await reports()
    assert len(found) == 2 * len(people)
    for report in found:
        assert report.round_trip_time is not None
        assert 0 <= report.round_trip_time < _PROMPT


def _packets(report: ConnectionReport) -> int:
    if report.inbound is not None:
        return int(report.inbound["packetsReceived"])
    return 0 if report.outbound is None else int(report.outbound["packetsSent"])
