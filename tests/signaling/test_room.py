"""What each message means inside a room, and who is told. The wrong ones are in `test_refusals.py`."""

from __future__ import annotations

import json

import pytest

from relay import CloseReason
from signaling.messages import Reason
from tests.signaling.lab import Client, Lab, answer


def test_the_first_participant_finds_an_empty_room(lab: Lab) -> None:
    reply = lab.client().join("room", "Ada")

    assert reply["room"] == "room"
    assert reply["participants"] == []
    assert reply["ice_servers"] == []
    assert reply["resume_token"] is None
    assert len(reply["participant_id"]) >= 16


def test_a_participant_finds_the_others_and_they_are_told(lab: Lab, ada: Client) -> None:
    bob = lab.client()
    reply = bob.join("room", "Bob")

    assert reply["participants"] == [
        {
            "participant_id": ada.id,
            "name": "Ada",
            "muted": False,
            "publisher_id": None,
            "track_id": None,
        }
    ]
    assert ada.take() == [{"type": "participant_joined", "participant_id": bob.id, "name": "Bob"}]
    assert bob.take() == []


def test_a_newcomer_is_told_of_mutes_and_of_publishers_with_media(lab: Lab, ada: Client) -> None:
    publisher = ada.create_publisher()
    ada.ask("set_muted", muted=True)
    (before,) = lab.client().join(name="Bob")["participants"]
    ada.tell("publish_audio", publisher_id=publisher.id, answer=answer())
    publisher.establish()
    (after, _) = lab.client().join(name="Cyd")["participants"]

    assert (before["muted"], before["publisher_id"], before["track_id"]) == (True, None, None)
    assert after["publisher_id"] == publisher.id
    assert after["track_id"] == publisher.track_id


def test_rooms_know_nothing_of_each_other(lab: Lab, ada: Client) -> None:
    stranger = lab.client()
    assert stranger.join("elsewhere", "Eve")["participants"] == []
    publisher = stranger.publish()
    stranger.ask("set_muted", muted=True)
    stranger.ask("close_publisher", publisher_id=publisher.id)
    stranger.ask("leave_room")

    assert ada.take() == []


def test_set_muted_needs_no_publisher_and_is_told_to_everyone_once(
    ada: Client, bob: Client
) -> None:
    muted = {"type": "participant_muted", "participant_id": ada.id, "muted": True}

    assert ada.ask("set_muted", muted=True) == muted
    assert ada.take() == []
    assert bob.take() == [muted]


def test_muting_holds_for_present_and_later_publishers(ada: Client) -> None:
    first = ada.publish()
    ada.ask("set_muted", muted=True)
    assert first.muted
    ada.ask("close_publisher", publisher_id=first.id)
    second = ada.publish()
    assert second.muted
    ada.ask("set_muted", muted=False)
    assert not second.muted


def test_leaving_closes_everything_and_tells_the_others_in_order(lab: Lab, ada: Client) -> None:
    bob = lab.joined("Bob")
    from_ada, from_bob = ada.publish(), bob.publish()
    consumer = bob.consume(from_ada)
    ada.consume(from_bob)

    assert ada.ask("leave_room") == {"type": "room_left"}
    assert ada.take() == []
    assert bob.take() == [
        {"type": "consumer_closed", "consumer_id": consumer.id, "reason": "publisher_closed"},
        {"type": "publisher_closed", "publisher_id": from_ada.id, "reason": "left"},
        {"type": "participant_left", "participant_id": ada.id},
    ]
    assert lab.relay.open_connections() == [from_bob.id]


def test_leaving_answers_what_waits_before_the_reply(ada: Client) -> None:
    publisher = ada.create_publisher()
    frame = {"type": "publish_audio", "id": "p", "publisher_id": publisher.id, "answer": answer()}
    ada.feed(json.dumps(frame))
    error, left = ada.feed('{"type": "leave_room", "id": "l"}')

    assert (error["code"], error["id"]) == ("negotiation_failed", "p")
    assert (left["type"], left["id"]) == ("room_left", "l")


@pytest.mark.parametrize("reason", [Reason.LEFT, Reason.DISCONNECTED, Reason.SHUTDOWN])
def test_a_socket_that_ends_says_why(lab: Lab, ada: Client, bob: Client, reason: Reason) -> None:
    publisher = ada.publish()
    ada.session.end(reason)
    ada.session.end(Reason.DISCONNECTED)

    assert bob.take() == [
        {"type": "publisher_closed", "publisher_id": publisher.id, "reason": reason.value},
        {"type": "participant_left", "participant_id": ada.id},
    ]
    assert lab.relay.open_connections() == []


def test_the_same_socket_may_join_again(ada: Client, bob: Client) -> None:
    first = ada.id
    ada.ask("leave_room")
    bob.take()
    reply = ada.join("room", "Ada again")

    assert ada.id != first
    assert [item["name"] for item in reply["participants"]] == ["Bob"]
    assert [item["type"] for item in bob.take()] == ["participant_joined"]


def test_get_stats_tells_ones_own_counters(ada: Client, bob: Client) -> None:
    assert ada.ask("get_stats") == {"type": "stats", "publisher": None, "consumers": {}}
    from_ada, from_bob = ada.publish(), bob.publish()
    consumer = ada.consume(from_bob)

    assert ada.ask("get_stats") == {
        "type": "stats",
        "publisher": {
            "publisher_id": from_ada.id,
            "packetsReceived": 10,
            "bytesReceived": 1000,
            "packetsLost": 1,
            "jitter": 0.002,
            "roundTripTime": None,
            "nackCount": 3,
            "packetsRequested": 4,
            "packetsRecovered": 5,
        },
        "consumers": {
            consumer.id: {
                "publisher_id": from_bob.id,
                "packetsSent": 20,
                "bytesSent": 2000,
                "packetsLost": 2,
                "jitter": 0.003,
                "roundTripTime": 0.04,
                "nackCount": 6,
                "retransmittedPacketsSent": 7,
            }
        },
    }


def test_a_relay_that_closes_says_shutdown(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    consumer = bob.consume(publisher)
    publisher.close(CloseReason.SHUTDOWN)

    assert bob.take() == [
        {"type": "consumer_closed", "consumer_id": consumer.id, "reason": "shutdown"},
        {"type": "publisher_closed", "publisher_id": publisher.id, "reason": "shutdown"},
    ]


def test_everyone_is_told_who_is_heard_and_once_who_stopped(
    lab: Lab, ada: Client, bob: Client
) -> None:
    speaking, silent = ada.publish(), bob.publish()
    room = lab.rooms
    lab.take_all()

    speaking.level, silent.level = -20, -80
    room.tell_levels(0.0)
    heard = {"participant_id": ada.id, "level": -20, "speaking": True}
    levels = {"type": "audio_levels", "levels": [heard]}
    dominant = {"type": "dominant_speaker", "participant_id": ada.id}
    assert ada.take() == bob.take() == [levels, dominant]

    room.tell_levels(10.0)
    stopped = {"participant_id": ada.id, "level": -127, "speaking": False}
    assert ada.take() == bob.take() == [{"type": "audio_levels", "levels": [stopped]}]

    room.tell_levels(11.0)
    assert ada.take() == bob.take() == []


def test_the_muted_are_not_heard(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    room = lab.rooms
    publisher.level = -20
    room.tell_levels(0.0)
    ada.ask("set_muted", muted=True)
    lab.take_all()

    publisher.level = -20
    room.tell_levels(0.2)
    room.tell_levels(10.0)

    assert ada.take() == bob.take() == [{"type": "dominant_speaker", "participant_id": None}]


def test_levels_stay_in_their_room(lab: Lab, ada: Client) -> None:
    stranger = lab.client()
    stranger.join("elsewhere", "Eve")
    stranger.publish().level = -10
    lab.take_all()

    lab.rooms.tell_levels(0.0)

    assert ada.take() == []
    assert [message["type"] for message in stranger.take()] == [
        "audio_levels",
        "dominant_speaker",
    ]
