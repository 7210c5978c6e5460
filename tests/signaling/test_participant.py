"""What others are told of a participant, and what it is told of its own connections."""

from __future__ import annotations

from signaling.messages import Answer
from signaling.negotiation import read_answer
from signaling.participant import Participant, Publication, Subscription
from tests.signaling.double import Publisher, Relay
from tests.signaling.lab import answer


def _published(participant: Participant) -> tuple[Publisher, Publication]:
    media = Relay().create_publisher()
    participant.publication = Publication(participant, media)
    return media, participant.publication


def test_a_publication_is_told_of_while_it_can_be_consumed() -> None:
    ada = Participant("Ada", lambda message: None, muted=True)
    media, publication = _published(ada)
    assert (ada.info().publisher_id, ada.info().track_id, ada.info().muted) == (None, None, True)

    media.connect(read_answer(Answer(**answer())))
    assert not publication.is_consumable
    media.establish()
    assert (ada.info().publisher_id, ada.info().track_id) == (media.id, media.track_id)
    media.fail()
    assert ada.info().publisher_id is None


def test_stats_hold_the_counters_of_ones_own_connections() -> None:
    ada, bob = Participant("Ada", lambda message: None), Participant("Bob", lambda message: None)
    media, publication = _published(ada)
    media.connect(read_answer(Answer(**answer())))
    media.establish()
    consumer = Relay().create_consumer(media)
    bob.subscriptions[consumer.id] = Subscription(bob, publication, consumer)

    (from_ada, from_bob) = ada.stats(), bob.stats()
    assert from_ada.publisher is not None
    assert (from_ada.publisher.publisher_id, from_ada.publisher.packets_received) == (media.id, 10)
    assert from_ada.consumers == {}
    assert from_bob.publisher is None
    assert from_bob.consumers[consumer.id].publisher_id == media.id
    assert from_bob.consumers[consumer.id].round_trip_time == 0.04
