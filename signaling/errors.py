"""What goes wrong in signaling, and whose fault it is.

SignalingError    a client's message cannot be done: it gets `error` with a code, nobody else notices
ConfigError       an option cannot be used: the program tells the operator and exits
StartError        the machine refuses what the program needs: the same
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """The `code` of an `error` message."""

    BAD_MESSAGE = "bad_message"
    UNKNOWN_TYPE = "unknown_type"
    WRONG_STATE = "wrong_state"
    NOT_FOUND = "not_found"
    BAD_SDP = "bad_sdp"
    ROOM_FULL = "room_full"
    SERVER_FULL = "server_full"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NEGOTIATION_FAILED = "negotiation_failed"
    INTERNAL = "internal"


class SignalingError(Exception):
    """The answer to a message that cannot be done.

    message: one sentence that says what was wrong and what was expected. id: of the message at fault,
    where that could be read before the rest of it.
    """

    def __init__(self, code: ErrorCode, message: str, id: str | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.id = id

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class ConfigError(Exception):
    """An option that cannot be used. source: where it came from, such as `--port`; expected: what
    would do, or what is wrong; got: the value at fault, or None where there is none to show."""

    def __init__(self, source: str, expected: str, got: object = None) -> None:
        super().__init__(source, expected, got)
        self.source = source
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        got = "" if self.got is None else f", got {self.got!r}"
        return f"{self.source}: {self.expected}{got}"


class StartError(Exception):
    """A resource that the program cannot start without. what: which; reason: the system's words."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


def wrong_state(sentence: str) -> SignalingError:
    """What is asked for does not fit what there is."""
    return SignalingError(ErrorCode.WRONG_STATE, sentence)


def not_found(sentence: str) -> SignalingError:
    """There is no such thing, for who asks."""
    return SignalingError(ErrorCode.NOT_FOUND, sentence)


def forbidden(sentence: str) -> SignalingError:
    """Who asks may not."""
    return SignalingError(ErrorCode.FORBIDDEN, sentence)
