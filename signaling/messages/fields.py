"""What several messages share: constrained strings, and the browser's own objects."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

# `(?![\s\S])` is the end of the text in Python and in JavaScript alike; Python's `$` also stands before a
# line feed at the end.
_ROOM_PATTERN = r"^[A-Za-z0-9_.-]+(?![\s\S])"
_NAME_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f]+(?![\s\S])"

ID_RULE = "a string of up to 64 characters"
ROOM_RULE = "1 to 64 of the characters A-Z, a-z, 0-9, _, . and -"
NAME_RULE = "1 to 64 characters, none of them a control character"

RequestId = Annotated[
    str, Meta(max_length=64, description="Chosen by the client; the direct reply repeats it.")
]
RoomName = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=_ROOM_PATTERN, description=ROOM_RULE)
]
DisplayName = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=_NAME_PATTERN, description=NAME_RULE)
]


class Reason(StrEnum):
    """Why a publisher or a consumer ended."""

    CLOSED = "closed"
    LEFT = "left"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    PUBLISHER_CLOSED = "publisher_closed"
    REMOVED = "removed"
    SHUTDOWN = "shutdown"


class Answer(Struct, frozen=True):
    """A browser's `RTCSessionDescriptionInit` of type `answer`."""

    type: Literal["answer"]
    sdp: str


class Offer(Struct, frozen=True):
    """An `RTCSessionDescriptionInit` of type `offer`."""

    sdp: str
    type: Literal["offer"] = "offer"


class IceCandidateInit(Struct, frozen=True):
    """An `RTCIceCandidateInit`; an empty or null `candidate` is the end of candidates."""

    candidate: str | None
    sdpMid: str | None = None
    sdpMLineIndex: Annotated[int, Meta(ge=0, le=65535)] | None = None
    usernameFragment: str | None = None
