"""Rooms begin and end with their participants."""

from __future__ import annotations

import pytest

from signaling.errors import ErrorCode, SignalingError
from signaling.messages import Reason
from signaling.participant import Participant
from signaling.rooms import Rooms
from tests.signaling.double import Relay


@pytest.fixture
def rooms() -> Rooms:
    return Rooms(Relay(), max_rooms=2, max_participants=2)


def _somebody() -> Participant:
    return Participant("Ada", lambda message: None)


def test_a_room_lasts_as_long_as_somebody_is_in_it(rooms: Rooms) -> None:
    first, second = _somebody(), _somebody()
    room, _ = rooms.enter("a")
    room.join(first)
    assert rooms.enter("a")[0] is room
    room.join(second)
    assert (len(rooms), rooms.participant_count) == (1, 2)

    rooms.leave(room, first, Reason.LEFT)
    assert (len(rooms), rooms.participant_count) == (1, 1)
    rooms.leave(room, second, Reason.LEFT)
    assert (len(rooms), rooms.participant_count) == (0, 0)
    assert rooms.enter("a")[0] is not room


def test_a_full_room_is_refused_and_others_are_not(rooms: Rooms) -> None:
    for _ in range(2):
        rooms.enter("a")[0].join(_somebody())
    with pytest.raises(SignalingError) as caught:
        rooms.enter("a")

    assert caught.value.code is ErrorCode.ROOM_FULL
    assert "2" in caught.value.message
    rooms.enter("b")[0].join(_somebody())


def test_a_full_server_is_refused_and_its_rooms_are_not(rooms: Rooms) -> None:
    for name in "ab":
        rooms.enter(name)[0].join(_somebody())
    with pytest.raises(SignalingError) as caught:
        rooms.enter("c")

    assert caught.value.code is ErrorCode.SERVER_FULL
    assert len(rooms) == 2
    rooms.enter("b")[0].join(_somebody())


def test_ids_are_random_and_long() -> None:
    ids = {_somebody().id for _ in range(100)}
    assert len(ids) == 100
    assert min(map(len, ids)) >= 16
