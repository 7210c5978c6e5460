"""What holds for every message of a socket: one answer, a limit, and no exception."""

from __future__ import annotations

import logging

import pytest

from signaling.limits import Addresses, AddressLimits, Visitor
from signaling.messages import Reason, ServerMessage, Stats
from signaling.refusals import Refusal, Refusals
from signaling.session import MAX_DEBT, MESSAGE_BURST, MESSAGE_RATE, Session
from tests.signaling.lab import Client, Lab, answer, candidate

FULL_ROOM = 100


def _spend(client: Client, messages: int) -> None:
    for _ in range(messages):
        assert client.ask("get_stats")["type"] == "stats"


def test_messages_that_come_too_fast_are_refused_until_they_slow_down(lab: Lab) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    _spend(ada, int(MESSAGE_BURST) - 1)  # joining was one
    refused = ada.ask("set_muted", muted=True)

    assert refused["code"] == "rate_limited"
    assert bob.take() == []
    assert bob.ask("get_stats")["type"] == "stats"
    lab.now += 2 / MESSAGE_RATE
    assert ada.ask("set_muted", muted=True)["type"] == "participant_muted"
    assert ada.closed is None


def test_the_limited_are_told_their_id_even_for_messages_that_cannot_be_read(lab: Lab) -> None:
    ada = lab.joined()
    _spend(ada, int(MESSAGE_BURST) - 1)
    (known,) = ada.feed('{"type": "nonsense", "id": "a"}')
    (unknown,) = ada.feed("no message")

    assert (known["code"], known["id"]) == ("rate_limited", "a")
    assert unknown["code"] == "rate_limited"
    assert "id" not in unknown


def test_who_goes_on_all_the_same_is_closed_and_out_of_the_room(lab: Lab) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    _spend(ada, int(MESSAGE_BURST) - 1)
    for _ in range(int(MAX_DEBT)):
        assert ada.ask("get_stats")["code"] == "rate_limited"
    assert bob.take() == []
    ada.tell("get_stats")

    assert ada.closed == (1008, "messages kept coming too fast")
    assert bob.take() == [{"type": "participant_left", "participant_id": ada.id}]
    ada.tell("get_stats")
    assert ada.inbox == []


def _crowd(lab: Lab, count: int, message_rate: int) -> tuple[list[Client], Refusals]:
    """Sockets of one address, which may send so many messages a second."""
    refusals = Refusals()
    addresses = Addresses(AddressLimits(message_rate=message_rate), refusals)
    clients = []
    for _ in range(count):
        client = lab.client()
        visitor = Visitor(addresses, "192.0.2.1")
        client.session = Session(lab.rooms, client, lab.now, visitor, refusals, join_timeout=30)
        clients.append(client)
    return clients, refusals


def test_who_goes_on_though_the_address_may_not_is_closed_and_who_says_little_is_not(
    lab: Lab,
) -> None:
    (loud, quiet), refusals = _crowd(lab, 2, message_rate=1)
    for _ in range(20):  # both within what a socket may send
        lab.now += 1
        for _ in range(int(MESSAGE_RATE) - 10):
            loud.feed("{}")
        quiet.feed("{}")

    assert loud.closed == (1008, "messages kept coming too fast")
    assert quiet.closed is None
    assert quiet.inbox == []
    assert refusals[Refusal.SOCKET_FLOOD] == 1


def test_who_joins_no_room_is_closed_and_counted_once(lab: Lab) -> None:
    (client,), refusals = _crowd(lab, 1, message_rate=0)
    for now in (0, 29, 30, 31, 61, 62):
        client.session.expire(now)

    assert client.closed == (1008, "no room was joined")
    assert refusals.as_dict() == {"not_joined": 1}


def test_entering_a_full_room_at_once_is_within_the_limit() -> None:
    lab = Lab(max_participants=FULL_ROOM)
    peers = [lab.joined(f"Peer {number}") for number in range(FULL_ROOM - 1)]
    publishers = [peer.publish() for peer in peers]
    ada = lab.joined("Ada")
    ada.publish()
    for publisher in publishers:
        consumer = ada.create_consumer(publisher)
        ada.tell("consumer_answer", consumer_id=consumer.id, answer=answer())
        for _ in range(9):
            ada.tell("consumer_ice_candidate", consumer_id=consumer.id, candidate=candidate())
    lab.end_all()


def test_an_unexpected_fault_is_answered_logged_once_and_over(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    ada, bob = lab.joined("Ada"), lab.joined("Bob")
    lab.relay.broken = ZeroDivisionError("a fault of ours")
    reply = ada.ask("create_publisher")

    assert (reply["type"], reply["code"]) == ("error", "internal")
    assert "a fault of ours" not in reply["message"]
    (record,) = [item for item in caplog.records if item.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    assert bob.take() == []
    ada.publish()


def test_a_reply_that_cannot_be_written_is_answered_by_internal(
    lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, send = lab.joined("Ada"), Client.send

    def fragile(client: Client, message: ServerMessage) -> None:
        if isinstance(message, Stats):
            raise UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed")
        send(client, message)

    monkeypatch.setattr(Client, "send", fragile)
    assert ada.ask("get_stats")["code"] == "internal"  # with its id, too
    assert "a reply could not be sent" in caplog.text
    assert ada.ask("set_muted", muted=True)["type"] == "participant_muted"


def test_what_comes_after_the_end_is_not_handled(lab: Lab) -> None:
    client = lab.client()
    client.session.end(Reason.LEFT)
    client.tell("join_room", room="room", name="Ada")

    assert len(lab.rooms) == 0


def test_no_description_address_or_name_is_logged(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ada, bob = lab.joined("Ada-the-name"), lab.joined("Bob-the-name")
    publisher = ada.publish()
    bob.consume(publisher)
    ada.tell("publisher_ice_candidate", publisher_id=publisher.id, candidate=candidate())
    ada.ask("publish_audio", publisher_id=publisher.id, answer=answer())
    ada.ask("leave_room")

    assert ada.id in caplog.text
    for secret in ("the-name", "198.51.100.7", "v=0", "0123456789abcdef"):
        assert secret not in caplog.text
