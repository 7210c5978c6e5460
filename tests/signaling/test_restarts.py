"""ICE restarts: what a client asks for, what the relay notices, and that media and others do not care."""

from __future__ import annotations

import json

import pytest

import sdp
from relay import NetworkChange
from signaling.events import NetworkChanged
from tests.signaling.double import REFUSED_FINGERPRINT, Connection
from tests.signaling.lab import Client, Lab, Message, answer, answer_with
from tests.signaling.scene import refused


@pytest.fixture(params=["publisher_id", "consumer_id"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connection(lab: Lab, ada: Client, bob: Client, kind: str) -> Connection:
    """Ada's, with media."""
    made = ada.publish() if kind == "publisher_id" else ada.consume(bob.publish())
    lab.events.clear()
    return made


def _origin(offer: Message) -> tuple[int, int]:
    origin = sdp.parse(offer["sdp"]).origin
    return origin.session_id, origin.session_version


def test_a_client_restarts_and_media_goes_on(
    lab: Lab, ada: Client, bob: Client, connection: Connection, kind: str
) -> None:
    named = {kind: connection.id}
    reply = ada.ask("restart_ice", **named)
    assert {name: reply[name] for name in ("type", kind)} == {"type": "ice_restart", **named}
    assert "a=ice-ufrag:ufrag1\r\n" in reply["offer"]["sdp"]
    ada.tell("ice_restart_answer", answer=answer(), id="7", **named)
    assert connection.remote is not None
    assert connection.restarts == [connection.remote]
    connection.find_another_path()

    assert ada.take() == [{"type": "ice_restarted", "id": "7", **named}]
    assert bob.take() == []
    assert lab.events == [NetworkChanged("room", ada.id, connection.id, "restart", at=0)]


def test_an_offer_is_the_next_of_its_session(ada: Client) -> None:
    created = ada.ask("create_publisher")
    named = {"publisher_id": created["publisher_id"]}
    ada.tell("publish_audio", answer=answer(), **named)
    publisher = ada._lab.relay.publishers[created["publisher_id"]]
    publisher.establish()
    ada.take()
    offers = [created["offer"]]
    for _ in range(2):
        offers.append(ada.ask("restart_ice", **named)["offer"])
        ada.tell("ice_restart_answer", answer=answer(), **named)
        publisher.find_another_path()
        ada.take()
    session = _origin(offers[0])[0]
    assert [_origin(offer) for offer in offers] == [(session, 1), (session, 2), (session, 3)]

    first, second = (
        [line for line in offer["sdp"].split("\r\n") if not line.startswith(("o=", "a=ice-"))]
        for offer in offers[:2]
    )
    assert first == second


def test_a_relay_that_hears_nothing_offers_by_itself(
    ada: Client, bob: Client, connection: Connection, kind: str
) -> None:
    connection.emit("doubtful")
    (offer,) = ada.take()
    assert (offer["type"], offer[kind]) == ("ice_restart", connection.id)
    assert "id" not in offer
    ada.tell("ice_restart_answer", answer=answer(), **{kind: connection.id})
    connection.find_another_path()
    assert [message["type"] for message in ada.take()] == ["ice_restarted"]
    assert bob.take() == []


def test_an_offer_that_crosses_a_wish_is_its_reply_too(
    ada: Client, bob: Client, connection: Connection, kind: str
) -> None:
    """The client asks before the relay's own offer reaches it, answers that one, and gets what it asked
    for: an answer does not say which offer it is for, so there is only one."""
    named = {kind: connection.id}
    connection.emit("doubtful")
    (own,) = ada.take()
    asked = ada.ask("restart_ice", **named)
    assert asked["offer"] == own["offer"]
    ada.tell("ice_restart_answer", answer=answer(), id="7", **named)
    refused(ada, "ice_restart_answer", "wrong_state", answer=answer(), **named)
    connection.find_another_path()
    assert ada.take() == [{"type": "ice_restarted", "id": "7", **named}]
    assert bob.take() == []

    later = ada.ask("restart_ice", **named)["offer"]
    assert _origin(later) == (_origin(own["offer"])[0], _origin(own["offer"])[1] + 1)


def test_a_wish_that_comes_twice_has_one_offer(
    ada: Client, connection: Connection, kind: str
) -> None:
    first, second = (ada.ask("restart_ice", **{kind: connection.id}) for _ in range(2))
    assert first["offer"] == second["offer"]


def test_a_move_without_a_restart_is_a_fact_for_observers_only(
    lab: Lab, ada: Client, connection: Connection
) -> None:
    connection.find_another_path(NetworkChange.ADDRESS)
    assert ada.take() == []
    assert lab.events == [NetworkChanged("room", ada.id, connection.id, "address", at=0)]


def test_a_restart_that_finds_no_path_is_told_and_leaves_all_as_it_was(
    lab: Lab, ada: Client, connection: Connection, kind: str
) -> None:
    named = {kind: connection.id}
    ada.ask("restart_ice", **named)
    ada.tell("ice_restart_answer", answer=answer(), id="7", **named)
    connection.find_no_path()
    (failed,) = ada.take()
    assert (failed["type"], failed["code"], failed["id"]) == ("error", "negotiation_failed", "7")
    assert connection.id in lab.relay.open_connections()
    assert ada.ask("restart_ice", **named)["type"] == "ice_restart"


def test_another_restart_takes_the_place_of_the_first(
    ada: Client, connection: Connection, kind: str
) -> None:
    named = {kind: connection.id}
    ada.ask("restart_ice", **named)
    ada.tell("ice_restart_answer", answer=answer(), id="7", **named)
    failed, offer = ada.feed(json.dumps({"type": "restart_ice"} | named))
    assert (failed["code"], failed["id"]) == ("negotiation_failed", "7")
    assert "a=ice-ufrag:ufrag2\r\n" in offer["offer"]["sdp"]
    ada.tell("ice_restart_answer", answer=answer(), **named)


def test_a_connection_that_ends_meanwhile(ada: Client, connection: Connection, kind: str) -> None:
    named = {kind: connection.id}
    ada.ask("restart_ice", **named)
    ada.tell("ice_restart_answer", answer=answer(), id="7", **named)
    connection.fail()
    failed, closed = ada.take()
    assert (failed["code"], failed["id"]) == ("negotiation_failed", "7")
    assert closed["reason"] == "failed"
    refused(ada, "restart_ice", "not_found", **named)


def test_who_is_away_has_the_restart_afterwards() -> None:
    lab = Lab(resume_grace=10)
    ada = lab.joined()
    publisher = ada.publish()
    ada.session.lose(lab.now)
    publisher.emit("doubtful")
    again = lab.client()
    again.resume(ada.token)
    assert again.take() == []
    offer = again.ask("restart_ice", publisher_id=publisher.id)
    assert offer["type"] == "ice_restart"
    again.tell("ice_restart_answer", publisher_id=publisher.id, answer=answer())
    publisher.find_another_path()
    assert again.take()[0]["type"] == "ice_restarted"
    lab.end_all()


def test_only_what_has_media_can_be_restarted(ada: Client, bob: Client) -> None:
    publisher = ada.create_publisher()
    refused(ada, "restart_ice", "wrong_state", publisher_id=publisher.id)
    ada.tell("publish_audio", publisher_id=publisher.id, answer=answer())
    refused(ada, "restart_ice", "wrong_state", publisher_id=publisher.id)
    assert bob.take() == []


def test_only_an_offer_can_be_answered(ada: Client, connection: Connection, kind: str) -> None:
    named = {kind: connection.id}
    refused(ada, "ice_restart_answer", "wrong_state", answer=answer(), **named)
    ada.ask("restart_ice", **named)
    ada.tell("ice_restart_answer", answer=answer(), **named)
    refused(ada, "ice_restart_answer", "wrong_state", answer=answer(), **named)


def test_a_late_answer_is_not_taken_for_that_to_a_newer_offer(
    ada: Client, connection: Connection, kind: str
) -> None:
    """The first offer found no path in time; its answer comes when another one is out already."""
    named = {kind: connection.id}
    first = ada.ask("restart_ice", **named)["offer_version"]
    connection.find_no_path()
    second = ada.ask("restart_ice", **named)
    assert second["offer_version"] == _origin(second["offer"])[1] == first + 1
    late = {"answer": answer(), "offer_version": first}
    refused(ada, "ice_restart_answer", "wrong_state", **late, **named)
    assert connection.restarts == [None]  # which still waits for its answer
    ada.tell("ice_restart_answer", answer=answer(), offer_version=first + 1, id="7", **named)
    connection.find_another_path()
    assert ada.take() == [{"type": "ice_restarted", "id": "7", **named}]


@pytest.mark.parametrize(
    "wrong",
    [
        answer_with("a=ice-ufrag"),
        answer_with("a=fingerprint", f"a=fingerprint:sha-256 {REFUSED_FINGERPRINT}"),
    ],
)
def test_a_refused_answer_may_be_followed_by_a_right_one(
    ada: Client, connection: Connection, kind: str, wrong: Message
) -> None:
    named = {kind: connection.id}
    ada.ask("restart_ice", **named)
    refused(ada, "ice_restart_answer", "bad_sdp", answer=wrong, **named)
    ada.tell("ice_restart_answer", answer=answer(), **named)
    connection.find_another_path()
    assert ada.take()[0]["type"] == "ice_restarted"


def test_those_of_others_are_not_found(bob: Client, connection: Connection, kind: str) -> None:
    refused(bob, "restart_ice", "not_found", **{kind: connection.id})
    refused(bob, "ice_restart_answer", "not_found", answer=answer(), **{kind: connection.id})


def test_exactly_one_id_is_needed(ada: Client, connection: Connection) -> None:
    for named in ({}, {"publisher_id": connection.id, "consumer_id": connection.id}):
        refused(ada, "restart_ice", "bad_message", **named)
        refused(ada, "ice_restart_answer", "bad_message", answer=answer(), **named)
