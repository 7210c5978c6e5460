"""What is told of a STUN message before it is parsed, and the bounds on what is parsed then."""

from __future__ import annotations

import struct

import pytest
from aioice import stun
from hypothesis import example, given
from hypothesis import strategies as st

from relay.screening import MAX_ATTRIBUTES, MAX_LENGTH, Budget, screen

TRANSACTION = b"transaction."
COOKIE = b"\x21\x12\xa4\x42"
USERNAME, INTEGRITY, SOFTWARE = 0x0006, 0x0008, 0x8022


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(*attributes: bytes, kind: int = 0x0001, **changes: bytes) -> bytes:
    body = b"".join(attributes)
    length = changes.get("length", len(body).to_bytes(2, "big"))
    return kind.to_bytes(2, "big") + length + changes.get("cookie", COOKIE) + TRANSACTION + body


@pytest.mark.parametrize(
    ("datagram", "found"),
    [
        (message(), (True, b"")),
        (message(attribute(USERNAME, b"ours:theirs")), (True, b"ours")),
        (message(attribute(SOFTWARE, b"x"), attribute(USERNAME, b"ours:")), (True, b"ours")),
        (message(attribute(USERNAME, b"ours")), (True, b"ours")),
        (message(attribute(USERNAME, b"one:"), attribute(USERNAME, b"two:")), (True, b"two")),
        (
            message(
                attribute(USERNAME, b"one:"),
                attribute(INTEGRITY, bytes(20)),
                attribute(USERNAME, b"2"),
            ),
            (True, b"one"),
        ),
        (message(kind=0x0101), (False, TRANSACTION)),
        (message(attribute(USERNAME, b"ours:"), kind=0x0111), (False, TRANSACTION)),
        (message(kind=0x0011), (False, TRANSACTION)),
        (message(kind=0x0003), None),  # Allocate
        (message(cookie=bytes(4)), None),
        (message(length=b"\0\4"), None),
        (message(attribute(SOFTWARE, b"x"))[:-1], None),
        (message(attribute(SOFTWARE, b"xxxx"), length=b"\0\x0c"), None),
        (message(b"\x80\x22\0\xff", length=b"\0\4"), None),
        (message(b"\x80\x22"), None),
        (b"", None),
        (bytes(19), None),
    ],
)
def test_what_is_told(datagram: bytes, found: tuple[bool, bytes] | None) -> None:
    assert screen(datagram) == found


def test_bounds() -> None:
    longest = message(attribute(SOFTWARE, bytes(MAX_LENGTH - 24)))
    most = message(*[attribute(SOFTWARE, b"")] * MAX_ATTRIBUTES)

    assert len(longest) == MAX_LENGTH
    assert screen(longest) == screen(most) == (True, b"")
    assert screen(message(attribute(SOFTWARE, bytes(MAX_LENGTH - 20)))) is None
    assert screen(message(*[attribute(SOFTWARE, b"")] * (MAX_ATTRIBUTES + 1))) is None


@given(st.binary(max_size=80))
@example(message(attribute(USERNAME, b"a:b")))
def test_any_bytes(data: bytes) -> None:
    screened = screen(data)
    if screened is not None:
        assert data[4:8] == COOKIE
        assert len(data) == 20 + int.from_bytes(data[2:4], "big")


@given(st.text(min_size=1, max_size=9).filter(lambda name: ":" not in name), st.booleans())
def test_it_agrees_with_the_parser(name: str, signed: bool) -> None:
    request = stun.Message(
        stun.Method.BINDING,
        stun.Class.REQUEST,
        attributes={"PRIORITY": 1, "USERNAME": f"{name}:theirs", "ICE-CONTROLLED": 2},
    )
    if signed:
        request.add_message_integrity(b"key")
    assert screen(bytes(request)) == (True, name.encode())


class TestBudget:
    def test_a_burst_and_then_a_rate(self) -> None:
        budget = Budget(rate=10.0, burst=3.0)
        assert [budget.take(5.0) for _ in range(4)] == [True, True, True, False]
        assert not budget.take(5.0625)
        assert budget.take(5.125)
        assert not budget.take(5.125)

    def test_it_never_holds_more_than_a_burst(self) -> None:
        budget = Budget(rate=10.0, burst=2.0)
        budget.take(0.0)
        assert [budget.take(1000.0) for _ in range(3)] == [True, True, False]

    def test_a_clock_that_goes_back_gives_nothing(self) -> None:
        budget = Budget(rate=1.0, burst=1.0)
        assert budget.take(10.0)
        assert not budget.take(3.0)
        assert budget.take(4.0)
