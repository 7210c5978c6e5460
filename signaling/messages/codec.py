"""Frames to messages and back.

A frame is read in two steps, so that an error can repeat the `id` of a message whose other fields are
wrong: first `type` and `id` alone, then the struct that `type` names.
"""

from __future__ import annotations

import re
from typing import TypeVar, get_args

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from signaling.errors import ErrorCode, SignalingError
from signaling.messages.client import AnyClientMessage
from signaling.messages.fields import ID_RULE, NAME_RULE, ROOM_RULE, RequestId
from signaling.messages.server import ServerMessage

M = TypeVar("M", bound=ServerMessage)

_SHOWN_LENGTH = 64
"""Characters of a client's own words that an error repeats."""

_RULES = {"$.room": ROOM_RULE, "$.name": NAME_RULE, "$.answer.type": "the string 'answer'"}
"""What a field takes, where msgspec's words (a regular expression, a length) would not help."""

_PLACE = re.compile(r"^(?P<what>.*) - at `(?P<path>[^`]*)`$", re.DOTALL)


class _Envelope(Struct):
    type: Raw = Raw()
    id: Raw = Raw()


_envelopes = msgspec.json.Decoder(_Envelope)
_strings = msgspec.json.Decoder(str)
_request_ids = msgspec.json.Decoder(RequestId)
_messages: dict[str, msgspec.json.Decoder[AnyClientMessage]] = {
    str(kind.__struct_config__.tag): msgspec.json.Decoder(kind)
    for kind in get_args(AnyClientMessage)
}
_encoder = msgspec.json.Encoder()


def decode(frame: str) -> AnyClientMessage:
    """The message in a text frame.

    Raises SignalingError: `bad_message` for what is no JSON object, or has a missing or mistyped field;
    `unknown_type` for a `type` that the protocol does not have.
    """
    envelope = _decode_envelope(frame)
    id = _decode_id(envelope.id)
    try:
        return _decode_message(frame, envelope.type)
    except SignalingError as error:
        raise SignalingError(error.code, error.message, id) from error.__cause__


def request_id(frame: str) -> str | None:
    """The `id` of a message that is not going to be read, if it has a readable one."""
    try:
        return _decode_id(_decode_envelope(frame).id)
    except SignalingError:
        return None


def encode(message: ServerMessage) -> bytes:
    """The payload of the text frame for a message: JSON in UTF-8."""
    return _encoder.encode(message)


def answering(reply: M, id: str | UnsetType | None) -> M:
    """The same message as the direct reply to the one with this `id`."""
    return reply if id is None or id is UNSET else msgspec.structs.replace(reply, id=id)


def _decode_envelope(frame: str) -> _Envelope:
    try:
        return _envelopes.decode(frame)
    except msgspec.ValidationError as error:
        raise _bad_message(f"The message must be a JSON object: {_sentence(error)}.") from error
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise _bad_message(f"The frame must hold one JSON object: {error}.") from error
    except RecursionError as error:
        raise _bad_message("The message is nested too deeply to be read.") from error


def _decode_id(raw: Raw) -> str | None:
    if not raw:
        return None
    try:
        return _request_ids.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _bad_message(f"Field `id` must be {ID_RULE}.") from error


def _decode_message(frame: str, raw_type: Raw) -> AnyClientMessage:
    name = _decode_type(raw_type)
    decoder = _messages.get(name)
    if decoder is None:
        known = ", ".join(_messages)
        raise SignalingError(
            ErrorCode.UNKNOWN_TYPE,
            f"No message has the type {_shown(name)}; expected one of {known}.",
        )
    try:
        return decoder.decode(frame)
    except msgspec.ValidationError as error:
        raise _bad_message(f"A {name} message cannot be read: {_sentence(error)}.") from error


def _decode_type(raw: Raw) -> str:
    if not raw:
        raise _bad_message("The message has no field `type`, which must name what it is.")
    try:
        return _strings.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _bad_message("Field `type` must be a string that names the message.") from error


def _sentence(error: msgspec.ValidationError) -> str:
    """What was wrong, what was expected, and where, in words without a full stop."""
    found = _PLACE.match(str(error))
    if found is None:
        return _lower_first(str(error))
    path = found["path"]
    what = f"expected {_RULES[path]}" if path in _RULES else _lower_first(found["what"])
    return f"{what}, in field `{path.removeprefix('$.')}`"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…")


def _bad_message(sentence: str) -> SignalingError:
    return SignalingError(ErrorCode.BAD_MESSAGE, sentence)
