"""Coming back after a lost socket: who may, what they find, and that nobody else notices."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from signaling import resumption
from signaling.events import ParticipantResumed
from signaling.messages import Reason, ServerDraining
from tests.signaling.lab import Client, Lab, answer
from tests.signaling.scene import refused

GRACE = 10


@pytest.fixture
def lab() -> Iterator[Lab]:
    """In the place of the usual one: those who are lost are waited for."""
    lab = Lab(resume_grace=GRACE, max_participants=3)
    yield lab
    lab.end_all()


def _lost(lab: Lab, client: Client) -> Client:
    """The client's socket is lost: what it comes back with, which has not said anything yet."""
    client.session.lose(lab.now)
    return lab.client()


def test_nobody_is_told_of_a_lost_socket_nor_of_the_return(
    lab: Lab, ada: Client, bob: Client
) -> None:
    again = _lost(lab, ada)
    lab.wait(GRACE - 1)
    reply = again.resume(ada.token)

    assert bob.take() == []
    assert reply == {
        "type": "room_resumed",
        "room": "room",
        "participant_id": ada.id,
        "participants": [
            {
                "participant_id": bob.id,
                "name": "Bob",
                "muted": False,
                "publisher_id": None,
                "track_id": None,
            }
        ],
        "ice_servers": [],
        "resume_token": again.token,
        "muted": False,
        "publisher": None,
        "consumers": [],
    }
    assert again.ask("set_muted", muted=True)["participant_id"] == ada.id
    (muted,) = bob.take()
    assert muted == {"type": "participant_muted", "participant_id": ada.id, "muted": True}
    again.session.end(Reason.LEFT)
    assert bob.take() == [{"type": "participant_left", "participant_id": ada.id}]


def test_media_goes_on_meanwhile(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    heard = ada.consume(bob.publish())
    listened = bob.consume(publisher)
    again = _lost(lab, ada)
    lab.wait(GRACE - 1)
    reply = again.resume(ada.token)

    assert {publisher.id, heard.id, listened.id} <= set(lab.relay.open_connections())
    assert reply["publisher"] == {
        "publisher_id": publisher.id,
        "track_id": publisher.track_id,
        "state": "connected",
    }
    assert reply["consumers"] == [
        {"consumer_id": heard.id, "publisher_id": heard.publisher.id, "state": "connected"}
    ]
    assert again.ask("close_consumer", consumer_id=heard.id)["reason"] == "closed"


def test_who_does_not_come_back_in_time_is_out(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    again = _lost(lab, ada)
    lab.wait(GRACE - 0.1)
    assert bob.take() == []
    lab.wait(0.2)

    assert bob.take() == [
        {"type": "publisher_closed", "publisher_id": publisher.id, "reason": "disconnected"},
        {"type": "participant_left", "participant_id": ada.id},
    ]
    refused(again, "resume_room", "not_found", resume_token=ada.token)
    again.join()


def test_a_token_has_expired_before_its_participant_is_taken_out(lab: Lab, ada: Client) -> None:
    again = _lost(lab, ada)
    lab.now += GRACE
    refused(again, "resume_room", "not_found", resume_token=ada.token)
    lab.wait(0)
    assert len(lab.rooms) == 0


def test_a_token_is_good_for_one_return(lab: Lab, ada: Client) -> None:
    first = ada.token
    again = _lost(lab, ada)
    again.resume(first)
    assert again.token not in (None, first)
    again.ask("get_stats")
    third = _lost(lab, again)
    refused(third, "resume_room", "not_found", resume_token=first)
    third.resume(again.token)
    assert third.id == ada.id


@pytest.mark.parametrize("frame", ['{"type": "unheard_of"}', '{"type": 7}', "no JSON"])
def test_whatever_is_said_next_makes_the_token_useless(lab: Lab, ada: Client, frame: str) -> None:
    again = _lost(lab, ada)
    again.resume(ada.token)
    assert again.feed(frame)[0]["type"] == "error"
    refused(lab.client(), "resume_room", "not_found", resume_token=ada.token)
    assert again.closed is None


def test_a_token_may_be_shown_again_when_the_answer_was_lost(lab: Lab, ada: Client) -> None:
    publisher = ada.publish()
    for _ in range(3):  # each answer is lost with its socket
        unheard = lab.client()
        unheard.resume(ada.token)
        unheard.session.lose(lab.now)
        lab.wait(GRACE - 1)
    half_open = lab.client()
    half_open.resume(ada.token)
    again = lab.client()
    reply = again.resume(ada.token)

    assert half_open.closed == (4001, "resumed by another socket")
    assert half_open.feed('{"type": "get_stats"}') == []
    assert reply["publisher"]["publisher_id"] == publisher.id
    for token in (half_open.token, unheard.token):
        refused(lab.client(), "resume_room", "not_found", resume_token=token)
    assert again.closed is None


@pytest.mark.parametrize(
    "said",
    [
        {"type": "get_stats"},
        {"type": "leave_room"},
        {"type": "join_room", "room": "x", "name": "x"},
        {"type": "publisher_ice_candidate", "publisher_id": "x", "candidate": None},
    ],
    ids=lambda said: said["type"],
)
def test_a_stolen_token_is_of_no_use_once_its_owner_has_spoken(
    lab: Lab, ada: Client, bob: Client, said: dict[str, object]
) -> None:
    again = _lost(lab, ada)
    again.resume(ada.token)
    again.feed(json.dumps(said))
    refused(lab.client(), "resume_room", "not_found", resume_token=ada.token)
    assert again.closed is None


def test_nor_when_its_owner_says_nothing_for_a_minute(lab: Lab, ada: Client) -> None:
    again = _lost(lab, ada)
    again.resume(ada.token)
    lab.wait(resumption.UNCONFIRMED - 0.1)
    retried = lab.client()
    retried.resume(ada.token)
    lab.wait(resumption.UNCONFIRMED)
    refused(lab.client(), "resume_room", "not_found", resume_token=ada.token)
    assert retried.closed is None
    lab.client().resume(retried.token)


def test_both_tokens_end_with_the_stay(lab: Lab, ada: Client, bob: Client) -> None:
    again = _lost(lab, ada)
    again.resume(ada.token)
    again.session.lose(lab.now)
    lab.wait(GRACE)
    for token in (ada.token, again.token):
        refused(lab.client(), "resume_room", "not_found", resume_token=token)
    assert bob.take() == [{"type": "participant_left", "participant_id": ada.id}]


def test_the_tables_of_tokens_do_not_grow(lab: Lab, ada: Client, bob: Client) -> None:
    places = lab.rooms._places
    for confirm in (False, True) * 10:
        again = _lost(lab, ada)
        again.resume(ada.token)
        if confirm:
            again.ask("get_stats")
        ada = again
        assert len(places._by_digest) == (2 if confirm else 3)
    ada.session.end(Reason.LEFT)
    bob.session.end(Reason.LEFT)
    assert len(places._by_digest) == len(places._by_participant) == 0


def test_a_server_that_drains_lets_those_back_who_are_in(
    lab: Lab, ada: Client, bob: Client
) -> None:
    publisher = ada.publish()
    lab.rooms.tell_levels(lab.now)
    again = _lost(lab, ada)
    lab.rooms.drain(30, lab.now)
    assert bob.take() == [{"type": "server_draining", "seconds": 30}]
    lab.wait(4.5)
    assert again.resume(ada.token)["publisher"]["publisher_id"] == publisher.id
    lab.rooms.tell_levels(lab.now)

    assert again.take() == [{"type": "server_draining", "seconds": 26}]
    assert bob.take() == []
    half_open = lab.client()
    half_open.resume(again.token)
    lab.rooms.tell_levels(lab.now)
    assert half_open.take() == [{"type": "server_draining", "seconds": 26}]


def test_a_server_that_drains_refuses_who_comes_too_late(lab: Lab, ada: Client) -> None:
    publisher = ada.publish()
    again = _lost(lab, ada)
    lab.joined("Bob")
    lab.rooms.drain(30, lab.now)
    lab.wait(GRACE)
    refused(again, "resume_room", "not_found", resume_token=ada.token)
    told = again.feed('{"type": "join_room", "id": "q", "room": "room", "name": "Ada"}')

    assert told[0] == {"type": "server_draining", "seconds": 30 - GRACE}
    assert [told[1][field] for field in ("type", "id", "code")] == ["error", "q", "server_full"]
    assert len(told) == 2
    assert publisher.id not in lab.relay.open_connections()
    lab.wait(60)  # a deadline that has passed is no negative one
    assert lab.rooms.draining_news(lab.now) == ServerDraining(seconds=0)


def test_time_begins_anew_with_each_loss(lab: Lab, ada: Client) -> None:
    for _ in range(3):
        again = _lost(lab, ada)
        lab.wait(GRACE - 1)
        again.resume(ada.token)
        ada = again


def test_a_half_open_socket_is_taken_over(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    again = lab.client()
    again.resume(ada.token)

    assert ada.closed == (4001, "resumed by another socket")
    assert ada.feed('{"type": "leave_room"}') == []
    ada.session.lose(lab.now)
    ada.session.end(Reason.LEFT)
    lab.wait(GRACE + 1)
    assert bob.take() == []
    assert lab.relay.open_connections() == [publisher.id]
    assert again.ask("get_stats")["publisher"]["publisher_id"] == publisher.id


@pytest.mark.parametrize("reason", [Reason.LEFT, Reason.SHUTDOWN, Reason.REMOVED])
def test_who_leaves_cannot_come_back(lab: Lab, ada: Client, bob: Client, reason: Reason) -> None:
    ada.session.end(reason)
    assert bob.take() == [{"type": "participant_left", "participant_id": ada.id}]
    refused(lab.client(), "resume_room", "not_found", resume_token=ada.token)


def test_leave_room_ends_the_token(lab: Lab, ada: Client, bob: Client) -> None:
    ada.ask("leave_room")
    assert bob.take() == [{"type": "participant_left", "participant_id": ada.id}]
    _lost(lab, ada)
    refused(lab.client(), "resume_room", "not_found", resume_token=ada.token)


def test_unknown_tokens_are_not_found_and_harm_nobody(lab: Lab, ada: Client, bob: Client) -> None:
    _lost(lab, ada)
    for token in ("", "x", ada.id, "ä", (ada.token or "")[:-1]):
        refused(lab.client(), "resume_room", "not_found", resume_token=token)
    assert bob.take() == []
    assert bob.closed is None


def test_only_a_new_socket_resumes(lab: Lab, ada: Client, bob: Client) -> None:
    _lost(lab, ada)
    refused(bob, "resume_room", "wrong_state", resume_token=ada.token)
    bob.ask("leave_room")
    refused(bob, "resume_room", "wrong_state", resume_token=ada.token)
    lab.client().resume(ada.token)


def test_tokens_are_long_and_random(lab: Lab) -> None:
    tokens = {lab.joined(room=f"room-{number}").token or "" for number in range(10)}
    assert len(tokens) == 10
    assert min(map(len, tokens)) >= 32


def test_what_happened_meanwhile_is_in_the_list(lab: Lab, ada: Client, bob: Client) -> None:
    cyd = lab.joined("Cyd")
    gone = ada.consume(cyd.publish())
    again = _lost(lab, ada)
    publisher = bob.publish()
    bob.ask("set_muted", muted=True)
    cyd.session.end(Reason.LEFT)
    reply = again.resume(ada.token)

    assert reply["participants"] == [
        {
            "participant_id": bob.id,
            "name": "Bob",
            "muted": True,
            "publisher_id": publisher.id,
            "track_id": publisher.track_id,
        }
    ]
    assert reply["consumers"] == []
    assert gone.id not in lab.relay.open_connections()
    assert again.take() == []


def test_what_was_not_answered_yet_is_answered_on_the_new_socket(lab: Lab, ada: Client) -> None:
    publisher = ada.create_publisher()
    ada.tell("publish_audio", publisher_id=publisher.id, answer=answer(), id="old")
    again = _lost(lab, ada)
    assert again.resume(ada.token)["publisher"]["state"] == "connecting"
    publisher.establish()

    assert again.take() == [
        {
            "type": "audio_published",
            "publisher_id": publisher.id,
            "track_id": publisher.track_id,
            "id": "old",
        }
    ]


def test_what_was_answered_meanwhile_is_told_as_a_state(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.create_publisher()
    consumer = ada.create_consumer(bob.publish())
    ada.tell("publish_audio", publisher_id=publisher.id, answer=answer(), id="1")
    ada.tell("consumer_answer", consumer_id=consumer.id, answer=answer(), id="2")
    again = _lost(lab, ada)
    publisher.establish()
    consumer.fail()
    reply = again.resume(ada.token)

    assert reply["publisher"]["state"] == "connected"
    assert reply["consumers"] == []
    assert again.take() == []


def test_an_offer_can_be_answered_after_the_return(lab: Lab, ada: Client) -> None:
    publisher = ada.create_publisher()
    again = _lost(lab, ada)
    assert again.resume(ada.token)["publisher"]["state"] == "new"
    again.tell("publish_audio", publisher_id=publisher.id, answer=answer())
    publisher.establish()
    assert again.take()[0]["type"] == "audio_published"


def test_who_is_away_keeps_their_place_and_is_listed(lab: Lab, ada: Client, bob: Client) -> None:
    _lost(lab, ada)
    (room,) = lab.rooms.all()
    assert [lab.rooms.is_away(each) for each in room.participants.values()] == [True, False]
    (_, listed) = lab.client().join(name="Cyd")["participants"]
    assert listed["name"] == "Bob"
    refused(lab.client(), "join_room", "room_full", room="room", name="Dot")
    lab.wait(GRACE)
    lab.client().join(name="Dot")


def test_as_many_are_waited_for_as_the_bound_says(
    lab: Lab, ada: Client, bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumption, "MAX_WAITING", 1)
    _lost(lab, ada)
    cyd = lab.joined("Cyd")
    _lost(lab, bob)
    (left,) = cyd.take()
    assert left == {"type": "participant_left", "participant_id": bob.id}
    lab.client().resume(ada.token)


def test_without_grace_there_is_no_token_and_no_waiting() -> None:
    lab = Lab()
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    assert ada.token is None
    refused(_lost(lab, ada), "resume_room", "not_found", resume_token="anything")
    assert bob.take() == [{"type": "participant_left", "participant_id": ada.id}]
    lab.end_all()


def test_a_flood_is_no_lost_socket(lab: Lab, ada: Client, bob: Client) -> None:
    while ada.closed is None:
        ada.feed('{"type": "get_stats"}')
    assert bob.take() == [{"type": "participant_left", "participant_id": ada.id}]


def test_when_the_server_stops_nobody_is_waited_for(lab: Lab, ada: Client, bob: Client) -> None:
    publisher = ada.publish()
    _lost(lab, ada)
    lab.rooms.end_waiting(Reason.SHUTDOWN)
    assert bob.take() == [
        {"type": "publisher_closed", "publisher_id": publisher.id, "reason": "shutdown"},
        {"type": "participant_left", "participant_id": ada.id},
    ]


def test_observers_are_told_of_the_return_only(lab: Lab, ada: Client) -> None:
    lab.events.clear()
    again = _lost(lab, ada)
    lab.wait(3)
    again.resume(ada.token)
    lab.client().resume(again.token)

    assert lab.events == [
        ParticipantResumed("room", ada.id, 3, at=3),
        ParticipantResumed("room", ada.id, 0, at=3),
    ]


def test_no_token_is_logged(lab: Lab, ada: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    again = _lost(lab, ada)
    again.resume(ada.token)
    assert f"participant {ada.id} resumed" in caplog.text
    for token in (ada.token, again.token):
        assert token is not None
        assert token not in caplog.text
