"""A room is told who is heard: real browsers speak, and a client without media listens to the messages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.guests import Guests
from tests.browser.interface import Browser
from tests.browser.server import RelayServer

_PATIENCE = 20.0
_TONE = -40
"""In dBov, less than any browser says of the tone."""


async def test_chromium_is_heard(chromium: Chromium, guests: Guests, server: RelayServer) -> None:
    await _expect_levels(chromium, guests, server)


async def test_firefox_is_heard(firefox: Firefox, guests: Guests, server: RelayServer) -> None:
    await _expect_levels(firefox, guests, server)


async def _expect_levels(browser: Browser, guests: Guests, server: RelayServer) -> None:
    (ann,) = await guests.join(browser, "Ann")
    async with connect(f"{server.url.replace('http', 'ws')}/ws") as socket:
        await socket.send(json.dumps({"type": "join_room", "room": "lab", "name": "Ear"}))
        (listed,) = (await _next(socket, "room_joined"))["participants"]

        heard = await _level(socket, listed["participant_id"], speaking=True)
        assert _TONE < heard["level"] <= 0

        await ann.page.evaluate("() => { testbed.microphone.volume.gain.value = 0 }")
        await _level(socket, listed["participant_id"], speaking=False)

        await ann.page.evaluate("() => { testbed.microphone.volume.gain.value = 0.5 }")
        await _level(socket, listed["participant_id"], speaking=True)


async def _next(socket: ClientConnection, type: str) -> dict[str, Any]:
    async with asyncio.timeout(_PATIENCE):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == type:
                return message


async def _level(socket: ClientConnection, participant: str, *, speaking: bool) -> dict[str, Any]:
    """The next word of that participant which says so."""
    while True:
        message = await _next(socket, "audio_levels")
        for entry in message["levels"]:
            if entry["participant_id"] == participant and entry["speaking"] is speaking:
                return dict(entry)
