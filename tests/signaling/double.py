"""A relay without any network: the test says when media flows, and when it fails."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import count
from typing import Any

from relay import (
    CloseReason,
    ConnectionState,
    ConsumerStats,
    DtlsFingerprint,
    IceCandidate,
    IceParameters,
    InvalidStateError,
    NetworkChange,
    ParameterError,
    PublisherStats,
    RtpSource,
    SetupTimes,
    TransportParameters,
)

LOCAL_CANDIDATE = IceCandidate("1", 1, "udp", 2130706431, "192.0.2.1", 40000, "host")
REFUSED_FINGERPRINT = "00:" * 31 + "00"
"""What the double's `connect` refuses, as a relay refuses parameters that it cannot use."""

_numbers = count(1)


class Connection:
    """Like `relay`'s: emits `connected`, `closed` and `local_candidate`, synchronously."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.id = f"{type(self).__name__.lower()}-{number}"
        self.number = number
        self.state = ConnectionState.NEW
        self.setup = SetupTimes()
        self.remote: TransportParameters | None = None
        self.remote_candidates: list[IceCandidate | None] = []
        self.restarts: list[TransportParameters | None] = []
        self.generation = 0
        self.close_reason: CloseReason | None = None
        self._listeners: list[tuple[str, Callable[..., None]]] = []

    @property
    def local(self) -> TransportParameters:
        return TransportParameters(
            ice=IceParameters(f"ufrag{self.generation or ''}", "p" * 22),
            fingerprints=(DtlsFingerprint("sha-256", ":".join(["AB"] * 32)),),
            candidates=(LOCAL_CANDIDATE,),
            end_of_candidates=True,
        )

    def connect(self, remote: TransportParameters) -> None:
        if self.state is not ConnectionState.NEW:
            raise InvalidStateError("the transport", self.state, ConnectionState.NEW)
        if remote.fingerprints[0].value == REFUSED_FINGERPRINT:
            raise ParameterError("the fingerprint", "one that is not all zeros")
        self.remote = remote
        self.state = ConnectionState.CONNECTING

    def restart_ice(self) -> TransportParameters:
        if self.state is not ConnectionState.CONNECTED:
            raise InvalidStateError("the transport", self.state, ConnectionState.CONNECTED)
        if not self.restarts or self.restarts[-1] is not None:
            self.restarts.append(None)
            self.generation += 1
        return self.local

    def reconnect(self, remote: TransportParameters) -> None:
        if not self.restarts or self.restarts[-1] is not None:
            raise InvalidStateError("the ICE restart", "not begun", "begun")
        if remote.fingerprints[0].value == REFUSED_FINGERPRINT:
            raise ParameterError("the fingerprint", "the same as before")
        self.restarts[-1] = remote

    def add_remote_candidate(self, candidate: IceCandidate | None) -> None:
        self.remote_candidates.append(candidate)

    def add_listener(self, event: str, f: Callable[..., None]) -> None:
        self._listeners.append((event, f))

    def emit(self, event: str, *arguments: Any) -> None:
        for name, listener in tuple(self._listeners):
            if name == event:
                listener(*arguments)

    def close(self, reason: CloseReason = CloseReason.CLOSED) -> None:
        if self.state is ConnectionState.CLOSED:
            return
        self.state = ConnectionState.CLOSED
        self.close_reason = reason
        self.emit("closed", reason)

    # What the test does in the network's place.

    def establish(self) -> None:
        """ICE and DTLS are done."""
        assert self.state is ConnectionState.CONNECTING
        self.state = ConnectionState.CONNECTED
        self.emit("connected")

    @property
    def is_restarting(self) -> bool:
        """Whether an answered restart waits for its path."""
        return (
            self.state is ConnectionState.CONNECTED
            and bool(self.restarts)
            and self.restarts[-1] is not None
        )

    def find_another_path(self, how: NetworkChange = NetworkChange.RESTART) -> None:
        """The restart has worked, or the browser has moved by itself."""
        if how is NetworkChange.RESTART:
            assert self.restarts.pop() is not None
        self.emit("network_changed", how)

    def find_no_path(self) -> None:
        """The restart has not worked."""
        self.restarts.pop()
        self.emit("restart_failed")

    def fail(self) -> None:
        """The media path never came, or is lost."""
        self.close(CloseReason.FAILED)


class Publisher(Connection):
    def __init__(self, room: Hashable) -> None:
        super().__init__()
        self.room = room
        self.track_id = f"track-{self.number}"
        self.muted = False
        self.level: int | None = None
        self.consumers: list[Consumer] = []

    def close(self, reason: CloseReason = CloseReason.CLOSED) -> None:
        depends = reason if reason is CloseReason.SHUTDOWN else CloseReason.PUBLISHER_CLOSED
        for consumer in self.consumers:
            consumer.close(depends)
        super().close(reason)

    def stats(self) -> PublisherStats:
        return PublisherStats(10, 1000, 1, 0, 0.002, None, 3, 4, 5)

    def take_audio_level(self) -> int | None:
        level, self.level = self.level, None
        return level


class Consumer(Connection):
    def __init__(self, publisher: Publisher) -> None:
        super().__init__()
        self.publisher = publisher
        publisher.consumers.append(self)
        self.source = RtpSource(self.number, f"cname-{self.number}")

    def stats(self) -> ConsumerStats:
        return ConsumerStats(20, 2000, 2, 0.003, 0.04, nack_count=6, retransmitted_packets_sent=7)


class Relay:
    """Keeps what it made. broken: raised by the next `create_…`, as a fault of its own would be."""

    def __init__(self) -> None:
        self.publishers: dict[str, Publisher] = {}
        self.consumers: dict[str, Consumer] = {}
        self.broken: Exception | None = None

    def create_publisher(self, room: Hashable = None) -> Publisher:
        self._raise_if_broken()
        publisher = Publisher(room)
        self.publishers[publisher.id] = publisher
        return publisher

    def create_consumer(self, publisher: Publisher) -> Consumer:
        self._raise_if_broken()
        if publisher.state is not ConnectionState.CONNECTED:
            raise InvalidStateError("the publisher", publisher.state, ConnectionState.CONNECTED)
        consumer = Consumer(publisher)
        self.consumers[consumer.id] = consumer
        return consumer

    def open_connections(self) -> list[str]:
        """Ids of what nobody closed."""
        everything: list[Connection] = [*self.publishers.values(), *self.consumers.values()]
        return [item.id for item in everything if item.state is not ConnectionState.CLOSED]

    def _raise_if_broken(self) -> None:
        error, self.broken = self.broken, None
        if error is not None:
            raise error
