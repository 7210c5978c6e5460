"""Redundant audio (RFC 2198): the payload of a packet in plain form, with an audio level or without."""

from __future__ import annotations

from relay.red import (
    MAX_REDUNDANT_BLOCKS,
    header_length,
    is_red,
    parse_red,
    recovered,
    trimmed,
    unwrap,
)
from relay.rtp import FIXED_HEADER_LENGTH, parse_rtp, plain
from tests.fuzz.target import Target, require

_HEADER = bytes((0x80, 63, 0, 1)) + bytes(8)
_LEVEL = bytes((0x90, 63, 0, 1)) + bytes(8) + bytes.fromhex("bede0001109e0000")


def run(data: bytes) -> None:
    """Blocks lie one after the other inside of the packet; what is made of them is plain Opus."""
    header = _LEVEL if data[:1] > b"\x7f" else _HEADER
    packet = header + data[1:]
    require(is_red(packet), "the payload type says so")
    require(header_length(packet) == len(header), "the header ends where it ends")
    red = parse_red(packet, len(header), len(packet))
    if red is None:
        return
    require(len(red.redundant) <= MAX_REDUNDANT_BLOCKS, "older frames are few")
    end = len(header)
    for block in red.redundant:
        require(end <= block.start <= block.end <= red.primary, "blocks are in order")
        require(0 <= block.timestamp_offset < 1 << 14, "an offset has 14 bits")
        end = block.end
        restored = recovered(packet, block)
        require(len(restored) <= len(packet) and plain(restored) == restored, "it is plain")
        require(
            restored[FIXED_HEADER_LENGTH:] == packet[block.start : block.end], "it is the block"
        )
    require(end in (len(header), red.primary), "the primary block follows the others")
    opus = unwrap(packet)
    require(plain(opus) == opus and len(opus) < len(packet), "what is left is plain, and shorter")
    require(parse_rtp(opus).payload == packet[red.primary :], "it is the primary block")
    require(opus[1] == 111, "it is Opus")
    for older in range(len(red.redundant) + 1):
        require(unwrap(trimmed(packet, red, older)) == opus, "the primary stays whatever goes")


def seeds() -> list[bytes]:
    """With no, one, two and too many older frames; with lengths that are wrong; with another codec."""
    old = (111 | 0x80, *(960 << 10 | 5).to_bytes(3, "big"))
    older = (111 | 0x80, *(1920 << 10 | 5).to_bytes(3, "big"))
    primary = b"\x6f" + b"frame" * 3
    return [
        b"\0" + primary,
        b"\xff" + bytes(old) + primary,
        b"\0" + bytes(older) + bytes(old) + primary,
        b"\0" + bytes(old) * 5 + primary,
        b"\0" + bytes(old) + b"\x6f",
        b"\0" + bytes(old[:1]) + b"\0\3\xff" + primary,
        b"\0" + b"\x80" + bytes(old[1:]) + primary,
    ]


TARGET = Target(run, seeds)
