"""Every message in every wrong state, with missing and mistyped fields: the named error, the socket stays
usable, and nobody else notices. Wrong answers and candidates are in `test_refused_media.py`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.signaling.lab import Lab, answer
from tests.signaling.scene import VALID, Scene, refused

OF_NO_TYPE_OF_OURS = [None, 5, 1.5, [], ["x"]]
"""JSON values that no field takes, but those that take null."""

NULLABLE = {("publisher_ice_candidate", "candidate"), ("consumer_ice_candidate", "candidate")}


# In no room.


@pytest.mark.parametrize("type", VALID.keys() - {"join_room", "resume_room"})
def test_anything_but_joining_needs_a_room(lab: Lab, type: str) -> None:
    fresh = lab.client()
    refused(fresh, type, "wrong_state", **VALID[type])
    fresh.join()
    fresh.ask("leave_room")
    refused(fresh, type, "wrong_state", **VALID[type])
    fresh.join()


def test_nothing_waits_to_be_resumed(lab: Lab) -> None:
    client = lab.client()
    refused(client, "resume_room", "not_found", resume_token="token")
    client.join()
    refused(client, "resume_room", "wrong_state", resume_token="token")
    client.ask("leave_room")
    refused(client, "resume_room", "wrong_state", resume_token="token")


def test_full_rooms_and_servers(lab: Lab) -> None:
    small = Lab(max_rooms=2, max_participants=2)
    first, second, third = small.client(), small.client(), small.client()
    first.join("a")
    second.join("a")
    refused(third, "join_room", "room_full", room="a", name="Cyd")
    third.join("b")
    fourth = small.client()
    refused(fourth, "join_room", "server_full", room="c", name="Dan")
    third.ask("leave_room")
    fourth.join("c")
    second.ask("leave_room")
    third.join("a")
    small.end_all()


# Missing and mistyped fields.

REQUIRED = [(type, field) for type, fields in VALID.items() for field in fields]


@pytest.mark.parametrize(("type", "field"), REQUIRED)
def test_a_missing_field(scene: Scene, type: str, field: str) -> None:
    fields = {name: value for name, value in VALID[type].items() if name != field}
    stranger = scene.lab.client()
    refused(scene.ada, type, "bad_message", **fields)
    refused(stranger, type, "bad_message", **fields)

    assert scene.ada.ask("get_stats")["type"] == "stats"
    scene.nobody_noticed()
    stranger.join()


@pytest.mark.parametrize(("type", "field"), REQUIRED)
def test_a_mistyped_field(scene: Scene, type: str, field: str) -> None:
    wrong: list[Any] = [*OF_NO_TYPE_OF_OURS]
    if (type, field) in NULLABLE:
        wrong.remove(None)
    wrong += [{}, "true"] if isinstance(VALID[type][field], bool) else [True]
    wrong += ["text"] if isinstance(VALID[type][field], dict) else [{}]
    for value in wrong:
        refused(scene.ada, type, "bad_message", **VALID[type] | {field: value})
    assert scene.ada.ask("get_stats")["type"] == "stats"
    scene.nobody_noticed()


@pytest.mark.parametrize("room", ["", "x" * 65, "a b", "a/b", "ä", "room\n", "\x00", "%41"])
def test_a_room_that_cannot_be_named(lab: Lab, room: str) -> None:
    refused(lab.client(), "join_room", "bad_message", room=room, name="Ada")


@pytest.mark.parametrize("room", ["x" * 64, "A-Z_a.z-09", "..", "-"])
def test_a_room_that_can_be_named(lab: Lab, room: str) -> None:
    assert lab.client().join(room)["room"] == room


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "\x00", "\x7f", "\x9f", "Ada\n"])
def test_a_name_that_nobody_has(lab: Lab, name: str) -> None:
    refused(lab.client(), "join_room", "bad_message", room="room", name=name)


@pytest.mark.parametrize("name", ["x", "é" * 64, "🎤" * 64, "Ada Lovelace", "<b>"])
def test_a_name_counts_code_points(lab: Lab, name: str) -> None:
    lab.client().join(name=name)


def test_a_token_is_taken_and_means_nothing_yet(lab: Lab) -> None:
    client = lab.client()
    refused(client, "join_room", "bad_message", room="room", name="Ada", token=5)
    assert client.ask("join_room", room="room", name="Ada", token="t")["type"] == "room_joined"


@pytest.mark.parametrize("id", [5, None, "x" * 65, {}, [], True])
def test_an_id_that_is_none_is_not_repeated(scene: Scene, id: Any) -> None:
    (reply,) = scene.ada.feed(json.dumps({"type": "get_stats", "id": id}))
    assert (reply["type"], reply["code"]) == ("error", "bad_message")
    assert "id" not in reply


@pytest.mark.parametrize("id", ["", "x" * 64, "é" * 64])
def test_an_id_is_repeated_as_it_is(scene: Scene, id: str) -> None:
    (reply,) = scene.ada.feed(json.dumps({"type": "get_stats", "id": id}))
    assert (reply["type"], reply["id"]) == ("stats", id)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "not json",
        "[]",
        "null",
        "5",
        '"text"',
        "{",
        '{"type": "get_stats"} {}',
        "[" * 60_000,
        "{}",
    ],
    ids=lambda frame: frame[:12],
)
def test_a_frame_that_is_no_message(scene: Scene, frame: str) -> None:
    (reply,) = scene.ada.feed(frame)
    assert (reply["type"], reply["code"]) == ("error", "bad_message")
    assert scene.ada.ask("get_stats")["type"] == "stats"
    scene.nobody_noticed()


@pytest.mark.parametrize("type", ["", "nonsense", "JOIN_ROOM", "room_joined", "error", "x" * 9999])
def test_an_unknown_type(scene: Scene, type: str) -> None:
    refused(scene.ada, type, "unknown_type")
    refused(scene.lab.client(), type, "unknown_type")
    scene.nobody_noticed()


@pytest.mark.parametrize("type", [None, 5, [], {}, True])
def test_a_type_that_is_no_string(scene: Scene, type: Any) -> None:
    refused(scene.ada, type, "bad_message")


def test_unknown_fields_are_ignored(lab: Lab) -> None:
    client = lab.client()
    reply = client.ask("join_room", room="room", name="Ada", later={"addition": [1]})
    assert reply["type"] == "room_joined"


# The wrong state inside a room.


def test_joining_twice(scene: Scene) -> None:
    refused(scene.ada, "join_room", "wrong_state", room="room", name="Ada")
    refused(scene.ada, "join_room", "wrong_state", room="other", name="Ada")
    scene.nobody_noticed()


def test_a_second_publisher(scene: Scene) -> None:
    scene.ada.create_publisher()
    refused(scene.ada, "create_publisher", "wrong_state")
    scene.nobody_noticed()


def test_a_second_consumer_of_the_same_publisher(scene: Scene) -> None:
    publisher = scene.bob.publish()
    scene.ada.create_consumer(publisher)
    refused(scene.ada, "create_consumer", "wrong_state", publisher_id=publisher.id)
    scene.nobody_noticed()


def test_consuming_oneself(scene: Scene) -> None:
    unanswered = scene.ada.create_publisher()
    refused(scene.ada, "create_consumer", "wrong_state", publisher_id=unanswered.id)
    scene.ada.ask("close_publisher", publisher_id=unanswered.id)
    scene.lab.take_all()
    publisher = scene.ada.publish()
    refused(scene.ada, "create_consumer", "wrong_state", publisher_id=publisher.id)
    scene.nobody_noticed()


def test_consuming_what_cannot_be_consumed_yet(scene: Scene) -> None:
    publisher = scene.bob.create_publisher()
    refused(scene.ada, "create_consumer", "not_found", publisher_id=publisher.id)
    scene.bob.tell("publish_audio", publisher_id=publisher.id, answer=answer())
    refused(scene.ada, "create_consumer", "not_found", publisher_id=publisher.id)
    publisher.establish()
    scene.ada.create_consumer(publisher)


@pytest.mark.parametrize("media", [False, True])
def test_answering_twice(scene: Scene, media: bool) -> None:
    of_bob = scene.bob.publish()
    publisher, consumer = scene.ada.create_publisher(), scene.ada.create_consumer(of_bob)
    scene.ada.tell("publish_audio", publisher_id=publisher.id, answer=answer())
    scene.ada.tell("consumer_answer", consumer_id=consumer.id, answer=answer())
    if media:
        publisher.establish()
        consumer.establish()
        scene.lab.take_all()

    for again in (answer(), {"type": "answer", "sdp": "no SDP"}):
        ids = {"publisher_id": publisher.id, "consumer_id": consumer.id}
        refused(scene.ada, "publish_audio", "wrong_state", answer=again, **ids)
        refused(scene.ada, "consumer_answer", "wrong_state", answer=again, **ids)
    scene.nobody_noticed()


# Ids of nobody, of others, of other rooms, and of what is closed: all alike.

BY_PUBLISHER_ID = ["publish_audio", "publisher_ice_candidate", "close_publisher", "create_consumer"]
BY_CONSUMER_ID = ["consumer_answer", "consumer_ice_candidate", "close_consumer"]


def _foreign_publishers(scene: Scene) -> dict[str, str]:
    closed = scene.ada.publish()
    scene.ada.ask("close_publisher", publisher_id=closed.id)
    of_eve = scene.eve.publish()
    return {"nobody": "x", "empty": "", "of another room": of_eve.id, "closed": closed.id}


@pytest.mark.parametrize("type", BY_PUBLISHER_ID)
def test_publisher_ids_that_are_not_ones_own(scene: Scene, type: str) -> None:
    foreign = _foreign_publishers(scene)
    if type != "create_consumer":
        foreign["of another participant"] = scene.bob.publish().id
    scene.lab.take_all()
    replies = [
        scene.ada.ask(type, **VALID[type] | {"publisher_id": publisher_id})
        for publisher_id in foreign.values()
    ]

    assert {reply["code"] for reply in replies} == {"not_found"}
    assert len({reply["message"] for reply in replies}) == 1
    scene.nobody_noticed()


@pytest.mark.parametrize("type", BY_CONSUMER_ID)
def test_consumer_ids_that_are_not_ones_own(scene: Scene, type: str) -> None:
    publisher = scene.ada.publish()
    of_bob = scene.bob.create_consumer(publisher)
    closed = scene.ada.create_consumer(scene.bob.publish())
    scene.ada.ask("close_consumer", consumer_id=closed.id)
    scene.lab.take_all()
    replies = [
        scene.ada.ask(type, **VALID[type] | {"consumer_id": consumer_id})
        for consumer_id in ("x", "", of_bob.id, closed.id, publisher.id)
    ]

    assert {reply["code"] for reply in replies} == {"not_found"}
    assert len({reply["message"] for reply in replies}) == 1
    scene.nobody_noticed()
