from __future__ import annotations

import pytest

from sdp import SdpError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SdpError("a port"), "expected a port"),
        (SdpError("a port", "x"), "expected a port, got 'x'"),
        (SdpError("a port", ""), "expected a port, got ''"),
        (SdpError("a port", line="m=x"), "'m=x': expected a port"),
        (SdpError("a port", "x", line="m=x", number=7), "line 7: 'm=x': expected a port, got 'x'"),
    ],
)
def test_the_text_is_made_of_the_facts(error: SdpError, text: str) -> None:
    assert str(error) == text


def test_a_place_is_added_without_losing_the_facts() -> None:
    error = SdpError("a port", "x").at("m=x", 7)
    assert (error.expected, error.found, error.line, error.number) == ("a port", "x", "m=x", 7)


def test_long_lines_are_shortened_and_short_ones_are_not() -> None:
    assert str(SdpError("x", line="a" * 80)) == f"'{'a' * 80}': expected x"
    assert str(SdpError("x", line="a" * 81)) == f"'{'a' * 79}…': expected x"
    assert str(SdpError("x", "a" * 5000)) == f"expected x, got '{'a' * 79}…'"


def test_the_facts_keep_their_length() -> None:
    assert SdpError("x", line="a" * 5000).line == "a" * 5000


def test_control_characters_are_shown_escaped() -> None:
    assert str(SdpError("x", "\r\n\x1b")) == r"expected x, got '\r\n\x1b'"


def test_it_is_a_value_error() -> None:
    assert issubclass(SdpError, ValueError)
