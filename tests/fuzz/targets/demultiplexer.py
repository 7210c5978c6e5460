"""Datagrams of every kind to a router with connections behind it, on the plane in Python.

Two publishers and two consumers have keys and paths; what is under SRTP is the input's, too, since the
keys are known here. Datagrams go by `inject`, at times of the input's own.
"""

from __future__ import annotations

import asyncio
from typing import cast
from unittest.mock import patch

import pylibsrtp
from pylibsrtp import Policy

from relay import (
    Consumer,
    DtlsFingerprint,
    DtlsRole,
    IceParameters,
    Publisher,
    Relay,
    RelayConfig,
    TransportParameters,
)
from relay.address import Address, Path
from relay.connection import Connection
from relay.dtls import DtlsEndpoint
from relay.ice_agent import IceAgent
from relay.parameters import RtpParameters
from relay.rtcp import (
    Goodbye,
    Nack,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_rtcp,
)
from relay.rtp import RtpPacket, build_rtp
from relay.server import PlaneKind
from relay.source import MAX_SOURCES, Source
from relay.srtcp import MAX_REPORT_SOURCES
from relay.srtp import PROFILES, SrtpKeys
from relay.stats import DropReason
from tests.fuzz.clock import FlyingLoop
from tests.fuzz.course import Reader, Step, join, split
from tests.fuzz.target import Target, require

_LOOP = FlyingLoop()
_RELAY = Relay(RelayConfig(media_hosts=("127.0.0.1",), media_port=0, media_plane=PlaneKind.PYTHON))
_LOOP.run_until_complete(_RELAY.start())
_LOCAL = _RELAY.addresses[0]
_ABILITIES = (
    RtpParameters(nack=True, red=True),
    RtpParameters(),
    RtpParameters(nack=True, red=True),
    RtpParameters(nack=True),
)
"""Of the two publishers, and of the two consumers."""

_SSRC = b"SSRC"
"""In SRTCP of an input: the SSRC that the relay sends under to whoever that comes from."""

_NOWHERE = 9  # the discard port: nobody listens there, and nobody is told

RAW, RTP, RTCP, MUTE, SWITCH, WAIT, REPORT, REPEAT = range(8)
"""Operations; times 4, plus whose address it is."""


class _End:
    """The other end of a connection."""

    def __init__(self, connection: Connection, number: int) -> None:
        profile = PROFILES[number % len(PROFILES)]
        length = profile.key_length + profile.salt_length
        self.keys = SrtpKeys(profile, bytes([number]) * length, bytes([0x80 | number]) * length)
        self.connection = connection
        self.rtp = _ABILITIES[number]
        self.path = Path(_LOCAL, Address(f"127.0.0.{2 + number}", _NOWHERE))
        self.sending = pylibsrtp.Session(
            Policy(self.keys.remote, Policy.SSRC_ANY_OUTBOUND, 0, profile.identifier)
        )
        self.sending_rtcp = pylibsrtp.Session(
            Policy(self.keys.remote, Policy.SSRC_ANY_OUTBOUND, 0, profile.identifier)
        )
        self._connect()

    def _connect(self) -> None:
        """What ICE and DTLS would have brought about. Nobody answers the agent, so it does not start:
        looking for a path in vain would take most of an input's time."""
        transport = self.connection._transport
        with patch.object(IceAgent, "start", _never):
            transport.connect(
                TransportParameters(
                    IceParameters("peer", "p" * 22),
                    (DtlsFingerprint("sha-256", ":".join(["AB"] * 32)),),
                    DtlsRole.CLIENT,
                    rtp=self.rtp,
                )
            )
        transport._path_validated(self.path)
        transport._dtls, transport._dtls_path = cast(DtlsEndpoint, _Done(self.keys)), self.path
        transport._after_dtls()
        transport._path_selected(1, self.path)


def _never(agent: IceAgent, remote: IceParameters) -> None:
    """Start no search."""


class _Done:
    """A handshake that is over."""

    def __init__(self, keys: SrtpKeys) -> None:
        self.outcome = keys

    def datagrams(self) -> list[bytes]:
        return []

    def goodbye(self) -> list[bytes]:
        return []

    def deadline(self) -> None:
        return None

    def receive(self, datagram: bytes, now: float) -> DropReason:
        return DropReason.DTLS_UNEXPECTED


class _World:
    def __init__(self) -> None:
        publishers = [_RELAY.create_publisher(), _RELAY.create_publisher()]
        self.ends = [_End(publisher, number) for number, publisher in enumerate(publishers)]
        consumers = [_RELAY.create_consumer(publisher) for publisher in publishers]
        self.ends += [_End(consumer, 2 + n) for n, consumer in enumerate(consumers)]
        self.publishers, self.consumers = publishers, consumers
        self.plane = _RELAY._router.plane
        self.arrival = 1000.0
        self.sent: list[tuple[Path, bytes]] = []

    async def take(self, step: Step) -> None:
        """Do one step, and look at the rules."""
        operation, argument = step[0], Reader(step[1])
        end = self.ends[operation % 4]
        match operation // 4 % 8:
            case 0:
                self._inject(end.path, argument.rest())
            case 1:
                self._inject_protected(end, argument.rest(), end.sending.protect)
            case 2:
                packet = argument.rest().replace(_SSRC, end.connection.ssrc.to_bytes(4, "big"))
                self._inject_protected(end, packet, end.sending_rtcp.protect_rtcp)
            case 3:
                self.publishers[operation % 2].muted = bool(argument.byte() & 1)
            case 4:
                self.consumers[operation // 2 % 2].switch(self.publishers[operation % 2])
            case 5:
                seconds = argument.number(2) / 1000
                self.arrival += seconds
                await asyncio.sleep(seconds)
            case 6:
                self._report()
            case 7:
                if self.sent:
                    path, datagram = self.sent[argument.byte() % len(self.sent)]
                    self._inject(end.path if argument.byte() & 1 else path, datagram)
        self._check()

    def _inject_protected(self, end: _End, packet: bytes, protect: object) -> None:
        assert callable(protect)
        try:
            datagram: bytes = protect(packet)
        except (pylibsrtp.Error, ValueError):
            return  # libsrtp itself takes it for no packet
        self._inject(end.path, datagram)

    def _inject(self, path: Path, datagram: bytes) -> None:
        self.sent.append((path, datagram))
        self.plane.inject(path, datagram, self.arrival)

    def _report(self) -> None:
        """Everything that looks at what came."""
        everyone: tuple[Publisher | Consumer, ...] = (*self.publishers, *self.consumers)
        for packets, connection in [(one._report(), one) for one in everyone]:
            if packets:
                connection._transport.send_rtcp(packets)
        require(all(one.stats().jitter >= 0 for one in everyone), "jitter is positive")
        for publisher in self.publishers:
            level = publisher.take_audio_level()
            require(level is None or -127 <= level <= 0, "a level is -127 to 0 dBov")
        _RELAY.stats()

    def _check(self) -> None:
        for publisher in self.publishers:
            source = publisher.source
            assert isinstance(source, Source)
            require(len(source._ssrcs) <= MAX_SOURCES, "SSRCs of a publisher are bounded")
        for end in self.ends:
            count = len(end.connection._transport._srtcp.ssrcs)
            require(count <= MAX_REPORT_SOURCES, "SSRCs of reports are bounded")

    async def close(self) -> None:
        """Everybody goes; nothing is left then."""
        for connection in (*self.publishers, *self.consumers):
            connection.close()
        await _RELAY._router.ice.close()
        require(not _RELAY._connections, "no connection is left")
        require(not _RELAY._router.bindings, "no path is left")
        drops = _RELAY.stats().drops
        require(DropReason.INTERNAL_ERROR not in drops, "no datagram met a fault")


def run(data: bytes) -> None:
    """A course against connections that were just made."""

    async def course() -> None:
        world = _World()
        try:
            for step in split(data):
                await world.take(step)
        finally:
            await world.close()

    _LOOP.play(course)


def _rtp(index: int, **changes: object) -> bytes:
    values: dict[str, object] = {
        "payload_type": 111,
        "sequence_number": 65_530 + index & 0xFFFF,
        "timestamp": 960 * index,
        "ssrc": 0x5EED,
        "payload": b"opus",
        "extensions": ((1, b"\x9e"),),
    }
    return build_rtp(RtpPacket(**{**values, **changes}))  # type: ignore[arg-type]


def seeds() -> list[bytes]:
    """A talk with everything that may happen in one, and datagrams of each protocol."""
    block = ReportBlock(1, 0, 0, 0, 0, 1, 1)
    sender = build_rtcp([SenderReport(1, 1 << 40, 2, 3, 4), SourceDescription(1, "cname")])
    receiver = build_rtcp([ReceiverReport(1, (block,)), Goodbye((1,))])
    talk: list[Step] = [(4 * RTP, _rtp(index)) for index in range(8)]
    odd: list[Step] = [
        (4 * RTP, _rtp(8, extensions=((1, b"\x9e"), (4, b"0")))),
        (4 * RTP, _rtp(9, csrcs=(1, 2), padding=4)),
        (4 * RTP, _rtp(10, payload_type=63)),
        (4 * RTP, _rtp(11, ssrc=7)),
        (4 * RTP, _rtp(12, ssrc=8, payload=b"")),
        (4 * RTP + 1, _rtp(3)),
        (4 * RTP + 2, _rtp(3)),
    ]
    many: list[Step] = [(4 * RTP, _rtp(index, ssrc=index)) for index in range(12)]
    reports: list[Step] = [(4 * RTCP, sender), (4 * RTCP + 2, receiver), (4 * REPORT, b"")]
    rtcp_sources: list[Step] = [
        (4 * RTCP, build_rtcp([ReceiverReport(index)])) for index in range(1, 12)
    ]
    mute: list[Step] = [(4 * MUTE, b"\1"), talk[0], (4 * MUTE, b"\0")]
    replay: list[Step] = [(4 * REPEAT, b"\0\0"), (4 * REPEAT + 1, b"\1\1")]
    # Each packet holds the one before once more, and some of them never come.
    old = bytes((0xEF,)) + (960 << 10 | 4).to_bytes(3, "big")
    red: list[Step] = [
        (4 * RTP, _rtp(index, payload_type=63, payload=old + b"\x6fopusopus"))
        for index in (*range(6), 7, 8, 11, 9)
    ]
    media_ssrc = int.from_bytes(_SSRC, "big")
    nack = build_rtcp([ReceiverReport(1), Nack(1, media_ssrc, tuple(range(65_530, 65_536)))])
    asking: list[Step] = [
        (4 * RTCP + 2, nack),
        (4 * RTCP + 3, nack),
        (4 * RTCP + 2, b"\x81\xcd\0\3\0\0\0\1" + _SSRC + bytes(4)),
        (4 * WAIT, b"\1\0"),
        (4 * RTCP + 2, nack),
    ]
    raw: list[Step] = [
        (4 * RAW, datagram)
        for datagram in (b"", b"\x80", bytes(20), b"\x16\xfe\xfd" + bytes(10), b"\x80\xc8\0\1" * 9)
    ]
    courses: list[list[Step]] = [
        [*talk, *reports, *odd],
        [*talk, *mute, *talk, (4 * WAIT, b"\x10\0"), *odd, *reports],
        [*talk, (4 * SWITCH + 1, b""), *odd, *reports],
        [*many, *reports, *talk],
        [*rtcp_sources, *reports, *raw],
        [*talk, *replay, *raw],
        [*red, *asking, *talk, *asking],
        [*talk[:3], *talk[5:], (4 * WAIT, b"\0\x40"), talk[4], (4 * WAIT, b"\2\0"), *asking],
        [*red, (4 * SWITCH + 1, b""), *talk, *red, *asking, *reports],
    ]
    return [join(steps) for steps in courses]


TARGET = Target(run, seeds, max_length=6000, course=True)
