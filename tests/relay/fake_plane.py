"""A media plane without sockets, and the transport's other end behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from relay.address import Address, Path
from relay.certificate import Certificate
from relay.dtls import DtlsContext
from relay.events import NetworkChange
from relay.ice import IceMux
from relay.latency import LatencyHistogram
from relay.parameters import DtlsRole, TransportParameters
from relay.plane import Control, PlaneCounters, Sink, SinkCounters, Source, SourceCounters, Stage
from relay.responder import Responder
from relay.router import Router
from relay.rtcp import RtcpPacket
from relay.srtp import SrtpKeys
from relay.transport import Transport, TransportObserver

from .ice_peer import LOCAL, REMOTE, Peer
from .openssl import OpenSslPeer

OURS = Certificate.generate()
THEIRS = Certificate.generate()
CONTEXT = DtlsContext(OURS)


class FakeSource:
    """A source that gets nothing."""

    muted = False
    stage: Stage | None = None

    def enter(self, stage: Stage) -> None:
        """Remember it."""
        self.stage = stage

    def leave(self) -> None:
        """Forget it."""
        self.stage = None

    def levels(self) -> tuple[int, int]:
        """Zeros."""
        return 0, 0

    def counters(self) -> SourceCounters:
        """Zeros."""
        return SourceCounters(0, 0, 0, 0, None, 0, 0, 0, 0.0)

    def missing(self) -> tuple[int | None, list[int]]:
        """Nothing."""
        return None, []


class FakeSink:
    """A sink that is never given anything. following: its source."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.following: Source | None = None

    def detach(self) -> None:
        """Follow nothing."""
        self.following = None

    def counters(self) -> SinkCounters:
        """Zeros."""
        return SinkCounters(0, 0, 0, 0.0)


class FakePlane:
    """Remembers what it is told. sent: every datagram; bound: sources by path; settled: who would answer
    there; known: where nobody would, but who sends is connected still."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.sent: list[tuple[Path, bytes]] = []
        self.bound: dict[Path, Source] = {}
        self.settled: dict[Path, tuple[Responder, bool]] = {}
        self.known: set[Path] = set()
        self.peers: dict[Address, DtlsPeer] = {}

    def open(self, address: Address, thread: int = 0) -> Address:
        """Nothing to open."""
        return address

    def close(self) -> None:
        """Nothing to close."""

    def send(self, path: Path, datagram: bytes) -> None:
        """Give a datagram to the peer at the other end of `path`, one turn of the loop later."""
        self.sent.append((path, datagram))
        if path.remote in self.peers:
            asyncio.get_running_loop().call_soon(self.peers[path.remote].receive, path, datagram)

    def source(
        self,
        keys: SrtpKeys,
        path: Path,
        now: float,
        *,
        red: bool = False,
        on_gap: Callable[[], None] | None = None,
    ) -> Source:
        """A source that gets nothing."""
        return FakeSource()

    def stage(self, seats: int, thread: int = 0) -> Stage:
        """Any object will do."""
        return object()

    def bind(self, path: Path, source: Source) -> None:
        """Remember it."""
        self.bound[path] = source

    def unbind(self, path: Path) -> None:
        """Forget it."""
        self.bound.pop(path, None)

    def settle(self, path: Path, responder: Responder, *, reports_wait: bool = False) -> None:
        """Remember it."""
        self.settled[path] = responder, reports_wait
        self.known.discard(path)

    def unsettle(self, path: Path, *, known: bool = False) -> None:
        """Forget it."""
        self.settled.pop(path, None)
        (self.known.add if known else self.known.discard)(path)

    def sink(
        self,
        keys: SrtpKeys,
        ssrc: int,
        path: Path,
        sequence: int,
        timestamp: int,
        *,
        red: bool = False,
        nack: bool = False,
    ) -> Sink:
        """A sink that sends nothing."""
        return FakeSink(path)

    def direct(self, sink: Sink, path: Path) -> None:
        """Remember the path."""
        assert isinstance(sink, FakeSink)
        sink.path = path

    def attach(self, sink: Sink, source: Source, now: float) -> None:
        """Remember the source."""
        assert isinstance(sink, FakeSink)
        sink.following = source

    def retransmit(self, sink: Sink, sequences: Sequence[int]) -> int:
        """Nothing is there."""
        return 0

    def inject(self, path: Path, datagram: bytes, arrival: float) -> None:
        """Only what is not media can come here."""
        self.control(path, datagram, arrival)

    def poll(self) -> None:
        """Nothing waits."""

    def counters(self) -> PlaneCounters:
        """Zeros."""
        return PlaneCounters(0, 0, 0, 0, LatencyHistogram().summary(), {}, {})


class FakeNetwork:
    """A router on a fake plane, and peers."""

    def __init__(self) -> None:
        self.planes: list[FakePlane] = []

        def create(control: Control) -> FakePlane:
            self.planes.append(FakePlane(control))
            return self.planes[0]

        self.router = Router(CONTEXT, create)
        self.plane = self.planes[0]

    @property
    def peers(self) -> dict[Address, DtlsPeer]:
        """By address."""
        return self.plane.peers

    def receive(self, path: Path, datagram: bytes) -> None:
        """Give the router a datagram that comes just now."""
        self.router.receive(path, datagram, time.monotonic())

    @property
    def mux(self) -> IceMux:
        """The router's."""
        return self.router.ice


class DtlsPeer(Peer):
    """An ICE peer that speaks DTLS, too. dtls: None until `speak_dtls`."""

    def __init__(
        self, network: FakeNetwork, transport: Transport, address: Address = REMOTE
    ) -> None:
        super().__init__(network, transport._ice, address)
        self.dtls: OpenSslPeer | None = None
        self._give = network.receive

    def parameters(self, role: DtlsRole = DtlsRole.CLIENT) -> TransportParameters:
        """What the signaling tells of this end."""
        return TransportParameters(self.credentials, (THEIRS.fingerprint,), role)

    def speak_dtls(self, *, client: bool = True, local: Address = LOCAL) -> None:
        """Begin, or wait for the other end to begin."""
        self.dtls = OpenSslPeer(THEIRS, client=client)
        self._flush(Path(local, self.address))

    def receive(self, path: Path, datagram: bytes) -> None:
        """Take what the relay sent."""
        if datagram[0] <= 3:
            super().receive(path, datagram)
        elif datagram[0] <= 63 and self.dtls is not None:
            self.dtls.receive(datagram)
            self._flush(path)

    def _flush(self, path: Path) -> None:
        assert self.dtls is not None
        for record in self.dtls.datagrams():
            self._give(path, record)


class Recorder:
    """A transport's observer that writes down what it is told."""

    def __init__(self) -> None:
        self.connected: list[tuple[SrtpKeys, Path]] = []
        self.validated: list[Path] = []
        self.selected: list[Path] = []
        self.changes: list[NetworkChange | None] = []
        self.lost = 0
        self.doubts = 0
        self.failed_restarts = 0
        self.rtcp: list[list[RtcpPacket]] = []
        self.failures: list[str] = []

    def observer(self) -> TransportObserver:
        """What to give to the transport."""
        return TransportObserver(
            connected=lambda keys, path: self.connected.append((keys, path)),
            validated=self.validated.append,
            selected=self._select,
            lost=partial(self._count, "lost"),
            doubtful=partial(self._count, "doubts"),
            restart_failed=partial(self._count, "failed_restarts"),
            rtcp=lambda packets, arrival: self.rtcp.append(packets),
            failed=self.failures.append,
        )

    def _select(self, path: Path, how: NetworkChange | None) -> None:
        self.selected.append(path)
        self.changes.append(how)

    def _count(self, what: str) -> None:
        setattr(self, what, getattr(self, what) + 1)
