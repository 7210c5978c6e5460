"""How many connections there may be, and how many may be on their way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from relay import CloseReason
from signaling.capacity import OFFER_TIMEOUT, YIELD_AFTER, Capacity
from signaling.errors import ErrorCode, SignalingError
from signaling.refusals import Refusal, Refusals
from tests.signaling.double import Publisher
from tests.signaling.lab import Client, Lab
from tests.signaling.scene import refused


def _code(capacity: Capacity, group: str = "") -> ErrorCode | None:
    try:
        capacity.check(group)
    except SignalingError as error:
        return error.code
    return None


def _connection(capacity: Capacity, group: str = "") -> Publisher:
    media = Publisher("room")
    capacity.follow(media, group)
    return media


def test_connections() -> None:
    refusals = Refusals()
    capacity = Capacity(2, 10, refusals)
    first, _ = _connection(capacity), _connection(capacity)

    assert _code(capacity) is ErrorCode.SERVER_FULL
    first.close()
    first.close()
    assert (capacity.connections, capacity.handshakes) == (1, 1)
    assert _code(capacity) is None
    assert refusals.as_dict() == {"server_full": 1}


@pytest.mark.parametrize("end", ["connected", "closed"])
def test_handshakes(end: str) -> None:
    refusals = Refusals()
    capacity = Capacity(10, 2, refusals)
    first, _ = _connection(capacity), _connection(capacity)

    assert _code(capacity) is ErrorCode.RATE_LIMITED
    first.emit("connected") if end == "connected" else first.close()
    assert capacity.handshakes == 1
    assert _code(capacity) is None
    first.close(CloseReason.FAILED)
    assert (capacity.connections, capacity.handshakes) == (1, 1)
    assert refusals[Refusal.HANDSHAKES] == 1


def test_one_address_gets_half_of_the_handshakes() -> None:
    capacity = Capacity(100, 4)
    mine = [_connection(capacity, "a") for _ in range(2)]

    assert _code(capacity, "a") is ErrorCode.RATE_LIMITED
    assert _code(capacity, "b") is None
    assert _code(capacity) is None  # of nobody knows whom
    mine[0].emit("connected")
    assert _code(capacity, "a") is None


def test_who_takes_long_makes_room_when_there_is_none() -> None:
    refusals = Refusals()
    capacity = Capacity(100, 3, refusals)
    capacity.expire(100.0)
    first, second = _connection(capacity, "a"), _connection(capacity, "b")
    capacity.expire(100.0 + YIELD_AFTER / 2)
    third = _connection(capacity, "c")

    assert _code(capacity, "d") is ErrorCode.RATE_LIMITED  # nobody has had their time
    capacity.expire(100.0 + YIELD_AFTER)
    assert _code(capacity, "d") is None
    fourth = _connection(capacity, "d")
    assert first.close_reason is CloseReason.FAILED
    second.emit("connected")
    assert _code(capacity, "e") is None  # there is room again
    _connection(capacity, "e")
    assert _code(capacity, "f") is ErrorCode.RATE_LIMITED
    capacity.expire(100.0 + 2 * YIELD_AFTER)
    assert _code(capacity, "f") is None
    assert third.close_reason is CloseReason.FAILED
    assert (second.close_reason, fourth.close_reason) == (None, None)
    assert refusals.as_dict() == {"handshakes": 2, "displaced": 2}


def test_the_address_that_has_the_most_makes_room_first() -> None:
    capacity = Capacity(100, 6)
    alone = _connection(capacity, "a")
    crowd = [_connection(capacity, "b") for _ in range(3)]
    others = [_connection(capacity, group) for group in "cd"]
    capacity.expire(YIELD_AFTER)

    for place in range(2):
        assert _code(capacity, "e") is None
        _connection(capacity, "e")
        assert crowd[place].close_reason is CloseReason.FAILED
    assert {one.close_reason for one in (alone, crowd[2], *others)} == {None}


def test_an_offer_that_nobody_answers_is_given_up() -> None:
    refusals = Refusals()
    capacity = Capacity(refusals=refusals)
    answered, ignored = _connection(capacity), _connection(capacity)
    for now in (100.0, 101.0):
        capacity.expire(now)
    answered.state = type(answered.state).CONNECTING
    capacity.expire(100.0 + OFFER_TIMEOUT - 0.1)
    assert ignored.close_reason is None

    capacity.expire(100.0 + OFFER_TIMEOUT)
    assert ignored.close_reason is CloseReason.FAILED
    assert answered.close_reason is None
    assert (capacity.connections, refusals.as_dict()) == (1, {"unanswered": 1})


# As clients see it.


@pytest.fixture
def small() -> Iterator[Lab]:
    """A server with three places for connections, two at a time."""
    lab = Lab(capacity=Capacity(3, 2))
    yield lab
    lab.end_all()


def _publishing(lab: Lab, name: str) -> Client:
    client = lab.joined(name)
    client.publish()
    return client


def test_a_full_server_says_so_and_works_on(small: Lab) -> None:
    ada, bob, cyd, dan = (small.joined(name) for name in ("Ada", "Bob", "Cyd", "Dan"))
    for client in (ada, bob, cyd):
        client.publish()

    refused(dan, "create_publisher", "server_full")
    refused(dan, "create_consumer", "server_full", publisher_id=next(iter(small.relay.publishers)))
    assert ada.ask("set_muted", muted=True)["type"] == "participant_muted"
    ada.session.receive('{"type": "leave_room"}', small.now)
    small.take_all()
    dan.publish()


def test_set_ups_in_flight_are_bounded(small: Lab) -> None:
    ada, bob, cyd = (small.joined(name) for name in ("Ada", "Bob", "Cyd"))
    ada.create_publisher()
    bob.create_publisher()

    refused(cyd, "create_publisher", "rate_limited")
    small.now = 1.0
    small.rooms.expire(small.now)
    small.now += OFFER_TIMEOUT
    small.rooms.expire(small.now)
    closed = [news for news in ada.take() if news["type"] == "publisher_closed"]
    assert [news["reason"] for news in closed] == ["failed", "failed"]
    small.take_all()
    cyd.publish()
