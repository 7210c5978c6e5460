"""A room: what each message means, and who is told. No I/O.

In come a participant and its message (`handle`), or an event of the relay's; out go calls on the relay,
messages to participants, and facts to observers (`events.py`). The direct reply is returned, so that it is
sent once and with the request's `id`; a reply that has to wait for media is sent when it comes. How
things end:

    a connection that its owner closes                 `closed`
    one whose media path never comes or is lost        `failed`
    a consumer whose publisher ends                    `publisher_closed`
    everything of a participant that goes              `left` or `disconnected`
    everything when the relay goes                     `shutdown`
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from relay import CloseReason, ConnectionState, IceCandidate, ParameterError
from signaling import events, restarts
from signaling.capacity import Capacity
from signaling.errors import ErrorCode, SignalingError
from signaling.events import Observers
from signaling.media import MediaRelay
from signaling.messages import (
    AnyClientMessage,
    AudioPublished,
    CloseConsumer,
    ClosePublisher,
    ConsumerAnswer,
    ConsumerCandidate,
    ConsumerCandidateFound,
    ConsumerClosed,
    ConsumerConnected,
    ConsumerCreated,
    CreateConsumer,
    CreatePublisher,
    Error,
    GetStats,
    IceRestart,
    IceRestartAnswer,
    MuteHeld,
    MuteParticipant,
    NewPublisher,
    ParticipantInfo,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantMuted,
    ParticipantRemoved,
    PublishAudio,
    PublisherCandidate,
    PublisherCandidateFound,
    PublisherClosed,
    PublisherCreated,
    Reason,
    RestartIce,
    ServerDraining,
    ServerMessage,
    SetMuted,
    Stats,
    answering,
)
from signaling.moderation import Moderation
from signaling.negotiation import (
    offer_to_receive,
    offer_to_send,
    read_answer,
    read_candidate,
    write_candidate,
)
from signaling.participant import Participant, Publication, Subscription
from signaling.speakers import Speakers

logger = logging.getLogger(__name__)


class Room:
    """Participants who hear each other. name: unique on the server. observers: who is told what happens,
    nobody if None. capacity: the server's, for connections."""

    def __init__(
        self,
        name: str,
        relay: MediaRelay,
        observers: Observers | None = None,
        capacity: Capacity | None = None,
    ) -> None:
        self.name = name
        self.participants: dict[str, Participant] = {}
        self._relay = relay
        self._observers = observers or Observers()
        self._capacity = capacity or Capacity()
        self.moderation = Moderation()
        self._publications: dict[str, Publication] = {}
        self._speakers = Speakers()
        self._newcomers: set[Participant] = set()

    def join(self, participant: Participant) -> list[ParticipantInfo]:
        """Let somebody in, tell the others, and return those."""
        others = self.others(participant)
        self._tell_all(ParticipantJoined(participant_id=participant.id, name=participant.name))
        self.participants[participant.id] = participant
        self._newcomers.add(participant)
        self._observers.tell(
            events.ParticipantJoined(
                self.name,
                participant.id,
                participant.name,
                participant.grants.identity,
                at=self._now(),
            )
        )
        if self.moderation.is_held(participant.grants):
            # The others are told now, the newcomer itself after its reply, by `tell_levels`.
            participant.mute_held = True
            self._mute(participant, True, but=participant)
            self._tell_all(MuteHeld(participant_id=participant.id, held=True), but=participant)
        logger.info("room %s: participant %s joined", self.name, participant.id)
        return others

    def leave(self, participant: Participant, reason: Reason) -> None:
        """Let somebody go: close what they had, and tell the others."""
        del self.participants[participant.id]
        self._newcomers.discard(participant)
        for subscription in tuple(participant.subscriptions.values()):
            self._remove_subscription(subscription)
        if participant.publication is not None:
            self._end_publication(participant.publication, reason)
        self._tell_all(ParticipantLeft(participant_id=participant.id))
        self._observers.tell(
            events.ParticipantLeft(self.name, participant.id, reason, at=self._now())
        )
        logger.info("room %s: participant %s %s", self.name, participant.id, reason)

    def others(self, participant: Participant) -> list[ParticipantInfo]:
        """Everyone else, as they are now."""
        return [other.info() for other in self.participants.values() if other is not participant]

    def resume(self, participant: Participant, gap: float) -> None:
        """Somebody's signaling is back after `gap` seconds; the others did not notice."""
        self._newcomers.add(participant)
        self._observers.tell(
            events.ParticipantResumed(self.name, participant.id, gap, at=self._now())
        )
        logger.info("room %s: participant %s resumed after %.1f s", self.name, participant.id, gap)

    def handle(self, participant: Participant, message: AnyClientMessage) -> ServerMessage | None:
        """Do what a participant of this room asks.

        Returns the direct reply; None when it has to wait for media, or there is none. Raises
        SignalingError, and nothing has changed then.
        """
        return _HANDLERS[type(message)](self, participant, message)

    def tell_levels(self, now: float, draining: ServerDraining | None = None) -> None:
        """Tell everyone who is heard, once more who just stopped, and who dominates if that is news; to be
        called ten times a second. now: seconds on any steady clock. draining: what everyone else was told
        while somebody was away."""
        dominant = self._speakers.dominant()
        for participant in self._newcomers:
            if dominant is not None:
                participant.send(dominant)
            if draining is not None:
                participant.send(draining)
            if participant.mute_held:
                # Who comes back muted is told so, after the reply to its `join_room`.
                participant.send(ParticipantMuted(participant_id=participant.id, muted=True))
                participant.send(MuteHeld(participant_id=participant.id, held=True))
        self._newcomers.clear()
        for news in self._speakers.listen(self._publications.values(), now):
            self._tell_all(news)

    # Publishing.

    def _create_publisher(
        self, participant: Participant, message: CreatePublisher
    ) -> PublisherCreated:
        if not participant.grants.publish:
            raise _forbidden("Your access token does not let you publish.")
        if participant.publication is not None:
            raise _wrong_state("You have a publisher already; close it before you create another.")
        self._capacity.check(participant.address_group)
        media = self._relay.create_publisher(self.name)
        self._capacity.follow(media, participant.address_group)
        media.muted = participant.muted
        publication = Publication(participant, media)
        participant.publication = self._publications[media.id] = publication
        media.add_listener("connected", partial(self._publisher_connected, publication))
        media.add_listener("closed", partial(self._publisher_closed, publication))
        media.add_listener("local_candidate", partial(self._publisher_candidate, publication))
        restarts.watch(publication, self.name, self._observers)
        offer = offer_to_receive(media.local, publication.session)
        return PublisherCreated(publisher_id=media.id, offer=offer)

    def _publish_audio(self, participant: Participant, message: PublishAudio) -> None:
        publication = _own_publication(participant, message.publisher_id)
        _connect(publication, message)
        publication.request = message

    def _add_publisher_candidate(
        self, participant: Participant, message: PublisherCandidate
    ) -> None:
        publication = _own_publication(participant, message.publisher_id)
        publication.media.add_remote_candidate(read_candidate(message.candidate))

    def _close_publisher(
        self, participant: Participant, message: ClosePublisher
    ) -> PublisherClosed:
        publication = _own_publication(participant, message.publisher_id)
        return self._end_publication(publication, Reason.CLOSED, replied=True)

    def _set_muted(self, participant: Participant, message: SetMuted) -> ParticipantMuted:
        if participant.mute_held and not message.muted:
            raise _forbidden("A moderator has muted you; you can unmute when they let you.")
        return self._mute(participant, message.muted, but=participant)

    def _mute(
        self, participant: Participant, muted: bool, *, but: Participant | None = None
    ) -> ParticipantMuted:
        if participant.muted != muted:
            self._observers.tell(
                events.MuteChanged(self.name, participant.id, muted, at=self._now())
            )
        participant.muted = muted
        if participant.publication is not None:
            participant.publication.media.muted = muted
        news = ParticipantMuted(participant_id=participant.id, muted=muted)
        self._tell_all(news, but=but)
        return news

    # Moderating.

    def _mute_participant(self, moderator: Participant, message: MuteParticipant) -> MuteHeld:
        target = self._moderated(moderator, message.participant_id)
        self.moderation.hold(target.grants, message.muted)
        for twin in self._twins(target, moderator):
            self._tell_all(self._hold_muted(twin, message.muted))
        news = self._hold_muted(target, message.muted)
        self._tell_all(news, but=moderator)
        return news

    def _hold_muted(self, target: Participant, held: bool) -> MuteHeld:
        target.mute_held = held
        # Letting somebody unmute does not unmute them: nobody is heard before they want to be.
        if held and not target.muted:
            self._mute(target, True)
        return MuteHeld(participant_id=target.id, held=held)

    def remove(
        self, moderator: Participant, participant_id: str
    ) -> tuple[list[Participant], ParticipantRemoved]:
        """Tell everyone whom a moderator takes out of the room, and keep them out; `leave` is to follow
        for each of them. Raises SignalingError."""
        target = self._moderated(moderator, participant_id)
        self.moderation.remove(target.grants)
        twins = self._twins(target, moderator)
        for twin in twins:
            self._tell_all(ParticipantRemoved(participant_id=twin.id))
        news = ParticipantRemoved(participant_id=target.id)
        self._tell_all(news, but=moderator)
        removed = [*twins, target]
        for each in removed:
            logger.info(
                "room %s: participant %s is removed by %s", self.name, each.id, moderator.id
            )
        return removed, news

    def _twins(self, target: Participant, moderator: Participant) -> list[Participant]:
        """Who else in the room has the target's identity, in another window perhaps; never the moderator
        that acts."""
        identity = target.grants.identity
        if identity is None:
            return []
        return [
            other
            for other in self.participants.values()
            if other.grants.identity == identity and other not in (target, moderator)
        ]

    def _moderated(self, moderator: Participant, participant_id: str) -> Participant:
        if not moderator.grants.admin:
            raise _forbidden("Your access token does not let you mute or remove others.")
        target = self.participants.get(participant_id)
        if target is None:
            raise _not_found("No participant with this participant_id is in this room.")
        if target is moderator:
            raise _wrong_state("This is yourself; there are set_muted and leave_room for that.")
        return target

    def _publisher_connected(self, publication: Publication) -> None:
        owner, track_id = publication.owner, publication.media.track_id
        _settle(publication, AudioPublished(publisher_id=publication.id, track_id=track_id))
        publication.started = True
        self._observers.tell(
            events.PublisherStarted(self.name, owner.id, publication.id, at=self._now())
        )
        self._tell_all(
            NewPublisher(publisher_id=publication.id, participant_id=owner.id, track_id=track_id),
            but=owner,
        )
        logger.info("room %s: publisher %s connected", self.name, publication.id)

    def _publisher_closed(self, publication: Publication, reason: CloseReason) -> None:
        if publication.id in self._publications:
            self._end_publication(publication, Reason(reason))

    def _publisher_candidate(
        self, publication: Publication, candidate: IceCandidate | None
    ) -> None:
        init = write_candidate(candidate, publication.media.local)
        publication.owner.send(PublisherCandidateFound(publisher_id=publication.id, candidate=init))

    def _end_publication(
        self, publication: Publication, reason: Reason, *, replied: bool = False
    ) -> PublisherClosed:
        """Close a publication with everything that hangs on it, and tell everyone in the room; not the
        owner when it gets the returned message as its reply."""
        del self._publications[publication.id]
        publication.owner.publication = None
        publication.media.close()  # its consumers go first, which `_consumer_closed` is told
        _settle(publication, _negotiation_failed(reason))
        restarts.give_up(publication)
        news = PublisherClosed(publisher_id=publication.id, reason=reason)
        self._tell_all(news, but=publication.owner if replied else None)
        if publication.started:
            self._observers.tell(
                events.PublisherStopped(
                    self.name, publication.owner.id, publication.id, reason, at=self._now()
                )
            )
        elif reason is Reason.FAILED:
            self._tell_failed(publication, "up")
        logger.info("room %s: publisher %s closed: %s", self.name, publication.id, reason)
        return news

    # Listening.

    def _create_consumer(
        self, participant: Participant, message: CreateConsumer
    ) -> ConsumerCreated:
        if not participant.grants.subscribe:
            raise _forbidden("Your access token does not let you listen.")
        publication = self._consumable_publication(participant, message.publisher_id)
        self._capacity.check(participant.address_group)
        media = self._relay.create_consumer(publication.media)
        self._capacity.follow(media, participant.address_group)
        subscription = Subscription(participant, publication, media)
        participant.subscriptions[media.id] = subscription
        publication.subscriptions[participant.id] = subscription
        media.add_listener("connected", partial(self._consumer_connected, subscription))
        media.add_listener("closed", partial(self._consumer_closed, subscription))
        media.add_listener("local_candidate", partial(self._consumer_candidate, subscription))
        restarts.watch(subscription, self.name, self._observers)
        offer = offer_to_send(
            media.local,
            media.source,
            publication.owner.id,
            publication.media.track_id,
            subscription.session,
        )
        return ConsumerCreated(consumer_id=media.id, publisher_id=publication.id, offer=offer)

    def _answer_consumer(self, participant: Participant, message: ConsumerAnswer) -> None:
        subscription = _own_subscription(participant, message.consumer_id)
        _connect(subscription, message)
        subscription.request = message

    def _add_consumer_candidate(self, participant: Participant, message: ConsumerCandidate) -> None:
        subscription = _own_subscription(participant, message.consumer_id)
        subscription.media.add_remote_candidate(read_candidate(message.candidate))

    def _close_consumer(self, participant: Participant, message: CloseConsumer) -> ConsumerClosed:
        subscription = _own_subscription(participant, message.consumer_id)
        self._remove_subscription(subscription)
        return ConsumerClosed(consumer_id=subscription.id, reason=Reason.CLOSED)

    def _consumer_connected(self, subscription: Subscription) -> None:
        _settle(subscription, ConsumerConnected(consumer_id=subscription.id))
        subscription.started = True
        owner, publication = subscription.owner, subscription.publication
        self._observers.tell(
            events.ConsumerStarted(
                self.name, owner.id, subscription.id, publication.id, at=self._now()
            )
        )

    def _consumer_closed(self, subscription: Subscription, reason: CloseReason) -> None:
        if subscription.id in subscription.owner.subscriptions:
            self._end_subscription(subscription, Reason(reason))

    def _consumer_candidate(
        self, subscription: Subscription, candidate: IceCandidate | None
    ) -> None:
        init = write_candidate(candidate, subscription.media.local)
        subscription.owner.send(ConsumerCandidateFound(consumer_id=subscription.id, candidate=init))

    def _end_subscription(self, subscription: Subscription, reason: Reason) -> None:
        """Close a subscription, and tell its owner."""
        self._remove_subscription(subscription, reason)
        subscription.owner.send(ConsumerClosed(consumer_id=subscription.id, reason=reason))

    def _remove_subscription(
        self, subscription: Subscription, reason: Reason = Reason.CLOSED
    ) -> None:
        del subscription.owner.subscriptions[subscription.id]
        del subscription.publication.subscriptions[subscription.owner.id]
        subscription.media.close()
        _settle(subscription, _negotiation_failed(reason))
        restarts.give_up(subscription)
        if subscription.started:
            owner, publication = subscription.owner, subscription.publication
            self._observers.tell(
                events.ConsumerStopped(
                    self.name, owner.id, subscription.id, publication.id, reason, at=self._now()
                )
            )
        elif reason is Reason.FAILED:
            self._tell_failed(subscription, "down")

    def _consumable_publication(self, participant: Participant, publisher_id: str) -> Publication:
        own = participant.publication
        if own is not None and own.id == publisher_id:
            raise _wrong_state("This publisher is your own; only those of others can be consumed.")
        publication = self._publications.get(publisher_id)
        if publication is None or not publication.is_consumable:
            raise _not_found("No publisher with this publisher_id can be consumed in this room.")
        if participant.id in publication.subscriptions:
            raise _wrong_state("You consume this publisher already; one consumer is enough.")
        return publication

    # For both.

    def tell_draining(self, news: ServerDraining) -> None:
        """Tell everyone that the server is going to stop, in so many seconds at the latest."""
        self._tell_all(news)

    def _now(self) -> float:
        return self._observers.now()

    def _restart_ice(self, participant: Participant, message: RestartIce) -> IceRestart:
        return restarts.begin(participant, message)

    def _answer_restart(self, participant: Participant, message: IceRestartAnswer) -> None:
        restarts.answer(participant, message)

    def _get_stats(self, participant: Participant, message: GetStats) -> Stats:
        return participant.stats()

    def _tell_failed(
        self, connection: Publication | Subscription, direction: Literal["up", "down"]
    ) -> None:
        owner, setup = connection.owner, connection.media.setup
        self._observers.tell(
            events.ConnectionFailed(
                self.name, owner.id, connection.id, direction, Reason.FAILED, setup, at=self._now()
            )
        )

    def _tell_all(self, message: ServerMessage, *, but: Participant | None = None) -> None:
        for participant in self.participants.values():
            if participant is not but:
                participant.send(message)


_HANDLERS: dict[type, Callable[[Room, Participant, Any], ServerMessage | None]] = {
    CreatePublisher: Room._create_publisher,
    PublishAudio: Room._publish_audio,
    PublisherCandidate: Room._add_publisher_candidate,
    ClosePublisher: Room._close_publisher,
    SetMuted: Room._set_muted,
    MuteParticipant: Room._mute_participant,
    CreateConsumer: Room._create_consumer,
    ConsumerAnswer: Room._answer_consumer,
    ConsumerCandidate: Room._add_consumer_candidate,
    CloseConsumer: Room._close_consumer,
    GetStats: Room._get_stats,
    RestartIce: Room._restart_ice,
    IceRestartAnswer: Room._answer_restart,
}
"""What a participant may ask for inside a room; joining and leaving are `session.py`'s."""


def _connect(
    connection: Publication | Subscription, message: PublishAudio | ConsumerAnswer
) -> None:
    """Hand an answer to the relay; its reply waits for the media."""
    if connection.media.state is not ConnectionState.NEW:
        raise _wrong_state("The offer of this connection is answered already.")
    remote = read_answer(message.answer)
    try:
        connection.media.connect(remote)
    except ParameterError as error:
        raise SignalingError(ErrorCode.BAD_SDP, f"The answer cannot be used: {error}.") from error


def _settle(connection: Publication | Subscription, reply: ServerMessage) -> None:
    """Reply to the answer that waits for its media, if one does."""
    request, connection.request = connection.request, None
    if request is not None:
        connection.owner.send(answering(reply, request.id))


def _negotiation_failed(reason: Reason) -> Error:
    sentence = (
        "No media path came about; the relay's UDP port must be reachable from the browser."
        if reason is Reason.FAILED
        else f"The connection was closed before its media path came about ({reason})."
    )
    return Error(code=ErrorCode.NEGOTIATION_FAILED, message=sentence)


def _own_publication(participant: Participant, publisher_id: str) -> Publication:
    own = participant.publication
    if own is None or own.id != publisher_id:
        raise _not_found("You have no publisher with this publisher_id.")
    return own


def _own_subscription(participant: Participant, consumer_id: str) -> Subscription:
    own = participant.subscriptions.get(consumer_id)
    if own is None:
        raise _not_found("You have no consumer with this consumer_id.")
    return own


def _wrong_state(sentence: str) -> SignalingError:
    return SignalingError(ErrorCode.WRONG_STATE, sentence)


def _not_found(sentence: str) -> SignalingError:
    return SignalingError(ErrorCode.NOT_FOUND, sentence)


def _forbidden(sentence: str) -> SignalingError:
    return SignalingError(ErrorCode.FORBIDDEN, sentence)
