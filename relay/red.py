"""Redundant audio, RED (RFC 2198): a packet that holds the frames before it once more.

    0                   1                   2                   3
    |1|  block PT   |     timestamp offset      |   block length    |   for each older frame
    |0|  block PT   |                                                   for the newest: the primary
    |  the blocks, in the same order ...                            |

Browsers write the frames of the packets right before, so block k from the end is that of the packet whose
sequence number is smaller by k. The relay makes no RED of its own: it passes it to those listeners who
know it, gives the others the primary block as a plain Opus packet, and gives them a redundant one in the
place of a packet that never came. Blocks from before a pause go to nobody.
"""

from __future__ import annotations

from typing import NamedTuple

from .parameters import OPUS_PAYLOAD_TYPE, RED_PAYLOAD_TYPE
from .rtp import FIXED_HEADER_LENGTH

MAX_REDUNDANT_BLOCKS = 4
"""Older frames that a packet may hold; browsers write one, or two. With more it counts as malformed."""

_MARKER, _EXTENSION = 0x80, 0x10


class Block(NamedTuple):
    """An older frame: how many clock ticks before the packet, and where it lies. It is empty when start
    and end are the same."""

    timestamp_offset: int
    start: int
    end: int


class RedPacket(NamedTuple):
    """Where the blocks of a packet lie. redundant: oldest first; primary: up to the packet's end."""

    redundant: tuple[Block, ...]
    primary: int


def parse_red(data: bytes | memoryview, start: int, end: int) -> RedPacket | None:
    """The blocks of the RED payload at `data[start:end]`; None when it is none, or holds anything but
    Opus, or no primary block."""
    lengths: list[tuple[int, int]] = []
    while True:
        if start >= end or data[start] & 0x7F != OPUS_PAYLOAD_TYPE:
            return None
        if not data[start] & 0x80:
            break
        if start + 4 > end or len(lengths) == MAX_REDUNDANT_BLOCKS:
            return None
        fields = int.from_bytes(data[start + 1 : start + 4], "big")
        lengths.append((fields >> 10, fields & 0x3FF))
        start += 4
    start += 1
    blocks = []
    for timestamp_offset, length in lengths:
        blocks.append(Block(timestamp_offset, start, start + length))
        start += length
    return RedPacket(tuple(blocks), start) if start < end else None


def header_length(packet: bytes | memoryview) -> int:
    """Of a packet in plain form (`rtp.plain`)."""
    return FIXED_HEADER_LENGTH + (4 + 4 * packet[15] if packet[0] & _EXTENSION else 0)


def is_red(packet: bytes | memoryview) -> bool:
    """Whether a packet in plain form is one of RED."""
    return packet[1] & 0x7F == RED_PAYLOAD_TYPE


def unwrap(packet: bytes | memoryview) -> bytes:
    """The plain Opus packet of a RED packet in plain form, which `parse_red` took: header, marker and
    extension as they are, and of the blocks the primary."""
    header = header_length(packet)
    red = parse_red(packet, header, len(packet))
    assert red is not None
    second = OPUS_PAYLOAD_TYPE | packet[1] & _MARKER
    return bytes((packet[0], second)) + bytes(packet[2:header]) + bytes(packet[red.primary :])


def trimmed(packet: bytes | memoryview, red: RedPacket, older: int) -> bytes:
    """A RED packet in plain form without so many of its redundant blocks, the oldest."""
    header = header_length(packet)
    first, end = header + 4 * older, header + 4 * len(red.redundant) + 1
    kept = red.redundant[older].start if older < len(red.redundant) else red.primary
    return bytes(packet[:header]) + bytes(packet[first:end]) + bytes(packet[kept:])


def recovered(packet: bytes | memoryview, block: Block) -> bytes:
    """The plain Opus packet that a redundant block stands for; its numbers are still the RED packet's."""
    fixed = bytes((0x80, OPUS_PAYLOAD_TYPE)) + bytes(packet[2:FIXED_HEADER_LENGTH])
    return fixed + bytes(packet[block.start : block.end])
