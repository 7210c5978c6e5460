"""The whole way with an independent WebRTC stack: aiortc answers our offers over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import AudioFrame

from tests.hosts import gather_only
from tests.signaling.lab import answer
from tests.signaling.sockets import PATIENCE, Client, Message, Service, client, running, until

PACKETS = 10


@pytest.fixture(autouse=True)
def loopback_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """aioice leaves the loopback address out."""
    gather_only(monkeypatch, "127.0.0.1")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running() as service:
        yield service


@contextlib.asynccontextmanager
async def _peer() -> AsyncIterator[RTCPeerConnection]:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        yield peer
    finally:
        await peer.close()


async def _answer(
    peer: RTCPeerConnection, offer: Message, track: MediaStreamTrack | None = None
) -> Message:
    await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
    if track is not None:
        (transceiver,) = peer.getTransceivers()
        transceiver.direction = "sendonly"
        transceiver.sender.replaceTrack(track)
    await peer.setLocalDescription(await peer.createAnswer())
    return {"type": peer.localDescription.type, "sdp": peer.localDescription.sdp}


async def _publish(client: Client, peer: RTCPeerConnection) -> Message:
    created = await client.ask("create_publisher")
    answer = await _answer(peer, created["offer"], AudioStreamTrack())
    published = await client.ask(
        "publish_audio", publisher_id=created["publisher_id"], answer=answer
    )
    assert published["type"] == "audio_published", published
    assert published["publisher_id"] == created["publisher_id"]
    return published


async def _consume(client: Client, peer: RTCPeerConnection, publisher_id: str) -> str:
    created = await client.ask("create_consumer", publisher_id=publisher_id)
    answer = await _answer(peer, created["offer"])
    connected = await client.ask(
        "consumer_answer", consumer_id=created["consumer_id"], answer=answer
    )
    assert connected == {"type": "consumer_connected", "consumer_id": created["consumer_id"]}
    return str(connected["consumer_id"])


async def _stats_when(client: Client, condition: Callable[[Any], bool]) -> Any:
    stats: Any = None

    async def ask() -> bool:
        nonlocal stats
        stats = await client.ask("get_stats")
        return condition(stats)

    async with asyncio.timeout(PATIENCE):
        while not await ask():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return stats


async def test_a_voice_goes_all_the_way(service: Service) -> None:
    async with client(service) as ada, client(service) as bob, _peer() as speaks, _peer() as hears:
        await ada.join(name="Ada")
        await bob.join(name="Bob")
        published = await _publish(ada, speaks)
        news = await bob.wait_for(type="new_publisher")
        assert news["participant_id"] == ada.id
        assert news["publisher_id"] == published["publisher_id"]
        assert news["track_id"] == published["track_id"]

        consumer_id = await _consume(bob, hears, news["publisher_id"])
        (receiver,) = [item.receiver for item in hears.getTransceivers()]
        for _ in range(PACKETS):
            frame = await asyncio.wait_for(receiver.track.recv(), PATIENCE)
            assert isinstance(frame, AudioFrame)
            assert frame.sample_rate == 48_000

        sent = await _stats_when(ada, lambda s: s["publisher"]["packetsReceived"] >= PACKETS)
        heard = await _stats_when(bob, lambda s: s["consumers"][consumer_id]["packetsSent"] > 0)
        assert sent["publisher"]["bytesReceived"] > 0
        assert heard["consumers"][consumer_id]["publisher_id"] == published["publisher_id"]
        assert heard["publisher"] is None

        await bob.ask("close_consumer", consumer_id=consumer_id)
        await ada.ask("close_publisher", publisher_id=published["publisher_id"])
        await bob.wait_for(type="publisher_closed", reason="closed")
    await until(service.is_empty)


async def test_who_joins_later_finds_the_publisher(service: Service) -> None:
    async with client(service) as ada, client(service) as bob, _peer() as speaks, _peer() as hears:
        await ada.join(name="Ada")
        published = await _publish(ada, speaks)
        (info,) = (await bob.join(name="Bob"))["participants"]
        assert info["publisher_id"] == published["publisher_id"]
        assert info["track_id"] == published["track_id"]
        await _consume(bob, hears, info["publisher_id"])

        ada.socket.transport.abort()
        closed = await bob.wait_for(type="consumer_closed")
        assert closed["reason"] == "publisher_closed"
        assert (await bob.wait_for(type="publisher_closed"))["reason"] == "disconnected"
        await bob.wait_for(type="participant_left", participant_id=ada.id)


async def test_an_answer_whose_media_never_comes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.transport.CONNECT_TIMEOUT", 0.2)
    async with client(service) as ada, client(service) as bob:
        await ada.join(name="Ada")
        await bob.join(name="Bob")
        created = await ada.ask("create_publisher")
        failed = await ada.ask(
            "publish_audio", publisher_id=created["publisher_id"], answer=answer()
        )
        assert (failed["type"], failed["code"]) == ("error", "negotiation_failed")
        for participant in (ada, bob):
            closed = await participant.wait_for(type="publisher_closed")
            assert closed["reason"] == "failed"
        assert (await ada.ask("create_publisher"))["type"] == "publisher_created"
