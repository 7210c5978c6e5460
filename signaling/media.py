"""The part of the relay that signaling uses, as protocols.

`relay.Relay`, `relay.Publisher` and `relay.Consumer` fit them; so can anything else that moves media, such
as a double in the tests of `room.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from relay import (
    CloseReason,
    ConnectionState,
    ConsumerStats,
    IceCandidate,
    PublisherStats,
    RtpSource,
    SetupTimes,
    TransportParameters,
)


class MediaConnection(Protocol):
    """One transport to one browser. Emits `connected`, `closed`, `local_candidate`, `network_changed`,
    `doubtful` and `restart_failed`."""

    id: str

    @property
    def local(self) -> TransportParameters:
        """What to offer."""

    @property
    def state(self) -> ConnectionState:
        """Where it stands."""

    @property
    def setup(self) -> SetupTimes:
        """When its set-up came how far."""

    def connect(self, remote: TransportParameters) -> None:
        """Take the answer. Raises InvalidStateError, ParameterError."""

    def restart_ice(self) -> TransportParameters:
        """Begin an ICE restart: what to offer; the same again while it waits for its answer. Raises
        InvalidStateError unless connected."""

    def reconnect(self, remote: TransportParameters) -> None:
        """Take the answer to a restart. Raises InvalidStateError, ParameterError."""

    def add_remote_candidate(self, candidate: IceCandidate | None) -> None:
        """One more address of the browser's; None: that was the last."""

    def close(self, reason: CloseReason = CloseReason.CLOSED) -> None:
        """End it; idempotent."""

    def add_listener(self, event: str, f: Callable[..., None]) -> Any:
        """Call `f` whenever `event` is emitted."""


class MediaPublisher(MediaConnection, Protocol):
    """A browser's voice, on its way to the relay. When it closes, its consumers close before it, and emit
    `closed` with `CloseReason.PUBLISHER_CLOSED` (`SHUTDOWN` when the relay itself closes)."""

    track_id: str

    @property
    def muted(self) -> bool:
        """While true, nothing is forwarded."""

    @muted.setter
    def muted(self, muted: bool) -> None: ...

    def stats(self) -> PublisherStats:
        """What came so far."""

    def take_audio_level(self) -> int | None:
        """How loud it was since the last call, in dBov; None when there was nothing to hear."""


class MediaConsumer(MediaConnection, Protocol):
    """One publisher's voice, on its way to a browser."""

    @property
    def source(self) -> RtpSource:
        """What to announce in the offer."""

    def stats(self) -> ConsumerStats:
        """What went so far."""


class MediaRelay(Protocol):
    """What makes publishers and consumers."""

    def create_publisher(self, room: Hashable = None) -> MediaPublisher:
        """room: whatever tells one room from another. Raises InvalidStateError when the relay does
        not run."""

    # Any: a relay takes back only the publishers that it made itself.
    def create_consumer(self, publisher: Any) -> MediaConsumer:
        """Raises InvalidStateError unless the publisher is connected."""
