"""What holds for every description, and for every text that is none."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdp import (
    AnyAttribute,
    Attribute,
    Candidate,
    SdpError,
    SessionDescription,
    build,
    build_candidate,
    parse,
    parse_candidate,
)
from sdp.grammar import PROPERTIES, ROWS, build_attribute, parse_attribute
from tests.sdp.strategies import ATTRIBUTES, CANDIDATES, UNHURRIED, descriptions
from tests.sdp.vectors import VECTORS

texts = st.sampled_from(sorted(VECTORS.values()))
hostile = st.text(st.characters(), max_size=30)
lines = st.sampled_from(sorted({line for text in VECTORS.values() for line in text.split("\r\n")}))
HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\n"


@UNHURRIED
@given(descriptions())
def test_what_is_written_reads_back_the_same(description: SessionDescription) -> None:
    text = build(description)
    assert parse(text) == description
    assert parse(text.replace("\r\n", "\n")) == description


@UNHURRIED
@given(ATTRIBUTES)
def test_an_attribute_reads_back_the_same(attribute: AnyAttribute) -> None:
    assert parse_attribute(build_attribute(attribute)) == attribute


@UNHURRIED
@given(CANDIDATES)
def test_a_candidate_reads_back_the_same(candidate: Candidate) -> None:
    text = build_candidate(candidate)
    assert parse_candidate(text) == parse_candidate(f"a={text}") == candidate


def parses_or_refuses(text: str) -> None:
    """Parses, and then the text can be built again with every line kept; or raises SdpError."""
    with suppress(SdpError):
        description = parse(text)
        given_lines = [line.removesuffix("\r") for line in text.split("\n")]
        built_lines = build(description).split("\r\n")
        assert sorted(filter(None, built_lines)) == sorted(filter(None, given_lines))
        assert [line for line in built_lines if line[:2] in ("a=", "m=")] == [
            line for line in given_lines if line[:2] in ("a=", "m=")
        ]


@UNHURRIED
@given(st.text(st.characters()))
def test_any_text(text: str) -> None:
    parses_or_refuses(text)


@UNHURRIED
@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    parses_or_refuses(data.decode("latin-1"))
    parses_or_refuses(data.decode("utf-8", "replace"))
    parses_or_refuses(data.decode("utf-8", "surrogateescape"))


@UNHURRIED
@given(st.lists(lines | st.builds("{}={}".format, st.sampled_from("vosiuepcbtrzkamx"), hostile)))
def test_any_lines(body: list[str]) -> None:
    parses_or_refuses(HEAD + "\r\n".join(body))


@UNHURRIED
@given(st.sampled_from(sorted(PROPERTIES | {row.name for row in ROWS})), hostile)
def test_any_value_of_a_known_attribute(name: str, value: str) -> None:
    parses_or_refuses(f"{HEAD}a={name}:{value}")


@UNHURRIED
@given(texts, st.data())
def test_mutated_vectors(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(hostile | lines | texts) + text[end:]
    parses_or_refuses(text)


@UNHURRIED
@given(
    texts, st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=5)
)
def test_vectors_with_other_bytes(text: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(text.encode())
    for place, byte in changes:
        data[place % len(data)] = byte
    parses_or_refuses(data.decode("utf-8", "replace"))


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_vectors_cut_at_every_place(name: str) -> None:
    for end in range(0, len(VECTORS[name]), 3):
        parses_or_refuses(VECTORS[name][:end])


@UNHURRIED
@given(hostile)
def test_any_candidate(text: str) -> None:
    with suppress(SdpError):
        assert build_candidate(parse_candidate(f"candidate:{text}")) == f"candidate:{text}"


def _with_text(attribute: Any, text: str) -> Any:
    """The attribute with this text in its first field that holds one, else in its first field."""
    if isinstance(attribute, StrEnum):
        return attribute
    names = [item.name for item in dataclasses.fields(attribute)]
    name = next((item for item in names if isinstance(getattr(attribute, item), str)), names[0])
    return dataclasses.replace(attribute, **{name: text})


injections = st.tuples(
    st.sampled_from(["", "x", "x\r\n"]), hostile, st.sampled_from(["", "\n", "\r\na=y"])
).map("".join)


@UNHURRIED
@given(ATTRIBUTES, injections)
def test_no_value_adds_a_line(attribute: AnyAttribute, text: str) -> None:
    description = SessionDescription(attributes=(_with_text(attribute, text), Attribute("last")))
    with suppress(SdpError):
        assert [line[:2] for line in build(description).split("\r\n")] == [
            *("v=", "o=", "s=", "t=", "a=", "a="),
            "",
        ]
