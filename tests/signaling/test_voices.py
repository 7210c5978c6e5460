"""The voices of a room: publishers and consumers, from offer to end; who is told what."""

from __future__ import annotations

import json

import pytest

import sdp
from relay import CloseReason, IceCandidate
from tests.signaling.double import LOCAL_CANDIDATE
from tests.signaling.lab import Client, Lab, answer, candidate


def test_the_offer_of_a_publisher_receives(lab: Lab, ada: Client) -> None:
    reply = ada.ask("create_publisher")

    assert reply["offer"]["type"] == "offer"
    (media,) = sdp.parse(reply["offer"]["sdp"]).media
    assert media.first(sdp.Direction) is sdp.Direction.RECVONLY
    assert lab.relay.publishers[reply["publisher_id"]].room == "room"


def test_publish_audio_is_answered_once_media_can_flow(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.create_publisher()
    frame = {"type": "publish_audio", "id": "p", "publisher_id": publisher.id, "answer": answer()}
    assert ada.feed(json.dumps(frame)) == []
    assert publisher.remote is not None
    assert publisher.remote.ice.username_fragment == "abcd"
    assert bob.take() == []

    publisher.establish()

    track = {"publisher_id": publisher.id, "track_id": publisher.track_id}
    assert ada.take() == [{"type": "audio_published", "id": "p"} | track]
    assert bob.take() == [{"type": "new_publisher", "participant_id": ada.id} | track]


def test_an_answer_without_an_id_is_answered_without_one(ada: Client) -> None:
    publisher = ada.create_publisher()
    ada.tell("publish_audio", publisher_id=publisher.id, answer=answer())
    publisher.establish()

    (reply,) = ada.take()
    assert reply["type"] == "audio_published"
    assert "id" not in reply


def test_other_messages_are_handled_while_an_answer_waits(ada: Client) -> None:
    publisher = ada.create_publisher()
    ada.tell("publisher_ice_candidate", publisher_id=publisher.id, candidate=candidate())
    ada.tell("publish_audio", publisher_id=publisher.id, answer=answer())
    ada.tell("publisher_ice_candidate", publisher_id=publisher.id, candidate=candidate(""))
    ada.tell("publisher_ice_candidate", publisher_id=publisher.id, candidate=None)
    assert ada.ask("get_stats")["type"] == "stats"
    assert ada.ask("set_muted", muted=True)["type"] == "participant_muted"

    host = IceCandidate("1", 1, "udp", 2122260223, "198.51.100.7", 50000, "host")
    assert publisher.remote_candidates == [host, None, None]


def test_a_publisher_without_media_fails_its_request_and_is_closed(
    ada: Client, bob: Client
) -> None:
    publisher = ada.create_publisher()
    frame = {"type": "publish_audio", "id": "p", "publisher_id": publisher.id, "answer": answer()}
    ada.feed(json.dumps(frame))
    publisher.fail()

    closed = {"type": "publisher_closed", "publisher_id": publisher.id, "reason": "failed"}
    error, news = ada.take()
    assert (error["type"], error["code"], error["id"]) == ("error", "negotiation_failed", "p")
    assert news == closed
    assert bob.take() == [closed]
    assert ada.ask("create_publisher")["type"] == "publisher_created"


def test_a_lost_publisher_is_told_to_everyone(ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    publisher.fail()

    closed = {"type": "publisher_closed", "publisher_id": publisher.id, "reason": "failed"}
    assert ada.take() == [closed]
    assert bob.take() == [
        {"type": "consumer_closed", "consumer_id": consumer.id, "reason": "publisher_closed"},
        closed,
    ]


def test_the_offer_of_a_consumer_sends(ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    reply = bob.ask("create_consumer", publisher_id=publisher.id)

    assert reply["publisher_id"] == publisher.id
    (media,) = sdp.parse(reply["offer"]["sdp"]).media
    assert media.first(sdp.Direction) is sdp.Direction.SENDONLY
    assert media.first(sdp.Msid) == sdp.Msid(ada.id, publisher.track_id)


def test_consumer_answer_is_answered_once_media_can_flow(ada: Client, bob: Client) -> None:
    consumer = bob.create_consumer(ada.publish())
    frame = {"type": "consumer_answer", "id": "c", "consumer_id": consumer.id, "answer": answer()}
    assert bob.feed(json.dumps(frame)) == []
    bob.tell("consumer_ice_candidate", consumer_id=consumer.id, candidate=candidate())
    consumer.establish()

    assert bob.take() == [{"type": "consumer_connected", "id": "c", "consumer_id": consumer.id}]
    assert ada.take() == []
    assert len(consumer.remote_candidates) == 1


def test_a_consumer_without_media_fails_its_request_and_is_closed(ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    consumer = bob.create_consumer(publisher)
    frame = {"type": "consumer_answer", "id": "c", "consumer_id": consumer.id, "answer": answer()}
    bob.feed(json.dumps(frame))
    consumer.fail()

    error, news = bob.take()
    assert (error["code"], error["id"]) == ("negotiation_failed", "c")
    assert news == {"type": "consumer_closed", "consumer_id": consumer.id, "reason": "failed"}
    assert ada.take() == []
    assert bob.create_consumer(publisher).id != consumer.id


@pytest.mark.parametrize("other_end", ["publisher_closed", "leave"])
def test_a_waiting_answer_is_told_when_its_connection_goes(
    ada: Client, bob: Client, other_end: str
) -> None:
    publisher = ada.publish()
    consumer = bob.create_consumer(publisher)
    frame = {"type": "consumer_answer", "id": "c", "consumer_id": consumer.id, "answer": answer()}
    bob.feed(json.dumps(frame))
    if other_end == "leave":
        ada.ask("leave_room")
    else:
        ada.ask("close_publisher", publisher_id=publisher.id)

    error, news = bob.take()[:2]
    assert (error["code"], error["id"]) == ("negotiation_failed", "c")
    assert news["type"] == "consumer_closed"


def test_closing_ones_own_connection_answers_what_waits_for_it_first(ada: Client) -> None:
    publisher = ada.create_publisher()
    frame = {"type": "publish_audio", "id": "p", "publisher_id": publisher.id, "answer": answer()}
    ada.feed(json.dumps(frame))
    close = {"type": "close_publisher", "id": "x", "publisher_id": publisher.id}
    error, reply = ada.feed(json.dumps(close))

    assert (error["code"], error["id"]) == ("negotiation_failed", "p")
    assert (reply["type"], reply["id"]) == ("publisher_closed", "x")


def test_close_publisher_is_replied_once_and_told_to_the_others(ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    closed = {"type": "publisher_closed", "publisher_id": publisher.id, "reason": "closed"}

    assert ada.ask("close_publisher", publisher_id=publisher.id) == closed
    assert bob.take() == [
        {"type": "consumer_closed", "consumer_id": consumer.id, "reason": "publisher_closed"},
        closed,
    ]
    assert ada.take() == []
    assert publisher.close_reason is CloseReason.CLOSED
    assert consumer.close_reason is not None
    assert ada.publish().id != publisher.id


def test_close_consumer_concerns_its_owner_alone(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    cyd = lab.joined("Cyd")
    consumer, other = bob.consume(publisher), cyd.consume(publisher)
    reply = bob.ask("close_consumer", consumer_id=consumer.id)

    assert reply == {"type": "consumer_closed", "consumer_id": consumer.id, "reason": "closed"}
    assert (ada.take(), bob.take(), cyd.take()) == ([], [], [])
    assert lab.relay.open_connections() == [publisher.id, other.id]
    assert bob.consume(publisher).id != consumer.id


def test_candidates_found_after_the_offer_are_told_to_the_owner(ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    publisher.emit("local_candidate", LOCAL_CANDIDATE)
    consumer.emit("local_candidate", None)
    section = {"sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "ufrag"}

    text = "candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host"
    assert ada.take() == [
        {
            "type": "publisher_ice_candidate",
            "publisher_id": publisher.id,
            "candidate": {"candidate": text} | section,
        }
    ]
    assert bob.take() == [
        {
            "type": "consumer_ice_candidate",
            "consumer_id": consumer.id,
            "candidate": {"candidate": ""} | section,
        }
    ]
