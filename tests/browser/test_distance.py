"""A relay behind an announced address, far away: both ends measure the same round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.browser.chromium import Chromium
from tests.browser.guests import Guests
from tests.browser.interface import script
from tests.browser.proof import expect_all_hear_each_other
from tests.browser.server import HOST, RelayServer
from tests.browser.slow_link import SlowLink
from tests.browser.waiting import eventually

_ANNOUNCED = "127.0.0.2"
_DELAY = 0.04
_ROUND_TRIP = 2 * _DELAY
"""Seconds."""


@pytest_asyncio.fixture(loop_scope="session")
async def server(artifacts: Path) -> AsyncIterator[RelayServer]:
    """In the place of the usual one."""
    server = RelayServer(artifacts / "server.log", f"--announce={_ANNOUNCED}")
    await server.start()
    link = SlowLink((_ANNOUNCED, server.media_port), (HOST, server.media_port), _DELAY)
    yield server
    link.close()
    await server.stop()


async def test_both_ends_measure_the_same_round_trip(
    chromium: Chromium, guests: Guests, server: RelayServer
) -> None:
    participants = [
        await guests.arrive(chromium, name, preload=[script("withhold-candidates.js")])
        for name in ("Ann", "Ben")
    ]
    for each in participants:
        await each.join()
    await expect_all_hear_each_other(participants)
    ann, _ = participants

    async def round_trips() -> list[float | None]:
        browser = [connection.round_trip_time for connection in await ann.connections()]
        publisher, consumer = await ann.relay_statistics()
        return [*browser, publisher["roundTripTime"], consumer["roundTripTime"]]

    await eventually(round_trips, _agree, what="both ends measure the link's round trip")
    for connection in await ann.connections():
        assert connection.remote_addresses == {(_ANNOUNCED, server.media_port)}


def _agree(round_trips: list[float | None]) -> bool:
    """Of two connections, at both ends each: none shorter than the wire, none twice as long."""
    known = [each for each in round_trips if each is not None]
    return len(known) == 4 and all(_ROUND_TRIP <= each < 2 * _ROUND_TRIP for each in known)
