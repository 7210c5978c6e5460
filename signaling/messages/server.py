"""Server to client: one frozen struct per message. Those that can be a direct reply then carry its `id`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

from signaling.errors import ErrorCode
from signaling.messages.fields import IceCandidateInit, Offer, Reason, RequestId


class ServerMessage(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every message from the server may carry: the `id` of the message that it answers."""

    id: RequestId | UnsetType = UNSET


class ParticipantInfo(Struct, frozen=True):
    """Somebody else in the room. Both ids are null while nothing of them can be consumed."""

    participant_id: str
    name: str
    muted: bool
    publisher_id: str | None
    track_id: str | None


class _RoomState(ServerMessage, frozen=True, kw_only=True):
    room: str
    participant_id: str
    participants: list[ParticipantInfo]
    ice_servers: list[dict[str, Any]]
    resume_token: str | None


class OwnState(StrEnum):
    """Where one's own connection stands: its offer is not answered, its media is awaited, or flows."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class OwnPublisher(Struct, frozen=True):
    """One's own publisher."""

    publisher_id: str
    track_id: str
    state: OwnState


class OwnConsumer(Struct, frozen=True):
    """A consumer of one's own."""

    consumer_id: str
    publisher_id: str
    state: OwnState


class RoomJoined(_RoomState, frozen=True, kw_only=True, tag="room_joined"):
    """The room as its newest participant finds it. `participants` are the others; `ice_servers` is for
    `RTCConfiguration.iceServers`; `resume_token` is for `resume_room`, and null when that is off."""


class RoomResumed(_RoomState, frozen=True, kw_only=True, tag="room_resumed"):
    """The room as its returning participant finds it; as `room_joined`, with a new token. `muted`,
    `publisher` and `consumers` are one's own."""

    muted: bool
    publisher: OwnPublisher | None
    consumers: list[OwnConsumer]


class ParticipantJoined(ServerMessage, frozen=True, kw_only=True, tag="participant_joined"):
    """Somebody came. To the others."""

    participant_id: str
    name: str


class ParticipantLeft(ServerMessage, frozen=True, kw_only=True, tag="participant_left"):
    """Somebody is gone. To the others."""

    participant_id: str


class ParticipantMuted(ServerMessage, frozen=True, kw_only=True, tag="participant_muted"):
    """Somebody is muted, or no longer. To everyone in the room."""

    participant_id: str
    muted: bool


class MuteHeld(ServerMessage, frozen=True, kw_only=True, tag="mute_held"):
    """A moderator has muted somebody, who cannot unmute while `held`. To everyone in the room, and to who
    comes to it, or back, of everyone whom it was ever said of."""

    participant_id: str
    held: bool


class ParticipantRemoved(ServerMessage, frozen=True, kw_only=True, tag="participant_removed"):
    """A moderator takes somebody out of the room. To everyone in the room, that one too, whose socket is
    closed then."""

    participant_id: str


class PublisherCreated(ServerMessage, frozen=True, kw_only=True, tag="publisher_created"):
    """The connection to send one's voice by; answer its offer by `publish_audio`."""

    publisher_id: str
    offer: Offer


class AudioPublished(ServerMessage, frozen=True, kw_only=True, tag="audio_published"):
    """One's voice arrives and can be consumed."""

    publisher_id: str
    track_id: str


class NewPublisher(ServerMessage, frozen=True, kw_only=True, tag="new_publisher"):
    """Somebody's voice can be consumed. To the others."""

    publisher_id: str
    participant_id: str
    track_id: str


class PublisherClosed(ServerMessage, frozen=True, kw_only=True, tag="publisher_closed"):
    """A publisher ended. To everyone in the room."""

    publisher_id: str
    reason: Reason


class ConsumerCreated(ServerMessage, frozen=True, kw_only=True, tag="consumer_created"):
    """The connection that brings a voice; answer its offer by `consumer_answer`."""

    consumer_id: str
    publisher_id: str
    offer: Offer


class ConsumerConnected(ServerMessage, frozen=True, kw_only=True, tag="consumer_connected"):
    """The voice is on its way."""

    consumer_id: str


class ConsumerClosed(ServerMessage, frozen=True, kw_only=True, tag="consumer_closed"):
    """A consumer ended. To its owner."""

    consumer_id: str
    reason: Reason


class IceRestart(ServerMessage, frozen=True, kw_only=True, tag="ice_restart"):
    """An offer with new ICE credentials for one connection; answer it by `ice_restart_answer`, with its
    `offer_version`. The reply to `restart_ice`, and sent unasked when that connection's client answers no
    ICE checks any more."""

    publisher_id: str | UnsetType = UNSET
    consumer_id: str | UnsetType = UNSET
    offer: Offer
    offer_version: int


class IceRestarted(ServerMessage, frozen=True, kw_only=True, tag="ice_restarted"):
    """Media takes a new path."""

    publisher_id: str | UnsetType = UNSET
    consumer_id: str | UnsetType = UNSET


class PublisherCandidateFound(
    ServerMessage, frozen=True, kw_only=True, tag="publisher_ice_candidate"
):
    """A candidate of the relay's that was found after the publisher's offer."""

    publisher_id: str
    candidate: IceCandidateInit | None


class ConsumerCandidateFound(
    ServerMessage, frozen=True, kw_only=True, tag="consumer_ice_candidate"
):
    """A candidate of the relay's that was found after the consumer's offer."""

    consumer_id: str
    candidate: IceCandidateInit | None


class AudioLevel(Struct, frozen=True):
    """How loud somebody is, in dBov (RFC 6464)."""

    participant_id: str
    level: Annotated[float, Meta(ge=-127, le=0)]
    speaking: bool


class AudioLevels(ServerMessage, frozen=True, kw_only=True, tag="audio_levels"):
    """Who is heard, and once more who just stopped. To everyone in the room."""

    levels: list[AudioLevel]


class DominantSpeakerChanged(ServerMessage, frozen=True, kw_only=True, tag="dominant_speaker"):
    """Who dominates the conversation from now on; null: who did has gone or is muted, and nobody has taken
    over. To everyone in the room, and to who comes while somebody does."""

    participant_id: str | None


class PublisherCounters(Struct, frozen=True, kw_only=True, rename="camel"):
    """What came from one's publisher, by the names of webrtc-stats; times in seconds, null if unknown.
    Beyond those: packets that were asked for again, and lost ones that redundant audio stood in for."""

    publisher_id: str = field(name="publisher_id")
    packets_received: int
    bytes_received: int
    packets_lost: int
    jitter: float
    round_trip_time: float | None
    nack_count: int = 0
    packets_requested: int = 0
    packets_recovered: int = 0


class ConsumerCounters(Struct, frozen=True, kw_only=True, rename="camel"):
    """What went to one's consumer, by the names of webrtc-stats; times in seconds, null if unknown."""

    publisher_id: str = field(name="publisher_id")
    packets_sent: int
    bytes_sent: int
    packets_lost: int
    jitter: float
    round_trip_time: float | None
    nack_count: int = 0
    retransmitted_packets_sent: int = 0


class Stats(ServerMessage, frozen=True, kw_only=True, tag="stats"):
    """One's own counters; `consumers` by `consumer_id`."""

    publisher: PublisherCounters | None
    consumers: dict[str, ConsumerCounters]


class RoomLeft(ServerMessage, frozen=True, kw_only=True, tag="room_left"):
    """One is in no room any more."""


class ServerDraining(ServerMessage, frozen=True, kw_only=True, tag="server_draining"):
    """The server is going to stop: when all rooms are empty, or in so many seconds. It takes nobody in any
    more. To everyone in every room; to who comes back to one; and to who is refused for it."""

    seconds: int


class Error(ServerMessage, frozen=True, kw_only=True, tag="error"):
    """A message that could not be done, and why, in one sentence."""

    code: ErrorCode
    message: str


AnyServerMessage = (
    RoomJoined
    | RoomResumed
    | ParticipantJoined
    | ParticipantLeft
    | ParticipantMuted
    | MuteHeld
    | ParticipantRemoved
    | PublisherCreated
    | AudioPublished
    | NewPublisher
    | PublisherClosed
    | ConsumerCreated
    | ConsumerConnected
    | ConsumerClosed
    | IceRestart
    | IceRestarted
    | PublisherCandidateFound
    | ConsumerCandidateFound
    | AudioLevels
    | DominantSpeakerChanged
    | Stats
    | RoomLeft
    | ServerDraining
    | Error
)
"""Whatever the server may send."""
