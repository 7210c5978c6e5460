"""What a token opens, and what it lets people do inside, told by the messages that they get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from signaling.access import Access, Grants, Key
from signaling.events import ParticipantJoined
from tests.signaling.lab import Lab, answer
from tests.signaling.scene import refused

access = Access(Key.read("correct horse battery staple, twice"))


@pytest.fixture
def guarded() -> Iterator[Lab]:
    """Rooms that ask for a token; their clock stands at 0."""
    lab = Lab(access=access)
    yield lab
    lab.end_all()


def _token(room: str = "room", **grants: Any) -> str:
    wish: dict[str, Any] = {
        "identity": "ada",
        "publish": True,
        "subscribe": True,
        "expires": 60,
    } | grants
    return access.issue(Grants(room=room, **wish))


def test_a_token_opens_its_room_and_no_other(guarded: Lab) -> None:
    ada = guarded.client()
    token = _token("tea")

    refused(ada, "join_room", "unauthorized", room="tea", name="Ada")
    refused(ada, "join_room", "unauthorized", room="tea", name="Ada", token="nonsense")
    refused(ada, "join_room", "forbidden", room="coffee", name="Ada", token=token)
    assert len(guarded.rooms) == 0  # a refusal leaves nothing behind
    ada.join("tea", token=token)


def test_an_expired_token_is_refused_and_who_is_in_stays_in(guarded: Lab) -> None:
    ada, bob = guarded.client(), guarded.client()
    token = _token(expires=60)
    ada.join(token=token)
    guarded.now = 61.0

    refused(bob, "join_room", "unauthorized", room="room", name="Bob", token=token)
    assert ada.ask("get_stats")["type"] == "stats"
    ada.create_publisher()


def test_the_token_s_name_goes_before_the_one_that_is_asked_for(guarded: Lab) -> None:
    ada, bob = guarded.client(), guarded.client()
    ada.join(name="Eve", token=_token(name="Ada"))
    listed = bob.join(name="Bob", token=_token())["participants"]

    assert [entry["name"] for entry in listed] == ["Ada"]
    assert ada.take()[0]["name"] == "Bob"
    joined = [event for event in guarded.events if isinstance(event, ParticipantJoined)]
    assert [(event.name, event.identity) for event in joined] == [("Ada", "ada"), ("Bob", "ada")]


def test_who_may_not_publish(guarded: Lab) -> None:
    ada = guarded.client()
    ada.join(token=_token(publish=False))

    refused(ada, "create_publisher", "forbidden")
    assert ada.ask("set_muted", muted=True)["type"] == "participant_muted"


def test_who_may_not_listen(guarded: Lab) -> None:
    ada, bob = guarded.client(), guarded.client()
    ada.join(token=_token())
    publisher = ada.publish()
    bob.join(name="Bob", token=_token(subscribe=False))

    refused(bob, "create_consumer", "forbidden", publisher_id=publisher.id)
    refused(bob, "create_consumer", "forbidden", publisher_id="nobody")  # tells nothing of others
    bob.publish()


def test_an_open_room_takes_any_token_and_grants_no_more(lab: Lab) -> None:
    ada = lab.client()
    ada.join(token=_token(admin=True))
    publisher = ada.create_publisher()
    ada.tell("publish_audio", publisher_id=publisher.id, answer=answer())
