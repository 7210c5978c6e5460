"""Header extension blocks (RFC 8285) of both forms, in a packet whose frame is always right."""

from __future__ import annotations

from relay.parameters import AUDIO_LEVEL_ID
from relay.rtp import RtpError, parse_rtp, plain
from tests.fuzz.target import Target, require

_FIXED = bytes((0x90, 111)) + bytes(10)


def run(data: bytes) -> None:
    """The profile, then the block; the length is put in. Of the elements only the level is left."""
    profile, block = data[:2].ljust(2, b"\0"), data[2:]
    block += bytes(-len(block) % 4)
    datagram = _FIXED + profile + (len(block) // 4).to_bytes(2, "big") + block + b"payload"
    try:
        packet = parse_rtp(datagram)
    except RtpError:
        return
    require(sum(len(value) for _, value in packet.extensions) <= len(block), "elements lie inside")
    left = parse_rtp(plain(datagram))
    require(left.payload == b"payload", "the payload begins behind the block")
    levels = [
        element
        for element in packet.extensions
        if element[0] == AUDIO_LEVEL_ID and len(element[1]) == 1
    ]
    require(list(left.extensions) == levels[:1], "the first level is left, and nothing else")


def seeds() -> list[bytes]:
    """One- and two-byte forms, padded, ended early, and a block of another profile."""
    return [
        bytes.fromhex("bede 10 9e 40 30"),
        bytes.fromhex("bede 00 00 10 9e 22 aabbcc f0 ff"),
        bytes.fromhex("1000 01 01 9e 04 01 30 00 00"),
        bytes.fromhex("100f 10 20") + bytes(32) + bytes.fromhex("01 01 05"),
        bytes.fromhex("bede 0f") + bytes(16),
        bytes.fromhex("abcd 10 9e 40 30"),
    ]


TARGET = Target(run, seeds, max_length=1200)
