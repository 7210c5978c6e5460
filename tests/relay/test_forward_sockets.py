"""What a media plane counts, what it passes up, and its sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable

import pytest

from relay.address import Address, Path
from relay.errors import AddressError
from relay.plane import Control, MediaPlane
from relay.python_plane import PythonPlane
from relay.rtp import RtpPacket, build_rtp
from relay.stats import DropReason
from relay.udp import MAX_DATAGRAM

from .media import (
    IPV4,
    IPV6,
    OPUS,
    STUN,
    VOICE,
    Studio,
    contiguous,
    descriptor_of,
    frame,
    heard,
    open_studio,
    until,
)

# Counters.


async def test_what_came_is_forwarded_or_dropped(studio: Studio) -> None:
    speaker, stranger = studio.speaker(), studio.peer()
    listeners = [studio.listener(speaker) for _ in range(3)]
    first = speaker.protected(frame(0))
    for datagram in (first, first, b"\x80", b"\x80\x6f", STUN, bytes(MAX_DATAGRAM + 1)):
        speaker.send(datagram)
    stranger.send(frame(0))
    speaker.say(frame(1), build_rtp(RtpPacket(OPUS + 1, 1002, 480, VOICE, b"x")))
    await studio.settle()
    counters = studio.plane.counters()
    assert counters.datagrams_received == studio.sent == 9
    assert counters.rtp_packets_received == 6
    assert counters.packets_forwarded == 2 * len(listeners)
    assert counters.packets_forwarded == sum(len(listener.heard()) for listener in listeners)
    dropped = sum(counters.drops.values())
    passed_up = len(studio.control)
    assert 2 + dropped + passed_up == 9


async def test_a_source_that_nobody_heard_yet(studio: Studio) -> None:
    counters = studio.speaker().source.counters()
    assert (counters.packets, counters.payload_bytes, counters.packets_lost) == (0, 0, 0)
    assert (counters.ssrc, counters.received, counters.expected) == (None, 0, 0)
    assert counters.jitter == 0.0


async def test_a_sources_counters(studio: Studio) -> None:
    speaker = studio.speaker()
    speaker.say(*(frame(index, start=0xFFFE) for index in (0, 1, 4)))  # 2 and 3 are lost
    await studio.settle()
    counters = speaker.source.counters()
    assert (counters.packets, counters.payload_bytes, counters.packets_lost) == (3, 3, 2)
    assert (counters.ssrc, counters.received, counters.expected) == (VOICE, 3, 5)
    assert counters.highest_sequence == 0x10002
    assert counters.jitter > 0.0  # 100 ms of sound came at once


async def test_a_sources_counters_over_several_ssrcs(studio: Studio) -> None:
    speaker = studio.speaker()
    speaker.say(frame(0), frame(2), *(frame(index, ssrc=VOICE + 1) for index in (5, 6, 8, 9)))
    await studio.settle()
    counters = speaker.source.counters()
    assert (counters.packets, counters.payload_bytes, counters.packets_lost) == (6, 6, 2)
    assert (counters.ssrc, counters.received, counters.expected) == (VOICE + 1, 4, 5)
    assert counters.highest_sequence == 1009


async def test_a_sinks_counters(studio: Studio) -> None:
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    assert (listener.sink.counters().packets, listener.sink.counters().payload_bytes) == (0, 0)
    before = time.monotonic()
    speaker.say(frame(9), frame(10), frame(12))
    await studio.settle()
    counters = listener.sink.counters()
    assert (counters.packets, counters.payload_bytes) == (3, 5)
    assert counters.timestamp == int.from_bytes(listener.heard()[-1][4:8], "big")
    assert before - 0.001 <= counters.sent_at <= time.monotonic()


async def test_forward_latency_counts_what_was_forwarded(studio: Studio) -> None:
    speaker, stranger = studio.speaker(), studio.peer()
    stranger.send(frame(0))
    await studio.settle()
    assert studio.plane.counters().forward_latency.count == 0
    studio.listener(speaker)
    speaker.say(frame(0))
    await studio.settle()
    latency = studio.plane.counters().forward_latency
    assert latency.count == 1
    assert 0.0 < latency.median <= latency.maximum


# What is not RTP.


@pytest.mark.parametrize("host", [IPV4, IPV6])
@pytest.mark.parametrize(
    "datagram",
    [
        STUN,
        b"\x16\xfe\xfd" + bytes(20),
        b"\x80\xc9" + bytes(20),  # RTCP
        b"\x8f\xdf" + bytes(20),
        b"\xff" * 20,
        b"\x40\x00",
        bytes(MAX_DATAGRAM),
    ],
    ids=["STUN", "DTLS", "RTCP", "last RTCP type", "noise", "two bytes", "as long as can be"],
)
async def test_what_is_not_rtp_goes_up(studio: Studio, host: str, datagram: bytes) -> None:
    peer = studio.peer(host)
    peer.send(datagram)
    await studio.settle()
    assert studio.control == [(peer.path, datagram)]
    assert studio.drops == {}
    assert studio.plane.counters().rtp_packets_received == 0


async def test_control_keeps_its_order(studio: Studio) -> None:
    peers = [studio.peer(), studio.peer(IPV4)]
    for n in range(150):
        peers[n % 2].send(STUN + bytes([n]))
    await studio.settle()
    assert studio.control == [(peers[n % 2].path, STUN + bytes([n])) for n in range(150)]


@pytest.mark.parametrize("host", [IPV4, IPV6])
async def test_sending_what_is_not_media(studio: Studio, host: str) -> None:
    peer = studio.peer(host)
    studio.plane.send(peer.path, STUN)
    studio.plane.send(peer.path, b"")
    assert peer.udp.recvfrom(100)[0] == STUN
    data, sender = peer.udp.recvfrom(100)
    assert (data, Address(*sender[:2])) == (b"", studio.addresses[host])


async def test_sending_where_the_system_refuses(studio: Studio) -> None:
    peer = studio.peer()
    studio.plane.send(peer.path._replace(remote=Address(IPV4, 0)), STUN)
    counters = studio.plane.counters()
    assert counters.control_unsent == {DropReason.SEND_FAILED: 1}
    assert counters.drops == {}


async def test_sending_by_an_address_that_is_not_ours(studio: Studio) -> None:
    peer = studio.peer()
    studio.plane.send(peer.path._replace(local=Address("192.0.2.1", 9)), STUN)
    assert peer.arrived() == []


# Sockets.


async def test_a_busy_port(studio: Studio) -> None:
    with pytest.raises(AddressError):
        studio.plane.open(studio.addresses[IPV4])
    speaker = studio.speaker()
    listener = studio.listener(speaker)
    speaker.say(frame(0))
    await studio.settle()
    assert heard(listener) == contiguous(0)


async def test_closed_it_leaves_its_ports_and_does_nothing(
    implementation: Callable[[Control], MediaPlane],
) -> None:
    async with open_studio(implementation) as studio:
        peer, address = studio.peer(), studio.addresses[IPV4]
        studio.plane.close()
        studio.plane.close()  # once more changes nothing
        studio.plane.send(peer.path, STUN)
        studio.plane.unbind(peer.path)
        assert peer.arrived() == []
        other = implementation(lambda path, datagram, arrival: None)
        assert other.open(address) == address
        other.close()


async def test_closed_it_sends_nothing_by_what_has_its_descriptors_now(
    implementation: Callable[[Control], MediaPlane],
) -> None:
    async with open_studio(implementation) as studio:
        speaker = studio.speaker()
        listener = studio.listener(speaker, nack=True)
        speaker.say(frame(0))
        await studio.settle()
        descriptors = [descriptor_of(address) for address in studio.addresses.values()]
        with (
            socket.create_server((IPV4, 0)) as server,
            socket.create_connection(server.getsockname()) as ours,
            server.accept()[0] as theirs,
        ):
            studio.plane.close()
            for descriptor in descriptors:
                os.dup2(ours.fileno(), descriptor)
            studio.plane.retransmit(listener.sink, [100])
            for descriptor in descriptors:
                os.close(descriptor)
            theirs.setblocking(False)
            with pytest.raises(BlockingIOError):
                theirs.recv(100)


async def test_closed_it_can_be_opened_again(
    implementation: Callable[[Control], MediaPlane],
) -> None:
    """As by whoever tries another port."""
    came: list[bytes] = []
    plane = implementation(lambda path, datagram, arrival: came.append(datagram))
    for _ in range(2):
        address = plane.open(Address(IPV4, 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.sendto(STUN, address)
            await until(lambda: came == [STUN])
        came.clear()
        plane.close()


@pytest.mark.parametrize(("busy", "taken"), [(0.0, 256), (0.04, 448), (10.0, 512)])
async def test_sockets_get_as_much_of_a_busy_event_loop_as_everything_else(
    monkeypatch: pytest.MonkeyPatch, busy: float, taken: int
) -> None:
    clock, began = [1000.0], asyncio.Event()

    def work(path: Path, datagram: bytes) -> None:
        clock[0] += 0.0001
        began.set()

    async with open_studio(PythonPlane) as studio:
        monkeypatch.setattr("relay.python_plane.monotonic", lambda: clock[0])
        monkeypatch.setattr(studio.plane, "_served_at", clock[0] - busy)
        studio.on_control = work
        peer = studio.peer()
        for _ in range(1000):
            peer.send(STUN)
        await began.wait()
        assert len(studio.control) == taken
