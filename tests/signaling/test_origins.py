"""Which pages may open a WebSocket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.origins import Origins, read_origin

VOICE = "https://voice.example.org"


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (VOICE, VOICE),
        ("HTTPS://Voice.Example.ORG", VOICE),
        ("https://voice.example.org:443", VOICE),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
        ("http://192.0.2.1:80", "http://192.0.2.1"),
        ("null", None),
        ("", None),
        ("voice.example.org", None),
        ("file://", None),
        ("ws://voice.example.org", None),
        ("https://voice.example.org/", None),
        ("https://voice.example.org/room", None),
        ("https://me@voice.example.org", None),
        ("https://voice.example.org?x", None),
        ("https://voice.example.org:port", None),
        ("https://[::1", None),
    ],
)
def test_origins(text: str, origin: str | None) -> None:
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://localhost:8080", "localhost:8080", True),
        (VOICE, "voice.example.org", True),
        (VOICE, "Voice.Example.org", True),
        (VOICE, "voice.example.org:443", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8081", False),
        ("http://localhost:8080", "127.0.0.1:8080", False),
        ("https://evil.example", "voice.example.org", False),
        ("https://voice.example.org.evil.example", "voice.example.org", False),
        ("https://voice.example.org", "voice.example.org.evil.example", False),
        ("http://voice.example.org:8080", "voice.example.org", False),
        ("null", "voice.example.org", False),
        ("null", "null", False),
        ("", "", False),
        (VOICE, "voice.example.org/", False),
        (VOICE, "me@voice.example.org", False),
    ],
)
def test_the_server_s_own(origin: str, host: str, allowed: bool) -> None:
    assert Origins().allow([origin], [host]) is allowed


def test_those_that_are_named() -> None:
    origins = Origins((VOICE, "http://localhost:9000"))

    for origin in (VOICE, "https://Voice.example.org:443", "http://localhost:9000"):
        assert origins.allow([origin], ["127.0.0.1:8080"])
    for origin in ("http://127.0.0.1:8080", "http://voice.example.org", "null"):
        assert not origins.allow([origin], ["127.0.0.1:8080"])


def test_every_one() -> None:
    for origin in (VOICE, "null", "nonsense"):
        assert Origins(("*",)).allow([origin], ["other.example"])


def test_programs_that_are_no_browsers() -> None:
    for origins in (Origins(), Origins((VOICE,)), Origins(("*",))):
        assert origins.allow([], ["voice.example.org"])


def test_what_is_said_twice_is_not_believed() -> None:
    assert not Origins().allow([VOICE, VOICE], ["voice.example.org"])
    assert not Origins().allow([VOICE], ["voice.example.org", "voice.example.org"])
    assert not Origins().allow([VOICE], [])


@given(st.text(), st.text())
def test_no_header_raises(origin: str, host: str) -> None:
    Origins().allow([origin], [host])
    assert not Origins((VOICE,)).allow([origin + "x"], [host])
