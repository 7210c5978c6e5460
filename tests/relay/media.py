"""The two ends of a media plane, over real sockets: who speaks, and who hears.

`pylibsrtp.Session` protects and unprotects here, and `wire` writes packets byte by byte: nothing of
the relay's own hot path judges itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import socket
import stat
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pylibsrtp
from pylibsrtp import Policy

from relay.address import Address, Path, family_of
from relay.native import AVAILABLE, NativePlane
from relay.plane import Control, MediaPlane, Sink, Source
from relay.python_plane import PythonPlane
from relay.sequence import ticks, timestamp_delta
from relay.srtp import PROFILES, SrtpKeys, SrtpProfile
from relay.stats import DropReason

PLANES: dict[str, Callable[[Control], MediaPlane]] = {"python": PythonPlane}
"""Every implementation of the media plane that there is here; one suite runs over all of them."""
if AVAILABLE:
    PLANES["native"] = NativePlane

IPV4, IPV6 = "127.0.0.1", "::1"
NOT_PASSED_UP = (
    DropReason.OVERSIZED,
    DropReason.UNKNOWN_PROTOCOL,
    DropReason.CONTROL_QUEUE_FULL,
)
"""Why a datagram that is not RTP may go no further than the plane."""
NOBODY = {family_of(host): Address(host, 0) for host in (IPV4, IPV6)}
FRAME = 960  # ticks of a 20 ms packet at 48 kHz
OPUS, RED = 111, 63
MAX_PROTECTED = 1500 - 144
"""Longest packet that `pylibsrtp.Session` protects, in bytes."""

VOICE = 0x5EED
"""SSRC of whoever speaks, unless a test says otherwise."""
AUDIO_LEVEL, MID = (1, b"\x9e"), (4, b"0")
"""Header extensions as a browser sends them, (id, data)."""
STUN = bytes.fromhex("00010000 2112a442") + bytes(12)


def wire(
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes = b"opus",
    *,
    marker: bool = False,
    level: int | None = None,
) -> bytes:
    """A packet as consumers get it: fixed header, perhaps the audio level, payload."""
    block = b"" if level is None else bytes((0xBE, 0xDE, 0, 1, 0x10, level, 0, 0))
    head = (0x90 if block else 0x80, OPUS | (0x80 if marker else 0))
    numbers = struct.pack("!HII", sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return bytes(head) + numbers + block + payload


def red_payload(primary: bytes, *redundant: tuple[int, bytes]) -> bytes:
    """A RED payload (RFC 2198) around Opus; redundant: (timestamp offset, frame), oldest first."""
    heads = [
        struct.pack("!I", 1 << 31 | OPUS << 24 | offset << 10 | len(old))
        for offset, old in redundant
    ]
    return b"".join((*heads, bytes([OPUS]), *(old for _, old in redundant), primary))


def random_keys(profile: SrtpProfile = PROFILES[0]) -> SrtpKeys:
    length = profile.key_length + profile.salt_length
    return SrtpKeys(profile, secrets.token_bytes(length), secrets.token_bytes(length))


def session(key: bytes, kind: int, keys: SrtpKeys) -> pylibsrtp.Session:
    return pylibsrtp.Session(Policy(key, kind, 0, keys.profile.identifier))


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop turn until `condition` holds."""
    async with asyncio.timeout(20):
        async for _ in _turns():
            if condition():
                return


async def _turns() -> AsyncIterator[None]:
    while True:
        yield
        await asyncio.sleep(0)


class Peer:
    """A socket of somebody's, and the way from the relay to it."""

    def __init__(self, studio: Studio, host: str) -> None:
        self.studio = studio
        self.udp = socket.socket(family_of(host), socket.SOCK_DGRAM)
        studio.peers.append(self)
        self.udp.bind((host, 0))
        self.udp.setblocking(False)
        self.address = Address(*self.udp.getsockname()[:2])
        self.path = Path(studio.addresses[host], self.address)

    def send(self, datagram: bytes) -> None:
        """Send to the relay. On loopback it is in the relay's buffer at once."""
        self.udp.sendto(datagram, self.path.local)
        self.studio.sent += 1

    def arrived(self) -> list[bytes]:
        """What has come so far."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.udp.recv(2048))
        return found


class Speaker(Peer):
    """A publisher's browser. source: what the relay has of it; gaps: how often it told of one."""

    def __init__(self, studio: Studio, host: str, keys: SrtpKeys, *, red: bool, nack: bool) -> None:
        super().__init__(studio, host)
        self.gaps = 0
        self._red, self._nack = red, nack
        self._keys = keys
        self._session = session(self._keys.remote, Policy.SSRC_ANY_OUTBOUND, self._keys)
        self.source: Source
        self.begin(time.monotonic())

    def begin(self, now: float) -> None:
        """Speak from `now` on, on a clock of the test's own."""
        on_gap = self._gap if self._nack else None
        self.source = self.studio.plane.source(
            self._keys, self.path, now, red=self._red, on_gap=on_gap
        )
        self.studio.plane.bind(self.path, self.source)

    def _gap(self) -> None:
        self.gaps += 1

    def protected(self, packet: bytes) -> bytes:
        return self._session.protect(packet)

    def protect_if_it_can_be(self, packet: bytes) -> bytes | None:
        """None for what libsrtp takes for no packet."""
        try:
            return self._session.protect(packet)
        except (pylibsrtp.Error, ValueError):
            return None

    def say(self, *packets: bytes) -> None:
        for packet in packets:
            self.send(self.protected(packet))


class Listener(Peer):
    """A consumer's browser. sink: what the relay has of it."""

    def __init__(
        self,
        studio: Studio,
        host: str,
        keys: SrtpKeys,
        ssrc: int,
        sequence: int,
        timestamp: int,
        *,
        red: bool,
        nack: bool,
    ) -> None:
        super().__init__(studio, host)
        self.ssrc, self.keys = ssrc, keys
        self._session = session(keys.local, Policy.SSRC_ANY_INBOUND, keys)
        self.sink: Sink = studio.plane.sink(
            keys, ssrc, self.path, sequence, timestamp, red=red, nack=nack
        )

    def heard(self) -> list[bytes]:
        """The packets that have come so far, unprotected."""
        return [self.unprotected(datagram) for datagram in self.arrived()]

    def unprotected(self, datagram: bytes) -> bytes:
        return self._session.unprotect(datagram)

    async def hears(self, count: int) -> list[bytes]:
        """The packets that come until there are `count`, and whatever has come with them."""
        packets: list[bytes] = []

        def enough() -> bool:
            packets.extend(self.heard())
            return len(packets) >= count

        await until(enough)
        return packets


class Studio:
    """A media plane on loopback, and everybody around it. control: what the plane passed up, and arrivals:
    when it came."""

    def __init__(self, implementation: Callable[[Control], MediaPlane]) -> None:
        self.began = time.monotonic()
        self.control: list[tuple[Path, bytes]] = []
        self.arrivals: list[float] = []
        self.on_control: Callable[[Path, bytes], None] = lambda path, datagram: None
        self.sent = 0
        self.peers: list[Peer] = []
        self.plane = implementation(self._take)
        self.addresses = {host: self.plane.open(Address(host, 0)) for host in (IPV4, IPV6)}

    def _take(self, path: Path, datagram: bytes, arrival: float) -> None:
        self.control.append((path, datagram))
        self.arrivals.append(arrival)
        self.on_control(path, datagram)

    def peer(self, host: str = IPV4) -> Peer:
        """Somebody whom the relay does not know."""
        return Peer(self, host)

    def speaker(
        self,
        host: str = IPV4,
        profile: SrtpProfile = PROFILES[0],
        *,
        red: bool = False,
        nack: bool = False,
        keys: SrtpKeys | None = None,
    ) -> Speaker:
        return Speaker(self, host, keys or random_keys(profile), red=red, nack=nack)

    def listener(
        self,
        speaker: Speaker | None = None,
        host: str = IPV4,
        profile: SrtpProfile = PROFILES[0],
        ssrc: int = 0xC0FFEE,
        sequence: int = 99,
        timestamp: int = 10_000,
        *,
        red: bool = False,
        nack: bool = False,
        keys: SrtpKeys | None = None,
    ) -> Listener:
        """Somebody who follows `speaker`. The first packet gets the sequence number 100."""
        listener = Listener(
            self,
            host,
            keys or random_keys(profile),
            ssrc,
            sequence,
            timestamp,
            red=red,
            nack=nack,
        )
        if speaker is not None:
            self.attach(listener, speaker)
        return listener

    def attach(self, listener: Listener, speaker: Speaker, now: float | None = None) -> None:
        """Let a listener follow a speaker from now on."""
        at = time.monotonic() if now is None else now
        self.plane.attach(listener.sink, speaker.source, at)

    async def settle(self) -> None:
        """Wait until the plane has dealt with everything that was sent to it.

        What is under way when a table is edited is done once that returns: then all is sent, too.
        """
        await until(lambda: self.plane.counters().datagrams_received == self.sent)
        for address in self.addresses.values():
            self.plane.unbind(Path(address, NOBODY[family_of(address.host)]))
        counters, drops = self.plane.counters(), Counter(self.drops)
        not_rtp = counters.datagrams_received - counters.rtp_packets_received
        not_rtp -= counters.checks_answered
        await self.passed_up(not_rtp - sum(drops[reason] for reason in NOT_PASSED_UP))

    async def settle_answers(self, count: int) -> None:
        """Likewise, once so many checks were answered."""
        await self.settle()
        assert self.plane.counters().checks_answered == count

    async def passed_up(self, count: int) -> list[tuple[Path, bytes]]:
        """What the plane passed up, once there are `count` of it."""
        await until(lambda: len(self.control) >= count)
        return self.control

    @property
    def drops(self) -> dict[DropReason, int]:
        return {reason: n for reason, n in self.plane.counters().drops.items() if n}

    def close(self) -> None:
        self.plane.close()
        for peer in self.peers:
            peer.udp.close()


@contextlib.asynccontextmanager
async def open_studio(implementation: Callable[[Control], MediaPlane]) -> AsyncIterator[Studio]:
    """A studio; whatever raises on the event loop meanwhile fails the test."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    studio = Studio(implementation)
    try:
        yield studio
    finally:
        studio.close()
    assert faults == []


@contextlib.contextmanager
def full_send_buffer(address: Address) -> Iterator[None]:
    """Leave the socket that is bound to `address` no room for a single byte.

    Loopback never fills a UDP socket, so a TCP connection that nobody reads from takes its place.
    """
    descriptor = descriptor_of(address)
    with (
        socket.create_server((IPV4, 0)) as listener,
        socket.create_connection(listener.getsockname()) as stream,
    ):
        stream.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                stream.send(bytes(1 << 16))
        os.dup2(stream.fileno(), descriptor)
        yield


def descriptor_of(address: Address) -> int:
    """Of the socket that is bound to an address."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as udp:
                if udp.type == socket.SOCK_DGRAM and tuple(udp.getsockname()[:2]) == address:
                    return descriptor
    raise LookupError(f"no socket on {address}")


def frame(index: int, *, ssrc: int = VOICE, start: int = 1000, marker: bool = False) -> bytes:
    """Packet `index` of a voice, in plain form; its payload tells which it is."""
    return wire(start + index, 48_000 + FRAME * index, ssrc, b"%d" % index, marker=marker)


def red_frame(index: int, redundancy: int = 1, *, marker: bool = False) -> bytes:
    """Packet `index` of a voice that sends RED: its own frame, and so many of those before."""
    older = [
        (FRAME * distance, b"%d" % (index - distance)) for distance in range(redundancy, 0, -1)
    ]
    opus = wire(1000 + index, 48_000 + FRAME * index, VOICE, b"", marker=marker)
    payload = red_payload(b"%d" % index, *older)
    return opus[:1] + bytes([RED | opus[1] & 0x80]) + opus[2:] + payload


def heard(listener: Listener, *seams: int) -> list[tuple[int, bool, int]]:
    """(sequence number, marker, frame index) of what a listener got, once its clock is checked.

    A frame's timestamp goes with its index. seams: frames with which another clock begins: those come
    a frame after the one before, or later by as much time as has passed.
    """
    packets = [
        (int.from_bytes(packet[4:8], "big"), int(packet[12:]), packet)
        for packet in listener.heard()
    ]
    latest = FRAME + ticks(time.monotonic() - listener.studio.began) + 1
    for (before, previous, _), (timestamp, index, _) in itertools.pairwise(packets):
        step = timestamp_delta(timestamp, before)
        if index in seams:
            assert FRAME <= step <= latest
        else:
            assert step == FRAME * (index - previous)
    return [
        (int.from_bytes(packet[2:4], "big"), bool(packet[1] & 0x80), index)
        for _, index, packet in packets
    ]


def unstamped(listener: Listener) -> list[bytes]:
    """What a listener got, with timestamps of zero."""
    return [packet[:4] + bytes(4) + packet[8:] for packet in listener.heard()]


def contiguous(*indices: int, first: int = 100, marked: int = 0) -> list[tuple[int, bool, int]]:
    """What a listener should get of frames: no gap in its numbers, the marker on frame `marked`."""
    return [(first + place, index == marked, index) for place, index in enumerate(indices)]
