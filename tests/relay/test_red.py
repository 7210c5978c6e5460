"""Redundant audio: aiortc as another writer and reader, tables, and any bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.red import MAX_REDUNDANT_BLOCKS, parse_red, recovered, trimmed, unwrap
from relay.rtp import RtpPacket, build_rtp

from .media import OPUS, red_payload, wire

LEVEL = (1, b"\x9e")

blocks = st.lists(
    st.tuples(st.integers(0, (1 << 14) - 1), st.binary(max_size=40)), max_size=MAX_REDUNDANT_BLOCKS
)


@given(blocks, st.binary(min_size=1, max_size=40), st.integers(0, 20))
def test_blocks_lie_where_they_were_written(
    redundant: list[tuple[int, bytes]], primary: bytes, before: int
) -> None:
    data = bytes(before) + red_payload(primary, *redundant)
    red = parse_red(data, before, len(data))
    assert red is not None
    assert [(b.timestamp_offset, data[b.start : b.end]) for b in red.redundant] == redundant
    assert data[red.primary :] == primary


@given(blocks, st.binary(min_size=1, max_size=40), st.data())
def test_the_oldest_blocks_are_left_out(
    redundant: list[tuple[int, bytes]], primary: bytes, data: st.DataObject
) -> None:
    older = data.draw(st.integers(0, len(redundant)))
    packet, expected = (
        build_rtp(RtpPacket(63, 7, 480, 1, red_payload(primary, *kept), True, (), (LEVEL,)))
        for kept in (redundant, redundant[older:])
    )
    red = parse_red(packet, 20, len(packet))
    assert red is not None
    assert trimmed(packet, red, older) == expected


@given(st.binary(max_size=60), st.integers(0, 10))
def test_any_bytes(data: bytes, start: int) -> None:
    red = parse_red(data, start, len(data))
    if red is not None:
        assert start < red.primary < len(data)
        for block in red.redundant:
            assert start < block.start <= block.end <= red.primary


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "6f",  # no primary block
        "6e 00",  # another codec's
        "3f 6f 00",  # RED inside of RED
        "ef 0000",  # half a header
        "ef 000002 6f 01 02",  # nothing is left for the primary
        "ef 000003 6f 01 02",  # the redundant block runs past the end
        "ef 000001 00 01 02",  # the primary is another codec's
        "ee 000001 6f 01 02",  # the redundant one is
        "ef 000000" * (MAX_REDUNDANT_BLOCKS + 1) + "6f 01",  # more than anybody writes
    ],
)
def test_what_is_no_red(payload: str) -> None:
    data = bytes.fromhex(payload)
    assert parse_red(data, 0, len(data)) is None


def test_header_and_level_stay_when_it_is_unwrapped() -> None:
    packet = build_rtp(
        RtpPacket(63, 7, 480, 1, red_payload(b"new", (960, b"old")), True, (), (LEVEL,))
    )
    assert unwrap(packet) == wire(7, 480, 1, b"new", marker=True, level=0x9E)


def test_a_redundant_block_becomes_a_packet() -> None:
    packet = build_rtp(
        RtpPacket(63, 7, 480, 1, red_payload(b"new", (960, b"old")), True, (), (LEVEL,))
    )
    red = parse_red(packet, 20, len(packet))
    assert red is not None
    assert recovered(packet, red.redundant[0]) == wire(7, 480, 1, b"old")


def test_the_layout_of_rfc_2198() -> None:
    """Section 3, by hand: F, block PT, timestamp offset in 14 bits, block length in 10."""
    data = struct.pack("!I", 1 << 31 | OPUS << 24 | 960 << 10 | 3) + bytes([OPUS]) + b"oldnew"
    red = parse_red(data, 0, len(data))
    assert red is not None
    assert red.redundant == ((960, 5, 8),)
    assert red.primary == 8
