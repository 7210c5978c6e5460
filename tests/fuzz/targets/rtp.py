"""RTP packets after unprotect: read, written, brought into plain form."""

from __future__ import annotations

from relay.rtp import RtpError, RtpPacket, build_rtp, parse_rtp, plain
from tests.fuzz.target import Target, require


def run(data: bytes) -> None:
    """What is read can be written and read the same, and plain form is final."""
    try:
        packet = parse_rtp(data)
    except RtpError:
        return
    require(parse_rtp(build_rtp(packet)) == packet, "parse(build(x)) == x")
    form = plain(data)
    require(len(form) <= len(data), "plain form is no longer: it is written where the packet lies")
    require(plain(form) == form, "plain form is final")
    left = parse_rtp(form)
    require(not left.csrcs and not left.padding, "no sources, no padding")
    require(left.payload == packet.payload, "the payload stays")
    require(len(left.extensions) <= 1, "one extension at most")


def seeds() -> list[bytes]:
    """Packets as browsers send them, and odd ones that are valid."""
    packet = RtpPacket(111, 65_535, 2**32 - 1, 0x5EED, b"opus" * 20)
    level, mid = (1, b"\x9e"), (4, b"0")
    return [
        build_rtp(packet),
        build_rtp(RtpPacket(111, 1, 2, 3, b"", marker=True, extensions=(level, mid))),
        build_rtp(RtpPacket(111, 1, 2, 3, b"x", csrcs=(1, 2, 3), padding=8)),
        build_rtp(RtpPacket(111, 1, 2, 3, b"x", extensions=((16, b"long" * 10), level))),
        build_rtp(RtpPacket(111, 1, 2, 3, b"x", extensions=((15, b""), (3, bytes(16))))),
        bytes.fromhex("9f6f0001000000020000000300000004") + bytes(56) + bytes.fromhex("abcd0000"),
    ]


TARGET = Target(run, seeds)
