"""Client to server: one frozen struct per message. Unknown fields are ignored."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from signaling.messages.fields import Answer, DisplayName, IceCandidateInit, RequestId, RoomName


class ClientMessage(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every message from a client may carry."""

    id: RequestId | UnsetType = UNSET


class JoinRoom(ClientMessage, frozen=True, kw_only=True, tag="join_room"):
    """Enter a room, which begins with its first participant. Answered by `room_joined`."""

    room: RoomName
    name: DisplayName
    token: str | None = None


class ResumeRoom(ClientMessage, frozen=True, kw_only=True, tag="resume_room"):
    """Go on where a lost socket stopped. Answered by `room_resumed`."""

    resume_token: str


class CreatePublisher(ClientMessage, frozen=True, kw_only=True, tag="create_publisher"):
    """Ask for a connection to send one's voice by. Answered by `publisher_created`."""


class PublishAudio(ClientMessage, frozen=True, kw_only=True, tag="publish_audio"):
    """Answer the publisher's offer. Answered by `audio_published`, once media can flow."""

    publisher_id: str
    answer: Answer


class PublisherCandidate(ClientMessage, frozen=True, kw_only=True, tag="publisher_ice_candidate"):
    """A candidate of the browser's for its publisher; null is the end of candidates. No reply."""

    publisher_id: str
    candidate: IceCandidateInit | None


class CreateConsumer(ClientMessage, frozen=True, kw_only=True, tag="create_consumer"):
    """Ask for a connection that brings somebody's voice. Answered by `consumer_created`."""

    publisher_id: str


class ConsumerAnswer(ClientMessage, frozen=True, kw_only=True, tag="consumer_answer"):
    """Answer the consumer's offer. Answered by `consumer_connected`, once media can flow."""

    consumer_id: str
    answer: Answer


class ConsumerCandidate(ClientMessage, frozen=True, kw_only=True, tag="consumer_ice_candidate"):
    """A candidate of the browser's for a consumer; null is the end of candidates. No reply."""

    consumer_id: str
    candidate: IceCandidateInit | None


class _AboutEither(ClientMessage, frozen=True, kw_only=True):
    publisher_id: str | UnsetType = UNSET
    consumer_id: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Raises ValueError, which `decode` makes a sentence of."""
        if isinstance(self.publisher_id, str) == isinstance(self.consumer_id, str):
            raise ValueError("expected exactly one of publisher_id and consumer_id")


class RestartIce(_AboutEither, frozen=True, kw_only=True, tag="restart_ice"):
    """Ask for new paths for one connection, whose media goes on; exactly one of the ids. Answered by
    `ice_restart`."""


class IceRestartAnswer(_AboutEither, frozen=True, kw_only=True, tag="ice_restart_answer"):
    """Answer the offer of an `ice_restart`; exactly one of the ids. Answered by `ice_restarted`, once media
    takes the new path. `offer_version` says which offer it is for."""

    answer: Answer
    offer_version: int | UnsetType = UNSET


class ClosePublisher(ClientMessage, frozen=True, kw_only=True, tag="close_publisher"):
    """Stop publishing. Answered by `publisher_closed`."""

    publisher_id: str


class CloseConsumer(ClientMessage, frozen=True, kw_only=True, tag="close_consumer"):
    """Stop listening to somebody. Answered by `consumer_closed`."""

    consumer_id: str


class SetMuted(ClientMessage, frozen=True, kw_only=True, tag="set_muted"):
    """Have the relay forward nothing of one's voice, or let it through again. Answered by
    `participant_muted`."""

    muted: bool


class MuteParticipant(ClientMessage, frozen=True, kw_only=True, tag="mute_participant"):
    """Mute somebody else, who then cannot unmute, or let them unmute again. For moderators. Answered by
    `mute_held`."""

    participant_id: str
    muted: bool


class RemoveParticipant(ClientMessage, frozen=True, kw_only=True, tag="remove_participant"):
    """Take somebody else out of the room. For moderators. Answered by `participant_removed`."""

    participant_id: str


class GetStats(ClientMessage, frozen=True, kw_only=True, tag="get_stats"):
    """Ask for one's own counters. Answered by `stats`."""


class LeaveRoom(ClientMessage, frozen=True, kw_only=True, tag="leave_room"):
    """Leave the room; the socket may join again. Answered by `room_left`."""


AnyClientMessage = (
    JoinRoom
    | ResumeRoom
    | CreatePublisher
    | PublishAudio
    | PublisherCandidate
    | CreateConsumer
    | ConsumerAnswer
    | ConsumerCandidate
    | RestartIce
    | IceRestartAnswer
    | ClosePublisher
    | CloseConsumer
    | SetMuted
    | MuteParticipant
    | RemoveParticipant
    | GetStats
    | LeaveRoom
)
"""Whatever a client may send."""
