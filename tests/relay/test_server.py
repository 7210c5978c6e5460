"""The relay itself: starting, addresses, counting, closing."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from relay import (
    MAX_LOUDEST,
    AddressError,
    CloseReason,
    DropReason,
    DtlsRole,
    IceCandidate,
    IceParameters,
    InvalidStateError,
    ParameterError,
    Relay,
    RelayConfig,
    TransportParameters,
)
from relay.address import Address
from relay.native import AVAILABLE as NATIVE_AVAILABLE
from relay.server import PlaneKind
from relay.udp import open_socket
from tests.hosts import gather_only
from tests.integration.light_peer import LightPeer

from .waiting import until

LOOPBACK = RelayConfig(media_hosts=("127.0.0.1",), media_port=0)
THREADS = 2 if NATIVE_AVAILABLE else 1


class TestLoudest:
    @pytest.fixture(autouse=True)
    def loopback_candidates(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """aioice, at the other end, leaves the loopback address out."""
        gather_only(monkeypatch, "127.0.0.1")

    async def test_the_publishers_of_a_room_compete(self) -> None:
        relay = Relay(replace(LOOPBACK, loudest=1))
        await relay.start()
        rooms = ["one", "one", "two", None, None]
        publishers = [relay.create_publisher(room) for room in rooms]
        peers = [LightPeer(publisher) for publisher in publishers]
        for peer in peers:
            await peer.connect()
        for peer in peers:
            await peer.send(1, 960, 0x1111)
        await until(lambda: relay.stats().rtp_packets_received == len(peers))
        assert relay.stats().drops[DropReason.RTP_NOT_LOUDEST] == 1

        publishers[0].close()  # its seat is free
        await peers[1].send(2, 1920, 0x1111)
        await until(lambda: publishers[1].stats().packets_received == 2)
        assert relay.stats().drops[DropReason.RTP_NOT_LOUDEST] == 1
        for peer in peers:
            await peer.close()
        await relay.close()

    async def test_a_room_that_comes_again_may_be_on_another_thread(self) -> None:
        relay = Relay(replace(LOOPBACK, loudest=1, media_port=0, media_threads=THREADS))
        await relay.start()
        for turn in range(4):
            publisher = relay.create_publisher("room")
            peer = LightPeer(publisher)
            await peer.connect()
            if turn % 2:
                relay.create_publisher()  # the next room will be elsewhere
            await peer.close()
            publisher.close()
        await relay.close()

    @pytest.mark.parametrize("loudest", [-1, MAX_LOUDEST + 1])
    def test_seats_out_of_bounds(self, loudest: int) -> None:
        with pytest.raises(ParameterError, match=f"0 to {MAX_LOUDEST}"):
            Relay(RelayConfig(loudest=loudest))


class TestStart:
    async def test_candidates(self) -> None:
        relay = Relay(RelayConfig(media_hosts=("127.0.0.1", "::1"), media_port=0))
        assert not relay.candidates
        await relay.start()
        first, second = relay.candidates
        assert (first.address, second.address) == ("127.0.0.1", "::1")
        assert first.port == second.port == relay.addresses[0].port != 0
        assert first.priority > second.priority
        await relay.close()
        assert relay.candidates == ()

    async def test_announced(self) -> None:
        relay = Relay(
            RelayConfig(media_hosts=("127.0.0.1", "::1"), media_port=0, announce=("203.0.113.7",))
        )
        await relay.start()
        assert [candidate.address for candidate in relay.candidates] == ["203.0.113.7", "::1"]
        assert {candidate.port for candidate in relay.candidates} == {relay.addresses[0].port}
        assert relay.create_publisher().local.candidates == relay.candidates
        await relay.close()

    async def test_announced_beside_the_local_ones(self) -> None:
        relay = Relay(
            RelayConfig(media_hosts=("127.0.0.1",), media_port=0, announce=("203.0.113.7", "local"))
        )
        await relay.start()
        assert [c.address for c in relay.candidates] == ["203.0.113.7", "127.0.0.1"]
        await relay.close()

    @pytest.mark.parametrize(("host", "family"), [("127.0.0.1", 4), ("::1", 6)])
    async def test_busy_port(self, host: str, family: int) -> None:
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        with socket.socket(kind, socket.SOCK_DGRAM) as busy:
            busy.bind((host, 0))
            port = busy.getsockname()[1]
            relay = Relay(RelayConfig(media_hosts=(host,), media_port=port))
            with pytest.raises(AddressError, match="in use") as caught:
                await relay.start()
        assert (caught.value.host, caught.value.port) == (host, port)
        assert (f"{host}:{port}" if family == 4 else f"[{host}]:{port}") in str(caught.value)
        assert relay.addresses == ()

    @pytest.mark.parametrize("plane", [PlaneKind.PYTHON, PlaneKind.AUTO])
    async def test_a_port_that_was_busy_at_first(self, plane: PlaneKind) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
            busy.bind(("127.0.0.1", 0))
            address = Address(*busy.getsockname())
            config = RelayConfig(
                media_hosts=(address.host,), media_port=address.port, media_plane=plane
            )
            relay = Relay(config)
            with pytest.raises(AddressError, match="in use"):
                await relay.start()
        await relay.start()
        assert relay.addresses == (address,)
        await relay.close()

    async def test_nothing_stays_open_when_the_second_address_fails(self) -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as busy:
            busy.bind(("::1", 0))
            port = busy.getsockname()[1]
            relay = Relay(RelayConfig(media_hosts=("127.0.0.1", "::1"), media_port=port))
            with pytest.raises(AddressError, match="::1"):
                await relay.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", port))

    @pytest.mark.parametrize(
        "config",
        [
            RelayConfig(media_hosts=("localhost",), media_port=0),
            RelayConfig(media_hosts=("127.0.0.1",), media_port=0, announce=("relay.example",)),
        ],
    )
    async def test_what_is_no_address(self, config: RelayConfig) -> None:
        relay = Relay(config)
        with pytest.raises(ParameterError, match="address"):
            await relay.start()
        assert relay.addresses == ()

    async def test_an_address_of_somebody_else(self) -> None:
        relay = Relay(RelayConfig(media_hosts=("192.0.2.1",), media_port=0))
        with pytest.raises(AddressError, match=r"192\.0\.2\.1"):
            await relay.start()

    async def test_twice(self, relay: Relay) -> None:
        with pytest.raises(InvalidStateError, match="running"):
            await relay.start()

    async def test_once_only(self) -> None:
        relay = Relay(LOOPBACK)
        await relay.start()
        await relay.close()
        with pytest.raises(InvalidStateError, match="closed"):
            await relay.start()

    async def test_nothing_is_made_before(self) -> None:
        relay = Relay(LOOPBACK)
        with pytest.raises(InvalidStateError, match="new"):
            relay.create_publisher()
        with pytest.raises(InvalidStateError, match="new"):
            await relay.add_media_host("::1")


class TestAddMediaHost:
    async def test_a_living_connection_uses_it(
        self, relay: Relay, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publisher = relay.create_publisher()
        found: list[IceCandidate] = []
        publisher.on("local_candidate", found.append)
        await relay.add_media_host("::1")
        (candidate,) = found
        assert (candidate.address, candidate.port) == ("::1", relay.addresses[0].port)
        assert publisher.local.candidates[-1] == candidate
        assert candidate in relay.candidates
        # The peer has no IPv4, so that it is by the new address or not at all.
        gather_only(monkeypatch, "::1")
        peer = LightPeer(publisher)
        await peer.connect()
        await peer.send(1, 960, 0x1111)
        await until(lambda: publisher.stats().packets_received == 1)
        await peer.close()

    async def test_later_connections_know_it(self, relay: Relay) -> None:
        await relay.add_media_host("::1")
        addresses = [c.address for c in relay.create_publisher().local.candidates]
        assert addresses == ["127.0.0.1", "::1"]

    async def test_a_closed_connection_is_not_told(self, relay: Relay) -> None:
        publisher = relay.create_publisher()
        found: list[IceCandidate] = []
        publisher.on("local_candidate", found.append)
        publisher.close()
        await relay.add_media_host("::1")
        assert found == []

    async def test_an_address_of_somebody_else(self, relay: Relay) -> None:
        before = relay.candidates
        with pytest.raises(AddressError, match=r"192\.0\.2\.1"):
            await relay.add_media_host("192.0.2.1")
        assert relay.candidates == before

    @pytest.mark.skipif(not NATIVE_AVAILABLE, reason="the native plane was not built")
    async def test_an_address_that_only_one_thread_could_have(self) -> None:
        """None of them has it then, and it can be had once it is free."""
        relay = Relay(replace(LOOPBACK, media_plane=PlaneKind.NATIVE, media_threads=2))
        await relay.start()
        before = relay.addresses
        with open_socket(Address("::1", before[1].port)), pytest.raises(AddressError):
            await relay.add_media_host("::1")
        assert relay.addresses == before
        await relay.add_media_host("::1")
        assert len(relay.addresses) == 4
        await relay.close()


class TestClose:
    async def test_new_and_connecting_and_connected(self, relay: Relay) -> None:
        new, connected = relay.create_publisher(), relay.create_publisher()
        peer = LightPeer(connected)
        await peer.connect()
        waiting = relay.create_consumer(connected)
        reasons: list[CloseReason] = []
        for connection in (new, connected, waiting):
            connection.on("closed", reasons.append)
        stats = relay.stats()
        assert (stats.publishers, stats.consumers, stats.bound_addresses) == (2, 1, 1)
        await relay.close()
        assert reasons == [CloseReason.SHUTDOWN] * 3
        stats = relay.stats()
        assert (stats.publishers, stats.consumers, stats.bound_addresses) == (0, 0, 0)
        await until(lambda: peer.closed)
        await peer.close()

    async def test_twice(self) -> None:
        relay = Relay(LOOPBACK)
        await relay.start()
        await relay.close()
        await relay.close()

    async def test_without_start(self) -> None:
        await Relay(LOOPBACK).close()

    async def test_frees_the_port(self) -> None:
        relay = Relay(LOOPBACK)
        await relay.start()
        (address,) = relay.addresses
        await relay.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(tuple(address))

    async def test_noise_does_no_harm(self, relay: Relay) -> None:
        (address,) = relay.addresses
        noise = [b"", b"\x00", b"\x00\x01" + bytes(18), b"\x16" * 40, b"\x80\x6f" + bytes(40)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for datagram in noise:
                udp.sendto(datagram, address)
            await until(lambda: sum(relay.stats().drops.values()) == len(noise))

    async def test_tells_of_checks_that_it_withheld(
        self, relay: Relay, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("relay.outreach.Outreach.take", lambda self, host, now: False)
        publisher = relay.create_publisher()
        victim = IceCandidate("1", 1, "udp", 2_130_706_431, "127.2.2.2", 9, "host")
        ice = IceParameters("user", "p" * 22)
        fingerprint = publisher.local.fingerprints[0]  # of any certificate
        publisher.connect(
            TransportParameters(ice, (fingerprint,), DtlsRole.CLIENT, candidates=(victim,))
        )
        await until(lambda: DropReason.CHECK_WITHHELD in relay.stats().drops)
        stats = relay.stats()
        assert stats.control_unsent == {
            DropReason.CHECK_WITHHELD: stats.drops[DropReason.CHECK_WITHHELD]
        }
