"""Errors make their text from their facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from signaling.errors import ConfigError, ErrorCode, SignalingError, StartError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SignalingError(ErrorCode.NOT_FOUND, "Nobody."), "not_found: Nobody."),
        (ConfigError("--port", "expected a number", "x"), "--port: expected a number, got 'x'"),
        (ConfigError("--cert", "needs --key as well"), "--cert: needs --key as well"),
        (ConfigError("--cert", "wants", Path("x")), "--cert: wants, got PosixPath('x')"),
        (StartError("cannot listen", "address in use"), "cannot listen: address in use"),
    ],
)
def test_text(error: Exception, text: str) -> None:
    assert str(error) == text


def test_the_codes_are_those_of_the_protocol() -> None:
    assert set(ErrorCode) == {
        "bad_message",
        "unknown_type",
        "wrong_state",
        "not_found",
        "bad_sdp",
        "room_full",
        "server_full",
        "rate_limited",
        "unauthorized",
        "forbidden",
        "negotiation_failed",
        "internal",
    }
