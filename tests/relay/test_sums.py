"""Nothing is lost without a name: what came is accepted, used or dropped, and each copy went or was
dropped."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import AsyncIterator
from functools import partial

import pytest

from relay import COPY_REASONS, DropReason, PlaneKind, Publisher, Relay, RelayConfig, RelayStats
from relay.native import AVAILABLE
from tests.hosts import gather_only
from tests.integration.light_peer import LightPeer

from .waiting import until

SPEAKERS, LISTENERS, PACKETS, CHECKS = 2, 3, 300, 4

KINDS = [("python", 1)] + ([("native", 1), ("native", 2)] if AVAILABLE else [])


@pytest.fixture(params=KINDS, ids=[f"{kind}-{threads}" for kind, threads in KINDS])
async def relay(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Relay]:
    """A relay of each kind."""
    gather_only(monkeypatch, "127.0.0.1")
    # So that a room of three has consumers on both threads.
    monkeypatch.setattr("relay.placement.SPREAD_FROM", 1)
    kind, threads = request.param
    relay = Relay(
        RelayConfig(
            media_hosts=("127.0.0.1",),
            media_port=0,
            media_plane=PlaneKind(kind),
            media_threads=threads,
        )
    )
    await relay.start()
    yield relay
    await relay.close()


def received(stats: RelayStats) -> int:
    """What was done with the datagrams that came, added up."""
    dropped = sum(n for reason, n in stats.drops.items() if reason not in COPY_REASONS)
    return stats.rtp_packets_accepted + sum(stats.control_used.values()) + dropped


def copies(stats: RelayStats) -> int:
    """What became of the copies, added up."""
    dropped = sum(n for reason, n in stats.drops.items() if reason in COPY_REASONS)
    return stats.packets_forwarded + dropped - sum(stats.control_unsent.values())


async def test_the_counters_add_up(relay: Relay) -> None:
    speakers = [LightPeer(relay.create_publisher("room")) for _ in range(SPEAKERS)]
    for speaker in speakers:
        await speaker.connect()
    listeners = []
    for speaker in speakers:
        assert isinstance(speaker.connection, Publisher)
        for _ in range(LISTENERS):
            listeners.append(LightPeer(relay.create_consumer(speaker.connection)))
            await listeners[-1].connect()

    assert all(relay._placement._load)

    for peer in (*speakers, *listeners):
        for _ in range(CHECKS):
            await peer.ask_for_consent()
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with stranger:
        for address in relay.addresses:
            await _talk(relay, speakers, stranger, (address.host, address.port))
        await until(lambda: received(relay.stats()) == relay.stats().datagrams_received)
    stats = relay.stats()
    for peer in (*listeners, *speakers):
        await peer.close()

    said = SPEAKERS * PACKETS * len(relay.addresses)
    assert stats.rtp_packets_accepted == said
    assert copies(stats) == said * LISTENERS
    assert stats.packets_forwarded == said * LISTENERS  # loopback has room for all of them
    assert stats.control_unsent == {}
    assert set(stats.control_used) == {"stun", "dtls"}
    # The first tells what a peer's checks look like; the media plane answers those that follow.
    checks = (SPEAKERS + SPEAKERS * LISTENERS) * (CHECKS - 1)
    assert relay._router.plane.counters().checks_answered >= checks
    assert stats.drops[DropReason.RTP_UNKNOWN_ADDRESS] > 0
    assert stats.drops[DropReason.UNKNOWN_PROTOCOL] > 0
    assert (
        stats.drops[DropReason.STUN_MALFORMED] + stats.drops.get(DropReason.STUN_UNKNOWN_USER, 0)
        > 0
    )
    assert stats.drops[DropReason.DTLS_UNKNOWN_ADDRESS] > 0
    assert stats.drops[DropReason.RTCP_UNKNOWN_ADDRESS] > 0


async def _talk(
    relay: Relay, speakers: list[LightPeer], stranger: socket.socket, to: tuple[str, int]
) -> None:
    """Voices, and noise of every kind in between."""
    noise, before = random.Random(7), relay.stats().datagrams_received
    for number in range(PACKETS):
        for speaker in speakers:
            sequence = speaker.sent
            await speaker.send(sequence & 0xFFFF, 960 * sequence, 0x1111)
        for first in (0x00, 0x17, 0x80, 0xC8, 0xFF):
            second = 0xC8 if first == 0xC8 else noise.randrange(0xC0)
            start = 0x80 if first == 0xC8 else first
            stranger.sendto(bytes((start, second)) + os.urandom(noise.randrange(60)), to)
        stranger.sendto(b"x", to)
        sent = (number + 1) * (len(speakers) + 6)
        # Sockets have room for some hundreds: what is lost before the relay is nobody's to count.
        await until(partial(_came, relay, before + sent))


def _came(relay: Relay, datagrams: int) -> bool:
    return relay.stats().datagrams_received >= datagrams
