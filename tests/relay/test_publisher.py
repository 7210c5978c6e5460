"""The receiving end of a voice."""

from __future__ import annotations

import time

import pytest

from relay import CloseReason, PlaneKind, PublisherStats, Relay, RelayConfig
from relay.address import Address, Path
from tests.hosts import gather_only
from tests.integration.light_peer import LightPeer

from .media import random_keys
from .waiting import until


async def test_stats_before_anything_came(relay: Relay) -> None:
    publisher = relay.create_publisher()
    assert publisher.stats() == PublisherStats(0, 0, 0, 0, 0.0, None)
    assert publisher.source is None


async def test_counts_what_comes(relay: Relay) -> None:
    publisher = relay.create_publisher()
    async with LightPeer(publisher) as peer:
        for sequence in (1, 2, 4):  # 3 is lost
            await peer.send(sequence, 960 * sequence, 0x1111)
        await until(lambda: publisher.stats().packets_received == 3)
        stats = publisher.stats()
        assert stats.bytes_received == 3 * len(b"opus 00001")
        assert stats.packets_lost == 1
        assert stats.round_trip_time is not None


async def test_muted_before_it_is_connected(relay: Relay) -> None:
    publisher = relay.create_publisher()
    publisher.muted = True
    async with (
        LightPeer(publisher) as speaker,
        LightPeer(relay.create_consumer(publisher)) as listener,
    ):
        await speaker.send(1, 960, 0x1111)
        await until(lambda: publisher.stats().packets_received == 1)
        assert publisher.muted
        publisher.muted = False
        await speaker.send(2, 1920, 0x1111)
        await listener.wait_received(1)
        assert [packet[12:] for packet in listener.received] == [b"opus 00002"]


async def test_takes_rtp_by_its_own_paths_alone(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address translator gave one of them to another client, before this one had its keys."""
    publisher, other = relay.create_publisher(), relay.create_publisher()
    async with LightPeer(publisher):
        transport, router = publisher._transport, relay._router
        (own,) = transport.paths
        lost = Path(own.local, Address("127.0.0.1", 9))
        transport.paths[lost] = None
        router.bind(lost, other._transport)
        bound: list[Path] = []
        monkeypatch.setattr(router.plane, "bind", lambda path, source: bound.append(path))
        publisher._start(random_keys(), own)
        assert bound == [own]
        router.unbind(lost, other._transport)


async def test_its_consumers_close_first(relay: Relay) -> None:
    publisher = relay.create_publisher()
    async with LightPeer(publisher):
        events: list[tuple[str, CloseReason]] = []
        publisher.on("closed", lambda reason: events.append(("publisher", reason)))
        for name in ("first", "second"):
            consumer = relay.create_consumer(publisher)
            consumer.on("closed", lambda reason, name=name: events.append((name, reason)))
        assert len(publisher.consumers) == 2
        publisher.close()
        assert sorted(events[:2]) == [
            ("first", CloseReason.PUBLISHER_CLOSED),
            ("second", CloseReason.PUBLISHER_CLOSED),
        ]
        assert events[2:] == [("publisher", CloseReason.CLOSED)]
        assert publisher.consumers == set()


@pytest.mark.parametrize("plane", [PlaneKind.AUTO, PlaneKind.PYTHON])
async def test_its_seat_is_free_when_it_has_closed(
    monkeypatch: pytest.MonkeyPatch, plane: PlaneKind
) -> None:
    """A packet that comes while its consumers are being closed takes none again."""
    gather_only(monkeypatch, "127.0.0.1")
    relay = Relay(
        RelayConfig(media_hosts=("127.0.0.1",), media_port=0, media_plane=plane, loudest=1)
    )
    await relay.start()
    loud, whispers = (relay.create_publisher("room") for _ in range(2))
    peers = [LightPeer(publisher) for publisher in (loud, whispers)]
    for peer in peers:
        await peer.connect()
    await peers[0].send(1, 960, 0x1111, level=20)
    await until(lambda: loud.stats().packets_received == 1)
    (path,) = loud._transport.paths
    packet = peers[0]._packet(2, 1920, 0x1111, False, 20)
    relay.create_consumer(loud).on(
        "closed", lambda _: relay._router.plane.inject(path, packet, time.monotonic())
    )
    loud.close()
    await peers[1].send(1, 960, 0x2222, level=100)
    await until(lambda: whispers.stats().packets_received == 1)
    assert relay.stats().drops.keys() == {"rtp_muted"}
    for peer in peers:
        await peer.close()
    await relay.close()
