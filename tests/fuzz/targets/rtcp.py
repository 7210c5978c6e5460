"""RTCP after unprotect: read, written, and what the relay makes of reports."""

from __future__ import annotations

from relay.rtcp import (
    Goodbye,
    Nack,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_rtcp,
    middle_32,
    parse_rtcp,
    round_trip_time,
)
from tests.fuzz.target import Target, require

_NOW = 0xE000_1234_5678_0000


def run(data: bytes) -> None:
    """What is read can be written and read the same; impossible round trips are none."""
    try:
        packets = parse_rtcp(data)
    except RtcpError:
        return
    for packet in packets:
        require(len(packets) <= len(data), "no more packets than bytes")
        if isinstance(packet, SenderReport | ReceiverReport):
            for report in packet.reports:
                seconds = round_trip_time(report, _NOW)
                require(seconds is None or 0 <= seconds <= 60, "a round trip takes up to a minute")
    # A name that was not UTF-8 grows when it is written, and one too long is cut.
    kept = [p for p in packets if not isinstance(p, SourceDescription) or _is_writable(p)]
    again = parse_rtcp(build_rtcp(kept))
    require([*map(_normal, again)] == [*map(_normal, kept)], "parse(build(x)) == x")


def _normal(packet: RtcpPacket) -> object:
    """Of a NACK what it asks for, in whatever order and however often."""
    if isinstance(packet, Nack):
        return packet.ssrc, packet.media_ssrc, set(packet.sequences)
    return packet


def _is_writable(packet: SourceDescription) -> bool:
    return len(packet.cname.encode()) <= 255


def seeds() -> list[bytes]:
    """Compound packets of every kind."""
    block = ReportBlock(0x5EED, 5, -3, 70_000, 12, middle_32(_NOW) - 70_000, 65_536)
    sender = SenderReport(1, _NOW, 2, 3, 4, (block,))
    return [
        build_rtcp([sender, SourceDescription(1, "cname")]),
        build_rtcp([ReceiverReport(1, (block,) * 31), SourceDescription(1, "é" * 100)]),
        build_rtcp([ReceiverReport(1), Goodbye((1, 2, 3))]),
        build_rtcp([Goodbye(())]),
        build_rtcp([ReceiverReport(1), Nack(1, 0x5EED, (1, 2, 5, 17, 18, 65_535, 0, 40_000))]),
        bytes.fromhex("81c90007000000010000000200000000000000030000000400000005000000ff"),
        bytes.fromhex("a0cb0002000000040000000480cc00020000000168656c6f"),
        bytes.fromhex("8fcd0003000000010000000200010000") + bytes.fromhex("80cf000100000001"),
    ]


TARGET = Target(run, seeds)
