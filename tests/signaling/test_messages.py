"""Frames to messages and back, and the sentences that say why not."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import messages
from signaling.errors import ErrorCode, SignalingError
from signaling.messages import AnyClientMessage, AnyServerMessage, decode, encode
from tests.signaling.scene import VALID

FINITE = st.floats(allow_nan=False, allow_infinity=False)  # JSON has no others
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _error(frame: str) -> SignalingError:
    with pytest.raises(SignalingError) as caught:
        decode(frame)
    return caught.value


def test_the_table_of_valid_messages_is_complete() -> None:
    assert {kind.__struct_config__.tag for kind in get_args(AnyClientMessage)} == set(VALID)


@pytest.mark.parametrize("type", VALID)
def test_every_message_is_read(type: str) -> None:
    message = decode(json.dumps({"type": type, "id": "q"} | VALID[type]))

    assert message.id == "q"
    read = msgspec.to_builtins(message)
    for field, value in VALID[type].items():
        if isinstance(value, dict):
            assert value.items() <= read[field].items()
        else:
            assert read[field] == value


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ("", "must hold one JSON object"),
        ("[]", "must be a JSON object: expected `object`, got `array`"),
        ("{}", "no field `type`"),
        ('{"type": 5}', "`type` must be a string"),
        ('{"type": "get_stats", "id": 5}', "`id` must be a string of up to 64"),
        (
            '{"type": "set_muted"}',
            "set_muted message cannot be read: object missing required field",
        ),
        ('{"type": "set_muted", "muted": 1}', "expected `bool`, got `int`, in field `muted`"),
        ('{"type": "join_room", "room": " ", "name": "x"}', "expected 1 to 64 of the characters"),
        ('{"type": "join_room", "room": "x", "name": ""}', "none of them a control character"),
        ('{"x": ' + "[" * 60_000, "nested too deeply"),
        ('{"type": "get_stats", "id": "\\ud800"}', "must hold one JSON object"),
        ("\ud800", "must hold one JSON object"),
    ],
)
def test_an_error_says_what_was_wrong_and_what_was_expected(frame: str, words: str) -> None:
    error = _error(frame)
    assert error.code is ErrorCode.BAD_MESSAGE
    assert words in error.message
    assert len(error.message) < 300


def test_an_answer_of_the_wrong_type_is_told_the_right_one() -> None:
    frame = {"type": "publish_audio", "publisher_id": "x", "answer": {"type": "offer", "sdp": ""}}
    assert (
        "expected the string 'answer', in field `answer.type`" in _error(json.dumps(frame)).message
    )


def test_an_unknown_type_is_told_the_known_ones_and_is_cut_short() -> None:
    error = _error(json.dumps({"type": "x" * 10_000, "id": "q"}))
    assert error.code is ErrorCode.UNKNOWN_TYPE
    assert error.id == "q"
    assert "join_room, resume_room, create_publisher" in error.message
    assert len(error.message) < 500


def test_unknown_fields_may_hold_anything() -> None:
    assert decode('{"type": "get_stats", "x": 1e999, "y": ' + "9" * 5000 + "}").id == msgspec.UNSET


def test_an_error_repeats_the_id_even_where_other_fields_cannot_be_read() -> None:
    assert _error('{"type": 1e999, "id": "q"}').id == "q"
    assert _error('{"type": "set_muted", "id": "q"}').id == "q"
    assert messages.request_id('{"type": "nonsense", "id": "q"}') == "q"
    assert messages.request_id('{"type": "nonsense"}') is None
    assert messages.request_id("no message") is None
    assert messages.request_id('{"id": 5}') is None


def test_a_reply_carries_the_id_and_other_messages_have_none() -> None:
    left = messages.RoomLeft()
    assert encode(left) == b'{"type":"room_left"}'
    assert encode(messages.answering(left, "q")) == b'{"type":"room_left","id":"q"}'
    assert messages.answering(left, None) is left
    assert messages.answering(left, msgspec.UNSET) is left


def test_null_fields_of_ours_are_written() -> None:
    joined = messages.RoomJoined(
        room="r", participant_id="p", participants=[], ice_servers=[], resume_token=None
    )
    assert json.loads(encode(joined))["resume_token"] is None


def test_no_type_of_ours_is_used_twice() -> None:
    for union in (AnyClientMessage, AnyServerMessage):
        tags = [kind.__struct_config__.tag for kind in get_args(union)]
        assert len(tags) == len(set(tags))


@given(st.text())
def test_arbitrary_text_is_read_or_refused(frame: str) -> None:
    _read_or_refused(frame)


@given(JSON_VALUES)
def test_arbitrary_json_is_read_or_refused(value: Any) -> None:
    _read_or_refused(json.dumps(value))


@given(st.sampled_from(sorted(VALID)), st.data())
def test_mutated_messages_are_read_or_refused_with_their_id(type: str, data: st.DataObject) -> None:
    message: dict[str, Any] = {"type": type, "id": "q"} | VALID[type]
    field = data.draw(st.sampled_from([name for name in message if name != "id"]))
    if data.draw(st.booleans()):
        del message[field]
    else:
        message[field] = data.draw(JSON_VALUES)
    error = _read_or_refused(json.dumps(message))
    assert error is None or error.id == "q"


def _read_or_refused(frame: str) -> SignalingError | None:
    try:
        decode(frame)
    except SignalingError as error:
        return error
    return None
