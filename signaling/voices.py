"""The voices of a room: who publishes, who consumes whom, and what the messages about these connections
mean. No I/O.

In come a participant and its message (`handle`), or an event of the relay's; out go calls on the relay,
messages to participants, and facts to observers (`events.py`). How connections end:

    one that its owner closes                          `closed`
    one whose media path never comes or is lost        `failed`
    a consumer whose publisher ends                    `publisher_closed`
    everything of a participant that goes              `left`, `disconnected` or `removed`
    everything when the relay goes                     `shutdown`
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Literal, Protocol

from relay import CloseReason, ConnectionState, IceCandidate, ParameterError
from signaling import events, restarts
from signaling.capacity import Capacity
from signaling.errors import ErrorCode, SignalingError, forbidden, not_found, wrong_state
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
    IceRestart,
    IceRestartAnswer,
    NewPublisher,
    PublishAudio,
    PublisherCandidate,
    PublisherCandidateFound,
    PublisherClosed,
    PublisherCreated,
    Reason,
    RestartIce,
    ServerMessage,
    answering,
)
from signaling.negotiation import (
    offer_to_receive,
    offer_to_send,
    read_answer,
    read_candidate,
    write_candidate,
)
from signaling.participant import Participant, Publication, Subscription

logger = logging.getLogger(__name__)


class TellAll(Protocol):
    """Sends a message to everyone in the room, but for one perhaps."""

    def __call__(self, message: ServerMessage, *, but: Participant | None = None) -> None: ...


class Voices:
    """Publications and subscriptions. name: the room's. observers: who is told what happens; capacity: the
    server's, for connections; tell_all: tells everyone in the room."""

    def __init__(
        self,
        name: str,
        relay: MediaRelay,
        observers: Observers,
        capacity: Capacity,
        tell_all: TellAll,
    ) -> None:
        self.name = name
        self._relay = relay
        self._observers = observers
        self._capacity = capacity
        self._tell_all = tell_all
        self._publications: dict[str, Publication] = {}

    @property
    def publications(self) -> Collection[Publication]:
        """Every voice, whether its media came or not."""
        return self._publications.values()

    def handle(self, participant: Participant, message: AnyClientMessage) -> ServerMessage | None:
        """Do what a participant asks; as `Room.handle`."""
        return _HANDLERS[type(message)](self, participant, message)

    def leave(self, participant: Participant, reason: Reason) -> None:
        """Close what somebody had who goes."""
        for subscription in tuple(participant.subscriptions.values()):
            self._remove_subscription(subscription, reason)
        if participant.publication is not None:
            self._end_publication(participant.publication, reason)

    # Publishing.

    def _create_publisher(
        self, participant: Participant, message: CreatePublisher
    ) -> PublisherCreated:
        if not participant.grants.publish:
            raise forbidden("Your access token does not let you publish.")
        if participant.publication is not None:
            raise wrong_state("You have a publisher already; close it before you create another.")
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
            raise forbidden("Your access token does not let you listen.")
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
            raise wrong_state("This publisher is your own; only those of others can be consumed.")
        publication = self._publications.get(publisher_id)
        if publication is None or not publication.is_consumable:
            raise not_found("No publisher with this publisher_id can be consumed in this room.")
        if participant.id in publication.subscriptions:
            raise wrong_state("You consume this publisher already; one consumer is enough.")
        return publication

    # For both.

    def _now(self) -> float:
        return self._observers.now()

    def _restart_ice(self, participant: Participant, message: RestartIce) -> IceRestart:
        return restarts.begin(participant, message)

    def _answer_restart(self, participant: Participant, message: IceRestartAnswer) -> None:
        restarts.answer(participant, message)

    def _tell_failed(
        self, connection: Publication | Subscription, direction: Literal["up", "down"]
    ) -> None:
        owner, setup = connection.owner, connection.media.setup
        self._observers.tell(
            events.ConnectionFailed(
                self.name, owner.id, connection.id, direction, Reason.FAILED, setup, at=self._now()
            )
        )


_HANDLERS: dict[type, Callable[[Voices, Participant, Any], ServerMessage | None]] = {
    CreatePublisher: Voices._create_publisher,
    PublishAudio: Voices._publish_audio,
    PublisherCandidate: Voices._add_publisher_candidate,
    ClosePublisher: Voices._close_publisher,
    CreateConsumer: Voices._create_consumer,
    ConsumerAnswer: Voices._answer_consumer,
    ConsumerCandidate: Voices._add_consumer_candidate,
    CloseConsumer: Voices._close_consumer,
    RestartIce: Voices._restart_ice,
    IceRestartAnswer: Voices._answer_restart,
}


def _connect(
    connection: Publication | Subscription, message: PublishAudio | ConsumerAnswer
) -> None:
    """Hand an answer to the relay; its reply waits for the media."""
    if connection.media.state is not ConnectionState.NEW:
        raise wrong_state("The offer of this connection is answered already.")
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
        raise not_found("You have no publisher with this publisher_id.")
    return own


def _own_subscription(participant: Participant, consumer_id: str) -> Subscription:
    own = participant.subscriptions.get(consumer_id)
    if own is None:
        raise not_found("You have no consumer with this consumer_id.")
    return own
