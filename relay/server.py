"""The relay: the object that a program makes, and everything it gets from it.

    relay = Relay(RelayConfig(media_port=40000))
    await relay.start()
    publisher = relay.create_publisher()      # offer publisher.local, then publisher.connect(answer)
    consumer = relay.create_consumer(publisher)
    await relay.close()

All calls belong on the event loop that `start` ran on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

from .address import Address
from .certificate import Certificate
from .connection import Connection
from .consumer import Consumer
from .dtls import DtlsContext
from .errors import AddressError, InvalidStateError, ParameterError
from .events import CloseReason, ConnectionState
from .interfaces import candidates, media_hosts
from .parameters import IceCandidate
from .publisher import Publisher
from .router import Router
from .stats import RelayStats

C = TypeVar("C", bound=Connection)

DEFAULT_MEDIA_PORT = 40_000


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """How a relay meets the network.

    media_hosts: addresses to open the UDP port on; none means every address of the machine.
    media_port: the one UDP port; 0 picks a free one. announce: addresses that clients are told in
    place of the local ones, for a relay behind address translation; with `local` among them, beside
    those. loopback: whether the loopback addresses count among the machine's.
    """

    media_hosts: tuple[str, ...] = ()
    media_port: int = DEFAULT_MEDIA_PORT
    announce: tuple[str, ...] = ()
    loopback: bool = True


class Relay:
    """Publishers, consumers, and the UDP port that they share."""

    def __init__(self, config: RelayConfig | None = None) -> None:
        self.config = config or RelayConfig()
        self._certificate = Certificate.generate()
        self._router = Router(DtlsContext(self._certificate))
        self._addresses: tuple[Address, ...] = ()
        self._connections: set[Connection] = set()
        self._running = False

    @property
    def candidates(self) -> tuple[IceCandidate, ...]:
        """What clients are told, best first; empty before `start`."""
        return candidates(self._addresses, self.config.announce)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses that the relay's sockets are bound to; empty before `start`."""
        return self._addresses

    async def start(self) -> None:
        """Open the sockets. Raises AddressError when one cannot be had, ParameterError for addresses
        that are none."""
        if self._running:
            raise InvalidStateError("the relay", "running", "stopped")
        hosts = media_hosts(self.config.media_hosts, loopback=self.config.loopback)
        candidates((), self.config.announce)
        if not hosts:
            raise ParameterError("media hosts", "at least one address of this machine")
        port = self.config.media_port
        try:
            for host in hosts:
                address = self._router.plane.open(Address(host, port))
                self._addresses += (address,)
                port = address.port  # one port for everybody, also when it was picked
        except AddressError:
            self._close_sockets()
            raise
        self._running = True

    async def add_media_host(self, host: str) -> None:
        """Open the UDP port on one more address, for an interface that came up. Living connections
        use it too: each emits `local_candidate`. Raises AddressError, InvalidStateError."""
        self._require_running()
        address = self._router.plane.open(Address(host, self._addresses[0].port))
        before = self.candidates
        self._addresses += (address,)
        found = tuple(
            candidate
            for candidate in self.candidates
            if (candidate.address, candidate.port) not in {(c.address, c.port) for c in before}
        )
        for connection in tuple(self._connections):
            connection.add_local_candidate(address, found)

    def create_publisher(self) -> Publisher:
        """A connection that a browser will send its voice by. Raises InvalidStateError."""
        self._require_running()
        return self._keep(
            Publisher(self._router, self._addresses, self.candidates, self._certificate.fingerprint)
        )

    def create_consumer(self, publisher: Publisher) -> Consumer:
        """A connection that gets `publisher`'s voice. Raises InvalidStateError unless that one is
        connected."""
        self._require_running()
        if publisher.state is not ConnectionState.CONNECTED:
            raise InvalidStateError("the publisher", publisher.state, ConnectionState.CONNECTED)
        return self._keep(
            Consumer(
                self._router,
                self._addresses,
                self.candidates,
                self._certificate.fingerprint,
                publisher,
            )
        )

    def stats(self) -> RelayStats:
        """Counters since the start, and what there is now."""
        plane = self._router.plane.counters()
        publishers = sum(isinstance(connection, Publisher) for connection in self._connections)
        return RelayStats(
            publishers=publishers,
            consumers=len(self._connections) - publishers,
            bound_addresses=len(self._router.bindings),
            datagrams_received=plane.datagrams_received,
            rtp_packets_received=plane.rtp_packets_received,
            packets_forwarded=plane.packets_forwarded,
            forward_latency=plane.forward_latency,
            drops=dict(self._router.drops + Counter(plane.drops)),
        )

    async def close(self) -> None:
        """Close every connection (CloseReason.SHUTDOWN) and the sockets."""
        self._running = False
        for connection in tuple(self._connections):
            connection.close(CloseReason.SHUTDOWN)
        await self._router.ice.close()
        self._close_sockets()

    def _close_sockets(self) -> None:
        self._router.plane.close()
        self._addresses = ()

    def _require_running(self) -> None:
        if not self._running:
            raise InvalidStateError("the relay", "stopped", "running")

    def _keep(self, connection: C) -> C:
        self._connections.add(connection)
        connection.once("closed", lambda _: self._connections.discard(connection))
        return connection
