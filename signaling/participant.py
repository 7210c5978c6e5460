"""A participant of a room, what it sends (its publication) and what it hears (its subscriptions).

Plain state: `room.py` changes it, by messages and by what the relay tells. Whether a connection is answered
or can be consumed is asked of the relay's own state, so that it is written down once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from relay import ConnectionState, Speech, TransportParameters
from signaling.access import EVERYTHING_BUT_ADMIN, Grants
from signaling.media import MediaConsumer, MediaPublisher
from signaling.messages import (
    ConsumerAnswer,
    ConsumerCounters,
    IceRestartAnswer,
    OwnConsumer,
    OwnPublisher,
    OwnState,
    ParticipantInfo,
    PublishAudio,
    PublisherCounters,
    ServerMessage,
    Stats,
)
from signaling.negotiation import OfferSession


@dataclass(eq=False, slots=True)
class Participant:
    """Somebody in a room. id: random, told to everyone in the room. send: takes a message for the
    participant's socket, at once and without raising. grants: what it may do. address_group: what its
    address counts as to limits, empty if that is not known. mute_held: whether a moderator has muted it,
    None while none ever did. dismiss: ends its session, once it is out of the room."""

    name: str
    send: Callable[[ServerMessage], None]
    grants: Grants = EVERYTHING_BUT_ADMIN
    address_group: str = ""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    muted: bool = False
    mute_held: bool | None = None
    dismiss: Callable[[], None] = lambda: None
    publication: Publication | None = None
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    def info(self) -> ParticipantInfo:
        """What the others are told."""
        publication = self.publication
        heard = publication is not None and publication.is_consumable
        return ParticipantInfo(
            participant_id=self.id,
            name=self.name,
            muted=self.muted,
            publisher_id=publication.id if publication and heard else None,
            track_id=publication.media.track_id if publication and heard else None,
        )

    def own_publisher(self) -> OwnPublisher | None:
        """What this participant itself is told of its publisher when it comes back."""
        own = self.publication
        if own is None:
            return None
        return OwnPublisher(
            publisher_id=own.id, track_id=own.media.track_id, state=_word(own.media.state)
        )

    def own_consumers(self) -> list[OwnConsumer]:
        """Likewise, of its consumers."""
        return [
            OwnConsumer(
                consumer_id=item.id,
                publisher_id=item.publication.id,
                state=_word(item.media.state),
            )
            for item in self.subscriptions.values()
        ]

    def stats(self) -> Stats:
        """The counters of this participant's own connections."""
        return Stats(
            publisher=None if self.publication is None else self.publication.counters(),
            consumers={item.id: item.counters() for item in self.subscriptions.values()},
        )


@dataclass(eq=False, slots=True)
class Publication:
    """A participant's voice. request: the answer that waits for its media; restarting: the one that waits
    for another path. session: of its latest offer; offered: what the latest restart offered. started:
    whether its media ever came. speech: whether it is heard now. subscriptions: who hears it, by
    participant id."""

    owner: Participant
    media: MediaPublisher
    request: PublishAudio | None = None
    restarting: IceRestartAnswer | None = None
    session: OfferSession = field(default_factory=OfferSession)
    offered: TransportParameters | None = None
    started: bool = False
    speech: Speech = field(default_factory=Speech)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The `publisher_id`."""
        return self.media.id

    @property
    def is_consumable(self) -> bool:
        """Whether its media arrives."""
        return self.media.state is ConnectionState.CONNECTED

    def counters(self) -> PublisherCounters:
        """What came so far."""
        stats = self.media.stats()
        return PublisherCounters(
            publisher_id=self.id,
            packets_received=stats.packets_received,
            bytes_received=stats.bytes_received,
            packets_lost=stats.packets_lost,
            jitter=stats.jitter,
            round_trip_time=stats.round_trip_time,
            nack_count=stats.nack_count,
            packets_requested=stats.packets_requested,
            packets_recovered=stats.packets_recovered,
        )


@dataclass(eq=False, slots=True)
class Subscription:
    """One participant hears another's publication. request: the answer that waits for its media;
    restarting: the one that waits for another path. session: of its latest offer; offered: what
    the latest restart offered. started: whether its media ever could flow."""

    owner: Participant
    publication: Publication
    media: MediaConsumer
    request: ConsumerAnswer | None = None
    restarting: IceRestartAnswer | None = None
    session: OfferSession = field(default_factory=OfferSession)
    offered: TransportParameters | None = None
    started: bool = False

    @property
    def id(self) -> str:
        """The `consumer_id`."""
        return self.media.id

    def counters(self) -> ConsumerCounters:
        """What went so far."""
        stats = self.media.stats()
        return ConsumerCounters(
            publisher_id=self.publication.id,
            packets_sent=stats.packets_sent,
            bytes_sent=stats.bytes_sent,
            packets_lost=stats.packets_lost,
            jitter=stats.jitter,
            round_trip_time=stats.round_trip_time,
            nack_count=stats.nack_count,
            retransmitted_packets_sent=stats.retransmitted_packets_sent,
        )


def _word(state: ConnectionState) -> OwnState:
    return _WORDS.get(state, OwnState.CONNECTING)


_WORDS = {
    ConnectionState.NEW: OwnState.NEW,
    ConnectionState.CONNECTED: OwnState.CONNECTED,
}
