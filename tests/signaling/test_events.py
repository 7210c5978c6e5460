"""Observers are told each fact once, in an order in which what is inside ends first."""

from __future__ import annotations

import logging
from dataclasses import FrozenInstanceError, fields

import pytest

from relay import CloseReason, SetupTimes
from signaling import events
from signaling.events import Event, Observers
from signaling.messages import Reason
from tests.signaling.lab import Lab, answer


def test_a_conversation_from_the_first_to_the_last(lab: Lab) -> None:
    lab.now = 5.0
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    ada.ask("set_muted", muted=True)
    ada.ask("set_muted", muted=True)
    lab.now = 9.0
    ada.ask("leave_room")
    bob.session.end(Reason.DISCONNECTED)

    assert lab.events == [
        events.RoomStarted("room", at=5.0),
        events.ParticipantJoined("room", ada.id, "Ada", None, at=5.0),
        events.ParticipantJoined("room", bob.id, "Bob", None, at=5.0),
        events.PublisherStarted("room", ada.id, publisher.id, at=5.0),
        events.ConsumerStarted("room", bob.id, consumer.id, publisher.id, at=5.0),
        events.MuteChanged("room", ada.id, True, at=5.0),
        events.ConsumerStopped(
            "room", bob.id, consumer.id, publisher.id, "publisher_closed", at=9.0
        ),
        events.PublisherStopped("room", ada.id, publisher.id, "left", at=9.0),
        events.ParticipantLeft("room", ada.id, "left", at=9.0),
        events.ParticipantLeft("room", bob.id, "disconnected", at=9.0),
        events.RoomEnded("room", at=9.0),
    ]


def test_what_never_got_its_media_did_not_start_and_does_not_stop(lab: Lab) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    publisher = ada.publish()
    consumer = bob.create_consumer(publisher)
    bob.tell("consumer_answer", consumer_id=consumer.id, answer=answer())
    other = bob.create_publisher()
    lab.events.clear()
    consumer.fail()
    other.close(CloseReason.SHUTDOWN)

    assert lab.events == [
        events.ConnectionFailed("room", bob.id, consumer.id, "down", "failed", SetupTimes(), at=0.0)
    ]


def test_what_a_listener_heard_ends_for_the_reason_that_the_listener_goes_for(lab: Lab) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    lab.events.clear()
    bob.session.end(Reason.DISCONNECTED)

    assert lab.events == [
        events.ConsumerStopped("room", bob.id, consumer.id, publisher.id, "disconnected", at=0.0),
        events.ParticipantLeft("room", bob.id, "disconnected", at=0.0),
    ]


def test_a_lost_path_says_so(lab: Lab) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    lab.events.clear()
    consumer.fail()
    publisher.fail()

    assert lab.events == [
        events.ConsumerStopped("room", bob.id, consumer.id, publisher.id, "failed", at=0.0),
        events.PublisherStopped("room", ada.id, publisher.id, "failed", at=0.0),
    ]


def test_an_observer_that_raises_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: Event) -> None:
        raise ValueError("of the observer's own")

    told: list[Event] = []
    observers = Observers()
    observers.add(broken)
    observers.add(told.append)
    with caplog.at_level(logging.ERROR):
        observers.tell(events.RoomStarted("room", at=1.0))

    assert told == [events.RoomStarted("room", at=1.0)]
    assert "RoomStarted" in caplog.text
    assert "of the observer's own" in caplog.text


def test_facts_stay_as_they_are_and_hold_plain_values() -> None:
    event = events.RoomStarted("room", at=1.0)
    with pytest.raises(FrozenInstanceError):
        event.room = "other"  # type: ignore[misc]
    assert not hasattr(event, "__dict__")

    facts = [
        kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)
    ]
    assert len(facts) > 10
    for kind in facts:
        assert {field.name for field in fields(kind)} >= {"room", "at"}
        assert "__slots__" in vars(kind)
        assert kind.__doc__
