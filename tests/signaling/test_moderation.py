"""Moderators mute and remove: what everybody is told, and that it holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from signaling.access import Access, Grants, Key
from signaling.events import MuteChanged, ParticipantLeft
from signaling.moderation import MAX_IDENTITIES, Moderation
from signaling.participant import Participant
from tests.signaling.lab import Client, Lab
from tests.signaling.scene import refused

access = Access(Key.read("correct horse battery staple, twice"))


@pytest.fixture
def guarded() -> Iterator[Lab]:
    lab = Lab(access=access, resume_grace=10)
    yield lab
    lab.end_all()
    lab.wait(100)


def _token(name: str, *, admin: bool = False) -> str:
    return access.issue(
        Grants(name.lower(), "room", publish=True, subscribe=True, admin=admin, expires=1000.0)
    )


def _join(lab: Lab, name: str, *, admin: bool = False) -> Client:
    client = lab.client()
    client.join(name=name, token=_token(name, admin=admin))
    lab.take_all()
    return client


def test_who_may_not(guarded: Lab) -> None:
    ada, bob = _join(guarded, "Ada"), _join(guarded, "Bob")

    refused(ada, "mute_participant", "forbidden", participant_id=bob.id, muted=True)
    refused(ada, "remove_participant", "forbidden", participant_id=bob.id)
    refused(ada, "remove_participant", "forbidden", participant_id="nobody")
    assert bob.take() == []


def test_whom_one_may_not(guarded: Lab) -> None:
    ada = _join(guarded, "Ada", admin=True)

    for type, fields in (("mute_participant", {"muted": True}), ("remove_participant", {})):
        refused(ada, type, "not_found", participant_id="nobody", **fields)
        refused(ada, type, "wrong_state", participant_id=ada.id, **fields)


def test_a_moderator_s_mute_holds(guarded: Lab) -> None:
    ada, bob, cyd = _join(guarded, "Ada", admin=True), _join(guarded, "Bob"), _join(guarded, "Cyd")
    media = bob.publish()

    held = {"type": "mute_held", "participant_id": bob.id, "held": True}
    muted = {"type": "participant_muted", "participant_id": bob.id, "muted": True}
    ada.session.receive(
        f'{{"type": "mute_participant", "participant_id": "{bob.id}", "muted": true}}', 0.0
    )
    for client in (ada, bob, cyd):
        assert client.take() == [muted, held]
    assert media.muted
    assert MuteChanged("room", bob.id, True, at=0.0) in guarded.events

    refused(bob, "set_muted", "forbidden", muted=False)
    assert bob.ask("set_muted", muted=True)["muted"] is True
    guarded.take_all()
    media.close()
    assert bob.create_publisher().muted  # for another one as well

    # Letting them unmute does not unmute them.
    released = ada.ask("mute_participant", participant_id=bob.id, muted=False)
    assert released == held | {"held": False}
    assert [news for news in cyd.take() if "mute" in news["type"]] == [released]
    assert bob.ask("set_muted", muted=False)["muted"] is False


def test_a_mute_holds_for_who_comes_back(guarded: Lab) -> None:
    ada, bob = _join(guarded, "Ada", admin=True), _join(guarded, "Bob")
    ada.feed(f'{{"type": "mute_participant", "participant_id": "{bob.id}", "muted": true}}')
    bob.ask("leave_room")
    media = _join(guarded, "Cyd").publish()
    ada.take()
    again = guarded.client()
    again.join(name="Bob", token=_token("Bob"))

    assert ada.take() == [
        {"type": "participant_joined", "participant_id": again.id, "name": "Bob"},
        {"type": "participant_muted", "participant_id": again.id, "muted": True},
        {"type": "mute_held", "participant_id": again.id, "held": True},
    ]
    assert guarded.events[-1] == MuteChanged("room", again.id, True, at=0.0)
    assert again.take() == []
    assert not media.muted
    refused(again, "set_muted", "forbidden", muted=False)
    guarded.rooms.tell_levels(1.0)
    assert again.take() == [
        {"type": "participant_muted", "participant_id": again.id, "muted": True},
        {"type": "mute_held", "participant_id": again.id, "held": True},
    ]
    guarded.rooms.tell_levels(2.0)
    assert again.take() == []


def _holds(client: Client) -> list[tuple[str, bool]]:
    return [
        (news["participant_id"], news["held"])
        for news in client.take()
        if news["type"] == "mute_held"
    ]


def test_who_was_let_go_while_away_is_told(guarded: Lab) -> None:
    ada, bob = _join(guarded, "Ada", admin=True), _join(guarded, "Bob")
    ada.feed(f'{{"type": "mute_participant", "participant_id": "{bob.id}", "muted": true}}')
    guarded.take_all()
    bob.session.lose(guarded.now)
    ada.feed(f'{{"type": "mute_participant", "participant_id": "{bob.id}", "muted": false}}')
    back = guarded.client()
    back.resume(bob.token)
    guarded.rooms.tell_levels(1.0)

    assert back.take() == [{"type": "mute_held", "participant_id": bob.id, "held": False}]
    assert back.ask("set_muted", muted=False)["muted"] is False


def test_who_comes_is_told_whom_moderators_muted(guarded: Lab) -> None:
    ada, bob = _join(guarded, "Ada", admin=True), _join(guarded, "Bob")
    cyd = _join(guarded, "Cyd")
    for held in (bob, cyd):
        ada.feed(f'{{"type": "mute_participant", "participant_id": "{held.id}", "muted": true}}')
    ada.session.lose(guarded.now)
    dan = _join(guarded, "Dan", admin=True)
    guarded.rooms.tell_levels(1.0)
    assert _holds(dan) == [(bob.id, True), (cyd.id, True)]

    dan.feed(f'{{"type": "mute_participant", "participant_id": "{bob.id}", "muted": false}}')
    back = guarded.client()
    back.resume(ada.token)
    guarded.take_all()
    guarded.rooms.tell_levels(2.0)
    assert _holds(back) == [(bob.id, False), (cyd.id, True)]
    assert _holds(dan) == []


def test_removing(guarded: Lab) -> None:
    ada, bob, cyd = _join(guarded, "Ada", admin=True), _join(guarded, "Bob"), _join(guarded, "Cyd")
    media = bob.publish()
    cyd.consume(media)
    guarded.take_all()

    removed = {"type": "participant_removed", "participant_id": bob.id}
    assert (
        ada.feed(f'{{"type": "remove_participant", "participant_id": "{bob.id}"}}')[-1] == removed
    )
    assert bob.take() == [removed]
    assert bob.closed == (1008, "removed from the room")
    assert [(news["type"], news.get("reason")) for news in cyd.take()] == [
        ("participant_removed", None),
        ("consumer_closed", "publisher_closed"),
        ("publisher_closed", "removed"),
        ("participant_left", None),
    ]
    assert guarded.events[-1] == ParticipantLeft("room", bob.id, "removed", at=0.0)
    bob.session.receive('{"type": "create_publisher"}', 0.0)  # on its way already
    assert bob.take() == []


def test_who_was_removed_cannot_come_back_while_the_room_lasts(guarded: Lab) -> None:
    ada, bob = _join(guarded, "Ada", admin=True), _join(guarded, "Bob")
    resume_token = bob.token
    ada.feed(f'{{"type": "remove_participant", "participant_id": "{bob.id}"}}')
    again = guarded.client()
    token = access.issue(Grants("bob", "room", publish=True, expires=1000.0))

    refused(again, "join_room", "forbidden", room="room", name="Bob", token=token)
    refused(again, "resume_room", "not_found", resume_token=resume_token)
    ada.ask("leave_room")
    again.join(token=token)


def test_it_holds_for_all_windows_of_one_person(guarded: Lab) -> None:
    ada, bob, cyd = _join(guarded, "Ada", admin=True), _join(guarded, "Bob"), _join(guarded, "Cyd")
    twin = _join(guarded, "Bob")
    media = twin.publish()

    ada.feed(f'{{"type": "mute_participant", "participant_id": "{bob.id}", "muted": true}}')
    assert media.muted
    told = [(news["type"], news["participant_id"]) for news in cyd.take()]
    assert sorted(told) == sorted(
        (type, client.id) for type in ("participant_muted", "mute_held") for client in (bob, twin)
    )
    refused(twin, "set_muted", "forbidden", muted=False)
    ada.feed(f'{{"type": "mute_participant", "participant_id": "{twin.id}", "muted": false}}')
    assert bob.ask("set_muted", muted=False)["muted"] is False
    assert cyd.ask("set_muted", muted=False)["muted"] is False

    guarded.take_all()
    ada.feed(f'{{"type": "remove_participant", "participant_id": "{bob.id}"}}')
    assert bob.closed == twin.closed == (1008, "removed from the room")
    told = [(news["type"], news["participant_id"]) for news in cyd.take() if "part" in news["type"]]
    assert sorted(told) == sorted(
        (type, client.id)
        for type in ("participant_removed", "participant_left")
        for client in (bob, twin)
    )
    assert guarded.rooms.participant_count == 2


def test_a_moderator_never_acts_on_themselves_in_another_window(guarded: Lab) -> None:
    ada, other = _join(guarded, "Ada", admin=True), _join(guarded, "Ada", admin=True)

    ada.feed(f'{{"type": "remove_participant", "participant_id": "{other.id}"}}')
    assert other.closed is not None
    assert ada.closed is None
    assert ada.ask("get_stats")["type"] == "stats"


def test_nobody_without_an_identity_is_taken_for_another() -> None:
    room = Lab().rooms.enter("room")[0]
    moderator = Participant("Ada", lambda message: None, Grants("ada", admin=True))
    guests = [Participant(name, lambda message: None) for name in ("Bob", "Cyd")]
    for participant in (moderator, *guests):
        room.join(participant)

    removed, _ = room.remove(moderator, guests[0].id)
    assert removed == guests[:1]


def test_somebody_who_is_away_can_be_removed(guarded: Lab) -> None:
    ada, bob = _join(guarded, "Ada", admin=True), _join(guarded, "Bob")
    bob.session.lose(guarded.now)
    ada.feed(f'{{"type": "remove_participant", "participant_id": "{bob.id}"}}')

    assert guarded.rooms.participant_count == 1
    assert guarded.rooms.waiting_count == 0


def test_what_is_remembered_is_bounded() -> None:
    moderation = Moderation()
    everybody = [Grants(f"id-{number}") for number in range(MAX_IDENTITIES + 1)]
    for grants in everybody:
        moderation.remove(grants)
        moderation.hold(grants, True)

    assert not moderation.is_removed(everybody[0])
    assert moderation.is_removed(everybody[1])
    assert moderation.is_held(everybody[-1])
    moderation.hold(everybody[-1], False)
    assert not moderation.is_held(everybody[-1])
    nobody = Grants()
    moderation.remove(nobody)
    moderation.hold(nobody, True)
    assert not moderation.is_removed(nobody)
    assert not moderation.is_held(nobody)
