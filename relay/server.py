"""The relay: the object that a program makes, and everything it gets from it.

    relay = Relay(RelayConfig(media_port=40000))
    await relay.start()
    publisher = relay.create_publisher()      # offer publisher.local, then publisher.connect(answer)
    consumer = relay.create_consumer(publisher)
    await relay.close()

All calls belong on the event loop that `start` ran on.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from .address import Address
from .certificate import Certificate
from .connection import Connection
from .consumer import Consumer
from .demux import Protocol
from .dtls import DtlsContext
from .errors import AddressError, InvalidStateError, ParameterError
from .events import CloseReason, ConnectionState
from .faults import Complaints, Fault
from .interfaces import candidates, media_hosts
from .loudest import MAX_SEATS
from .native import AVAILABLE as NATIVE_AVAILABLE
from .native import MAX_THREADS, NativePlane
from .observer import SpeakerObserver
from .parameters import IceCandidate
from .placement import Placement
from .plane import Control, MediaPlane, Stage
from .publisher import Publisher
from .python_plane import PythonPlane
from .router import Router
from .stats import DropReason, RelayStats
from .udp import open_socket

C = TypeVar("C", bound=Connection)

logger = logging.getLogger(__name__)

DEFAULT_MEDIA_PORT = 40_000

FAULTS_STEP = 1.0
"""Seconds between two looks at what the system refused."""


class PlaneKind(StrEnum):
    """Which media plane forwards."""

    AUTO = "auto"
    """The native one where it was built, else the one in Python."""
    NATIVE = "native"
    PYTHON = "python"


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """How a relay meets the network.

    media_hosts: addresses to open the UDP port on; none means every address of the machine.
    media_port: the one UDP port; 0 picks a free one. announce: addresses that clients are told in
    place of the local ones, for a relay behind address translation; with `local` among them, beside
    those. loopback: whether the loopback addresses count among the machine's.
    media_plane: native or Python. media_threads: threads of the native one, 1 to 16; each takes a port
    of its own, counted up from `media_port`. realtime: whether these may run before everything else on
    the machine, where the system allows it: then a packet waits for no other program. loudest: how
    many publishers of a room are forwarded at a time, those that speak (`loudest.py`), up to 64; 0: all
    of them. red: browsers are asked for redundant audio (RFC 2198), which takes about twice the bitrate,
    and survives the loss of single packets; else they may send it.
    """

    media_hosts: tuple[str, ...] = ()
    media_port: int = DEFAULT_MEDIA_PORT
    announce: tuple[str, ...] = ()
    loopback: bool = True
    media_plane: PlaneKind = PlaneKind.AUTO
    media_threads: int = 1
    loudest: int = 0
    red: bool = False
    realtime: bool = True


class Relay:
    """Publishers, consumers, and the UDP port that they share.

    plane: the kind of media plane that forwards, `NATIVE` or `PYTHON`. Raises ParameterError when the
    configuration asks for one that is not there.
    """

    def __init__(self, config: RelayConfig | None = None) -> None:
        self.config = config or RelayConfig()
        self.plane = _choose(self.config)
        self._certificate = Certificate.generate()
        self._router = Router(
            DtlsContext(self._certificate), self._create_plane, red_first=self.config.red
        )
        self._placement = Placement(self.config.media_threads)
        self._addresses: list[tuple[Address, ...]] = [()] * self.config.media_threads
        self._connections: set[Connection] = set()
        self._stages: dict[Hashable, Stage] = {}
        self._complaints = Complaints()
        self._state = "new"  # then running, then closed; a relay is used once

    @property
    def realtime(self) -> bool:
        """Whether the media threads run at real-time priority; it is known after `start`."""
        plane = self._router.plane
        return isinstance(plane, NativePlane) and plane.realtime

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses that the relay's sockets are bound to; empty before `start`."""
        return tuple(address for addresses in self._addresses for address in addresses)

    @property
    def candidates(self) -> tuple[IceCandidate, ...]:
        """What clients are told, best first; empty before `start`. With several media threads each
        client is told those of its own."""
        return candidates(self.addresses, self.config.announce)

    async def start(self) -> None:
        """Open the sockets. Raises AddressError when one cannot be had, ParameterError for addresses
        that are none, InvalidStateError when it was started before."""
        if self._state != "new":
            raise InvalidStateError("the relay", self._state, "new")
        candidates((), self.config.announce)
        hosts = media_hosts(self.config.media_hosts, loopback=self.config.loopback)
        if not hosts:
            raise ParameterError("media hosts", "at least one address of this machine")
        try:
            for thread in range(self.config.media_threads):
                self._open(hosts, thread)
        except AddressError:
            self._close_sockets()
            raise
        self._state = "running"
        self._watch_faults()

    def _watch_faults(self) -> None:
        """Say what the system refused, now and from now on."""
        self._complain()
        self._router.timers.call_later(FAULTS_STEP, self._watch_faults)

    def _complain(self) -> None:
        plane = self._router.plane.counters()
        totals = {Fault("datagrams could not be sent", e): n for e, n in plane.send_errors.items()}
        for error, count in plane.receive_errors.items():
            totals[Fault("receiving failed", error)] = count
        totals[Fault("datagrams found a receive buffer full")] = plane.datagrams_missed
        for complaint in self._complaints.due(totals, time.monotonic()):
            logger.warning("%s", complaint)

    def _open(self, hosts: list[str], thread: int) -> None:
        """Open one port for all hosts: the thread's share of the configured ones, or any."""
        port = self.config.media_port and self.config.media_port + thread
        for host in hosts:
            address = self._router.plane.open(Address(host, port), thread)
            self._addresses[thread] += (address,)
            port = address.port  # the same for every host, also when it was picked

    async def add_media_host(self, host: str) -> None:
        """Open the UDP port on one more address, for an interface that came up. Living connections
        use it too: each emits `local_candidate`. Raises AddressError, InvalidStateError."""
        self._require_running()
        before = [self._local(thread)[1] for thread in range(self.config.media_threads)]
        wanted = [Address(host, addresses[0].port) for addresses in self._addresses]
        for address in wanted:
            open_socket(address).close()  # all of them or none: a thread keeps what it has opened
        for thread, address in enumerate(wanted):
            self._addresses[thread] += (self._router.plane.open(address, thread),)
        for connection in tuple(self._connections):
            addresses, told = self._local(connection.thread)
            known = {(candidate.address, candidate.port) for candidate in before[connection.thread]}
            found = [new for new in told if (new.address, new.port) not in known]
            connection.add_local_candidate(addresses[-1], tuple(found))

    def create_publisher(self, room: Hashable = None) -> Publisher:
        """A connection that a browser will send its voice by. room: whatever tells one room from
        another; its publishers share a media thread. Raises InvalidStateError."""
        self._require_running()
        thread = self._placement.place_publisher(room)
        stage = self._stage(room, thread)
        publisher = Publisher(
            self._router, *self._local(thread), self._certificate.fingerprint, thread, stage
        )
        return self._keep(publisher, room)

    def create_consumer(self, publisher: Publisher) -> Consumer:
        """A connection that gets `publisher`'s voice. Raises InvalidStateError unless that one is
        connected."""
        self._require_running()
        if publisher.state is not ConnectionState.CONNECTED:
            raise InvalidStateError("the publisher", publisher.state, ConnectionState.CONNECTED)
        thread = self._placement.place_consumer(publisher.thread)
        consumer = Consumer(
            self._router, *self._local(thread), self._certificate.fingerprint, thread, publisher
        )
        return self._keep(consumer, None)

    def create_speaker_observer(self) -> SpeakerObserver:
        """Tells by events who of a group of publishers is heard. Close it when it is of no use any more."""
        return SpeakerObserver()

    def stats(self) -> RelayStats:
        """Counters since the start, and what there is now."""
        plane = self._router.plane.counters()
        used = self._router.used + Counter({Protocol.STUN: plane.checks_answered})
        publishers = sum(isinstance(connection, Publisher) for connection in self._connections)
        unsent = Counter(plane.control_unsent)
        if self._router.ice.withheld:
            unsent[DropReason.CHECK_WITHHELD] = self._router.ice.withheld
        return RelayStats(
            publishers=publishers,
            consumers=len(self._connections) - publishers,
            bound_addresses=len(self._router.bindings),
            datagrams_received=plane.datagrams_received,
            rtp_packets_received=plane.rtp_packets_received,
            packets_forwarded=plane.packets_forwarded,
            forward_latency=plane.forward_latency,
            drops=dict(self._router.drops + Counter(plane.drops) + unsent),
            rtp_packets_accepted=plane.rtp_packets_accepted,
            control_used={kind.name.lower(): n for kind, n in used.items()},
            control_unsent=dict(unsent),
            packets_retransmitted=plane.packets_retransmitted,
            packets_recovered=plane.packets_recovered,
            retransmissions_refused=dict(self._router.refusals),
            datagrams_missed=plane.datagrams_missed,
            send_errors=plane.send_errors,
            receive_errors=plane.receive_errors,
        )

    async def close(self) -> None:
        """Close every connection (CloseReason.SHUTDOWN) and the sockets."""
        self._state = "closed"
        self._complain()
        for connection in tuple(self._connections):
            connection.close(CloseReason.SHUTDOWN)
        self._router.timers.close()
        await self._router.ice.close()
        self._close_sockets()

    def _create_plane(self, control: Control) -> MediaPlane:
        if self.plane is PlaneKind.NATIVE:
            return NativePlane(control, self.config.media_threads, realtime=self.config.realtime)
        return PythonPlane(control)

    def _stage(self, room: Hashable, thread: int) -> Stage | None:
        """Where a room's publishers compete; None where all are forwarded."""
        if not self.config.loudest or room is None:
            return None
        if room not in self._stages:
            self._stages[room] = self._router.plane.stage(self.config.loudest, thread)
        return self._stages[room]

    def _local(self, thread: int) -> tuple[tuple[Address, ...], tuple[IceCandidate, ...]]:
        """A thread's addresses, and what clients are told of them."""
        addresses = self._addresses[thread]
        return addresses, candidates(addresses, self.config.announce)

    def _close_sockets(self) -> None:
        self._router.plane.close()
        self._addresses = [()] * self.config.media_threads

    def _require_running(self) -> None:
        if self._state != "running":
            raise InvalidStateError("the relay", self._state, "running")

    def _keep(self, connection: C, room: Hashable) -> C:
        def forget(_: CloseReason) -> None:
            self._connections.discard(connection)
            if self._placement.release(connection.thread, room):
                self._stages.pop(room, None)

        self._connections.add(connection)
        connection.once("closed", forget)
        return connection


def _choose(config: RelayConfig) -> PlaneKind:
    """The kind of plane that a configuration gets. Raises ParameterError."""
    if config.media_plane is PlaneKind.NATIVE and not NATIVE_AVAILABLE:
        raise ParameterError("media plane", "python: the native one was not built on installation")
    native = config.media_plane is not PlaneKind.PYTHON and NATIVE_AVAILABLE
    if not 1 <= config.media_threads <= MAX_THREADS:
        raise ParameterError("media threads", f"1 to {MAX_THREADS}")
    if config.media_threads > 1 and not native:
        raise ParameterError("media threads", "1 with the Python media plane")
    if not 0 <= config.loudest <= MAX_SEATS:
        raise ParameterError("loudest", f"0 to {MAX_SEATS}")
    return PlaneKind.NATIVE if native else PlaneKind.PYTHON
