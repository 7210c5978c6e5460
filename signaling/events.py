"""What happens on a server, one fact a class, and who wants to know.

Rooms tell facts as they come about; the history, webhooks and metrics listen. A fact holds ids and
words, never an object that lives on. An observer is a plain function: it is called at once, on the event
loop, so it hands on whatever takes time. One that raises is logged and harms nobody.

    room          RoomStarted ... RoomEnded                     first participant to last
    participant   ParticipantJoined ... ParticipantLeft         ParticipantResumed, MuteChanged between
    publisher     PublisherStarted ... PublisherStopped         from its first possible media
    consumer      ConsumerStarted ... ConsumerStopped           likewise
    connection    ConnectionFailed, NetworkChanged, QualityFell of a publisher or a consumer

Each start has exactly one end, which comes after it, and what is inside ends first. A connection that never
got its media has neither; if its path failed there is a `ConnectionFailed`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from relay import SetupTimes

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about a room. room: its name, which is unique among those that are open. at: Unix seconds."""

    room: str
    at: float = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class RoomStarted(Event):
    """Its first participant is about to join."""


@dataclass(frozen=True, slots=True)
class RoomEnded(Event):
    """Its last participant has left."""


@dataclass(frozen=True, slots=True)
class ParticipantEvent(Event):
    """A fact about somebody in a room."""

    participant_id: str


@dataclass(frozen=True, slots=True)
class ParticipantJoined(ParticipantEvent):
    """Somebody is in. name: as told to the others; identity: from the token, None without one."""

    name: str
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class ParticipantLeft(ParticipantEvent):
    """Somebody is out. reason: a word of the protocol's `reason`."""

    reason: str


@dataclass(frozen=True, slots=True)
class ParticipantResumed(ParticipantEvent):
    """Somebody's signaling is back. gap_seconds: for how long it was away."""

    gap_seconds: float


@dataclass(frozen=True, slots=True)
class MuteChanged(ParticipantEvent):
    """Somebody muted or unmuted, or was muted."""

    muted: bool


@dataclass(frozen=True, slots=True)
class PublisherStarted(ParticipantEvent):
    """Somebody's voice can be consumed."""

    publisher_id: str


@dataclass(frozen=True, slots=True)
class PublisherStopped(ParticipantEvent):
    """Somebody's voice has ended. reason: a word of the protocol's `reason`."""

    publisher_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConsumerStarted(ParticipantEvent):
    """Somebody can hear a publisher."""

    consumer_id: str
    publisher_id: str


@dataclass(frozen=True, slots=True)
class ConsumerStopped(ParticipantEvent):
    """Somebody hears a publisher no longer. reason: a word of the protocol's `reason`."""

    consumer_id: str
    publisher_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionFailed(ParticipantEvent):
    """A connection never got its media. direction: `up` to the relay, `down` from it. reason: a word of the
    protocol's `reason`. setup: how far it came."""

    connection_id: str
    direction: Literal["up", "down"]
    reason: str
    setup: SetupTimes


@dataclass(frozen=True, slots=True)
class NetworkChanged(ParticipantEvent):
    """A connection goes another way. how: an ICE restart, or the other end's address alone."""

    connection_id: str
    how: Literal["restart", "address"]


@dataclass(frozen=True, slots=True)
class QualityFell(ParticipantEvent):
    """A connection has sounded bad for a while. score: 1 to 5, the mean over that while; bound: what it
    stayed under."""

    connection_id: str
    score: float
    bound: float


Observer = Callable[[Event], None]
"""Takes every fact at once; must not wait."""


class Observers:
    """Who is told. clock: Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.now = clock
        self._observers: list[Observer] = []

    def add(self, observer: Observer) -> None:
        """Tell `observer` of every fact from now on, after those that were added before it."""
        self._observers.append(observer)

    def tell(self, event: Event) -> None:
        """Call every observer. Never raises: what one of them raises is logged."""
        for observer in self._observers:
            try:
                observer(event)
            except Exception:
                logger.exception("an observer failed at %s", type(event).__name__)
