"""A listener whose link loses packets, with an independent WebRTC stack: seen live, kept, and explained."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCPeerConnection
from websockets.asyncio.client import connect

from signaling.config import Config
from signaling.monitoring import sampler
from signaling.monitoring.history import writer
from signaling.service import Service
from tests.signaling.sockets import Client
from tests.signaling.test_media import _consume, _peer, _publish, loopback_candidates

assert loopback_candidates  # a fixture

LOST_EACH = 6
"""One packet of so many is lost."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds are one."""
    monkeypatch.setattr(sampler, "INTERVAL", 1.0)
    monkeypatch.setattr(sampler, "LIVE_INTERVAL", 0.5)
    monkeypatch.setattr(writer, "LINGER", 0.05)


@contextlib.asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[Service]:
    config = Config(port=0, media_host=("127.0.0.1",), media_port=0, history=folder / "history.db")
    service = Service(config, "1.2.3")
    await service.start()
    try:
        yield service
    finally:
        await service.close()


@contextlib.asynccontextmanager
async def _client(service: Service) -> AsyncIterator[Client]:
    async with connect(service.url.replace("http", "ws", 1) + "ws") as socket:
        yield Client(socket)


async def _get(service: Service, path: str) -> Any:
    def get() -> Any:
        try:
            with urllib.request.urlopen(f"{service.url}api/v1/{path}", timeout=30) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            error.close()
            return None

    return await asyncio.to_thread(get)


def _lose(peer: RTCPeerConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a link lose packets on their way to a peer."""
    (transceiver,) = peer.getTransceivers()
    transport = transceiver.receiver.transport
    take, came = transport._handle_rtp_data, 0

    async def sometimes(data: bytes, arrival_time_ms: int) -> None:
        nonlocal came
        came += 1
        if came % LOST_EACH:
            await take(data, arrival_time_ms)

    monkeypatch.setattr(transport, "_handle_rtp_data", sometimes)


async def test_the_listeners_own_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        _running(tmp_path) as service,
        _client(service) as ada,
        _client(service) as bob,
        _peer() as speaks,
        _peer() as hears,
    ):
        await ada.join(name="Ada")
        await bob.join(name="Bob")
        await _publish(ada, speaks)
        news = await bob.wait_for(type="new_publisher")
        await _consume(bob, hears, news["publisher_id"])
        _lose(hears, monkeypatch)

        up, down = await _live_when_lossy(service)
        assert up["loss"] is not None
        assert up["loss"] < 0.05
        assert down["loss"] == pytest.approx(1 / LOST_EACH, abs=0.12)
        assert down["score"] < up["score"]

        found = await _diagnosis(service, bob.id)
        assert found["cause"] == "downlink_loss", found
        assert "heard the others badly" in found["summary"]
        assert (await _get(service, f"history/participations/{ada.id}/diagnosis"))["name"] == "Ada"


async def _live_when_lossy(service: Service) -> tuple[Any, Any]:
    """The speaker's and the listener's figures, once reports have told of loss."""
    async with asyncio.timeout(60):
        while True:
            live = await _get(service, "live")
            (room,) = live["rooms"]
            ada, bob = room["participants"]
            (down,) = bob["consumers"]
            if (down["loss"] or 0) > 0.08 and down["score"] and ada["publisher"]["score"]:
                return ada["publisher"], down
            await asyncio.sleep(0.2)


async def _diagnosis(service: Service, participation: str) -> Any:
    """What the history says, once it has some seconds of it."""
    found: Any = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while found is None or found["cause"] in ("none", "unknown"):
                await asyncio.sleep(0.3)
                found = await _get(service, f"history/participations/{participation}/diagnosis")
    return found
