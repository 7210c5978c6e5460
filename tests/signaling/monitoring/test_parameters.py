"""Queries are read with bounds, or refused with a sentence."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.monitoring.parameters import ApiError, Parameters


def test_a_path_and_its_parameters() -> None:
    parameters = Parameters("/api/v1//history/rooms/?limit=5&from=1.5&to=9&room=a%20b&limit=7")

    assert parameters.path == ("api", "v1", "history", "rooms")
    assert parameters.integer("limit", 100, 1, 1000) == 7
    assert parameters.period(0, 0) == (1.5, 9)
    assert parameters.text("room") == "a b"
    assert parameters.text("nothing") is None
    assert parameters.number("nothing", 3.5, 0, 1) == 3.5
    assert parameters.choice("format", ("json", "csv")) == "json"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", "limit: expected a number from 1 to 10."),
        ("limit=x", "limit: expected a number from 1 to 10."),
        ("limit=nan", "limit: expected a number from 1 to 10."),
        ("limit=inf", "limit: expected a number from 1 to 10."),
        ("limit=1e400", "limit: expected a number from 1 to 10."),
        ("limit=1.5", "limit: expected a whole number from 1 to 10."),
        ("format=xml", "format: expected one of json, csv."),
        ("room=" + "x" * 201, "room: expected at most 200 characters."),
        ("from=2&to=1", "to: expected a time that is not before `from`."),
        ("from=-1", "from: expected a number from 0 to 1e+11."),
    ],
)
def test_what_cannot_be_read_is_said(query: str, expected: str) -> None:
    parameters = Parameters(f"/?{query}")
    with pytest.raises(ApiError) as caught:
        _read(parameters)
    assert caught.value.message == expected
    assert str(caught.value) == f"400 bad_request: {expected}"


@pytest.mark.parametrize(
    "target", ["/?" + "x" * 3000, "/?" + "&".join("abcdefghijklmnopqrstuvwxyz")]
)
def test_what_is_too_long_is_refused(target: str) -> None:
    with pytest.raises(ApiError):
        Parameters(target)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    for target in (text, f"/?{text}", f"/?from={text}"):
        with contextlib.suppress(ApiError):
            _read(Parameters(target))


def _read(parameters: Parameters) -> None:
    parameters.integer("limit", 1, 1, 10)
    parameters.period(0, 100)
    parameters.choice("format", ("json", "csv"))
    parameters.text("room")
