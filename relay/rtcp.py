"""RTCP packets (RFC 3550 §6), compound and reduced-size (RFC 5506).

RTCP ends at the relay: nothing is passed through, since its numbers are those of one hop.

    packet                  from a publisher                to a publisher
    SR    sender report     last SR, for LSR and DLSR       -
    RR    receiver report   -                               loss, jitter, LSR, DLSR
    SDES  CNAME             -                               the relay's own
    BYE   goodbye           -                               -
    RTPFB generic NACK      -                               packets to send again

    packet                  from a consumer                 to a consumer
    SR    sender report     -                               its own timestamps and counts
    RR    receiver report   loss, jitter, round trip        -
    SDES  CNAME             -                               its own
    BYE   goodbye           -                               on close
    RTPFB generic NACK      packets to send again           -

Other feedback (RTPFB, PSFB), APP and XR are read over: nothing of theirs is negotiated.
Timestamps of reports are NTP's: 32.32 bits of seconds since 1900; LSR is the middle 32 of those.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

SR, RR, SDES, BYE, RTPFB = 200, 201, 202, 203, 205
GENERIC_NACK = 1
"""Format of transport layer feedback (RFC 4585 §6.2.1)."""
MAX_NACK_SEQUENCES = 256
"""Sequence numbers that are taken from one NACK; a history holds no more. The rest is read over."""
SDES_CNAME = 1
NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 868)."""

_HEADER = struct.Struct("!BBH")
_SENDER = struct.Struct("!IQIII")
_REPORT = struct.Struct("!IIIIII")
_SSRC = struct.Struct("!I")
_FEEDBACK = struct.Struct("!II")
_LOST = struct.Struct("!HH")


class RtcpError(ValueError):
    """Bytes that are no RTCP. It stays inside the relay."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source (RFC 3550 §6.4.1).

    fraction_lost: in 1/256 since the last report; packets_lost: signed 24 bits;
    highest_sequence: extended, 32 bits; jitter: in clock ticks; last_sender_report (LSR) and
    delay_since_last_sender_report (DLSR): in 1/65536 s, both 0 before any sender report.
    """

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_sender_report: int
    delay_since_last_sender_report: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a source says of itself. ntp_timestamp: 64 bits; rtp_timestamp: the same instant on the
    media clock; counts: since the beginning, modulo 2**32; octets of payload only."""

    ssrc: int
    ntp_timestamp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """What a receiver that sends no media says of its sources."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """The canonical name of a source (RFC 3550 §6.5.1)."""

    ssrc: int
    cname: str


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Sources that will send no more (RFC 3550 §6.6)."""

    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Nack:
    """Packets of a source that did not come and are to be sent again (RFC 4585 §6.2.1).

    ssrc: of whoever asks; media_ssrc: of the source; sequences: 16 bits each.
    """

    ssrc: int
    media_ssrc: int
    sequences: tuple[int, ...]


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | Nack


def ntp_time(wall: float) -> int:
    """The NTP timestamp (32.32 bits) of a Unix time in seconds."""
    return int((wall + NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle_32(ntp_timestamp: int) -> int:
    """The LSR form of an NTP timestamp: units of 1/65536 s."""
    return ntp_timestamp >> 16 & 0xFFFFFFFF


def round_trip_time(report: ReportBlock, now: int) -> float | None:
    """Seconds between us and the reporter; `now`: NTP timestamp at which the report came.

    None when the report answers no sender report, or its numbers are impossible (RFC 3550 §6.4.1).
    """
    if not report.last_sender_report:
        return None
    units = middle_32(now) - report.last_sender_report - report.delay_since_last_sender_report
    units &= 0xFFFFFFFF
    # A peer's clock may run a little slow against ours: slightly negative means zero.
    if units >= 0xFFFF0000:
        return 0.0
    return units / 65536 if units < 60 * 65536 else None


def parse_rtcp(data: bytes) -> list[RtcpPacket]:
    """Read a compound packet, in order; kinds that the relay has no use for are left out.

    Raises RtcpError when the framing is broken anywhere: then nothing of it counts (RFC 3550 A.2).
    """
    packets: list[RtcpPacket] = []
    position = 0
    while position < len(data):
        if position + 4 > len(data):
            raise RtcpError("header runs past the end")
        first, packet_type, words = _HEADER.unpack_from(data, position)
        end = position + 4 + 4 * words
        if first >> 6 != 2:
            raise RtcpError("version is not 2")
        if end > len(data):
            raise RtcpError("packet runs past the end")
        body = data[position + 4 : end]
        if first & 0x20:
            body = _without_padding(body)
        parser = _PARSERS.get(packet_type)
        if parser is not None:
            packets.extend(parser(first & 0x1F, body))
        position = end
    return packets


def build_rtcp(packets: Iterable[RtcpPacket]) -> bytes:
    """Write a compound packet."""
    return b"".join(map(_build, packets))


def _without_padding(body: bytes) -> bytes:
    if not body or body[-1] == 0 or body[-1] % 4 or body[-1] > len(body):
        raise RtcpError("padding runs over the packet")
    return body[: -body[-1]]


def _parse_reports(count: int, body: bytes, start: int) -> tuple[ReportBlock, ...]:
    if start + count * _REPORT.size > len(body):
        raise RtcpError("report blocks run past the packet")
    blocks = []
    for position in range(start, start + count * _REPORT.size, _REPORT.size):
        ssrc, lost, highest, jitter, last, delay = _REPORT.unpack_from(body, position)
        packets_lost = lost & 0xFFFFFF
        if packets_lost & 0x800000:
            packets_lost -= 1 << 24
        blocks.append(ReportBlock(ssrc, lost >> 24, packets_lost, highest, jitter, last, delay))
    return tuple(blocks)


def _parse_sender_report(count: int, body: bytes) -> list[RtcpPacket]:
    if len(body) < _SENDER.size:
        raise RtcpError("sender report is too short")
    reports = _parse_reports(count, body, _SENDER.size)
    ssrc, ntp_timestamp, rtp_timestamp, packets, octets = _SENDER.unpack_from(body)
    return [SenderReport(ssrc, ntp_timestamp, rtp_timestamp, packets, octets, reports)]


def _parse_receiver_report(count: int, body: bytes) -> list[RtcpPacket]:
    if len(body) < _SSRC.size:
        raise RtcpError("receiver report is too short")
    return [ReceiverReport(_SSRC.unpack_from(body)[0], _parse_reports(count, body, _SSRC.size))]


def _parse_source_description(count: int, body: bytes) -> list[RtcpPacket]:
    found: list[RtcpPacket] = []
    position = 0
    for _ in range(count):
        if position + 4 > len(body):
            raise RtcpError("source description is too short")
        (ssrc,) = _SSRC.unpack_from(body, position)
        position += 4
        while position < len(body) and body[position] != 0:
            if position + 2 > len(body) or position + 2 + body[position + 1] > len(body):
                raise RtcpError("source description item runs past the packet")
            value = body[position + 2 : position + 2 + body[position + 1]]
            if body[position] == SDES_CNAME:
                found.append(SourceDescription(ssrc, value.decode("utf-8", "replace")))
            position += 2 + len(value)
        position += 4 - position % 4  # a chunk ends with one to four zero bytes
    return found


def _parse_goodbye(count: int, body: bytes) -> list[RtcpPacket]:
    if 4 * count > len(body):
        raise RtcpError("goodbye is too short")
    return [Goodbye(struct.unpack_from(f"!{count}I", body))]


def _parse_transport_feedback(format_: int, body: bytes) -> list[RtcpPacket]:
    if len(body) < _FEEDBACK.size:
        raise RtcpError("feedback is too short")
    if format_ != GENERIC_NACK:
        return []
    sequences: list[int] = []
    for position in range(_FEEDBACK.size, len(body), _LOST.size):
        first, following = _LOST.unpack_from(body, position)
        bits = following << 1 | 1
        sequences += [(first + bit) & 0xFFFF for bit in range(17) if bits >> bit & 1]
        if len(sequences) >= MAX_NACK_SEQUENCES:
            break
    ssrc, media_ssrc = _FEEDBACK.unpack_from(body)
    return [Nack(ssrc, media_ssrc, tuple(sequences[:MAX_NACK_SEQUENCES]))]


_PARSERS = {
    SR: _parse_sender_report,
    RR: _parse_receiver_report,
    SDES: _parse_source_description,
    BYE: _parse_goodbye,
    RTPFB: _parse_transport_feedback,
}


def _frame(packet_type: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(2 << 6 | count, packet_type, len(body) // 4) + body


def _build_report(block: ReportBlock) -> bytes:
    # More than 24 bits can say stays at the end of the scale (RFC 3550 A.3).
    lost = max(-(1 << 23), min((1 << 23) - 1, block.packets_lost)) & 0xFFFFFF
    return _REPORT.pack(
        block.ssrc,
        block.fraction_lost << 24 | lost,
        block.highest_sequence,
        block.jitter,
        block.last_sender_report,
        block.delay_since_last_sender_report,
    )


def _build_lost(sequences: tuple[int, ...]) -> bytes:
    """A packet number and a bit for each of the 16 that follow it, as often as it takes."""
    entries: list[tuple[int, int]] = []
    for sequence in sequences:
        after = (sequence - entries[-1][0]) & 0xFFFF if entries else 0
        if 1 <= after <= 16:
            first, following = entries[-1]
            entries[-1] = first, following | 1 << after - 1
        elif not entries or after:
            entries.append((sequence, 0))
    return b"".join(_LOST.pack(*entry) for entry in entries)


def _build(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport(ssrc, ntp, rtp, packet_count, octet_count, reports):
            body = _SENDER.pack(ssrc, ntp, rtp, packet_count & 0xFFFFFFFF, octet_count & 0xFFFFFFFF)
            return _frame(SR, len(reports), body + b"".join(map(_build_report, reports)))
        case ReceiverReport(ssrc, reports):
            body = _SSRC.pack(ssrc) + b"".join(map(_build_report, reports))
            return _frame(RR, len(reports), body)
        case SourceDescription(ssrc, cname):
            name = cname.encode()[:255]
            item = _SSRC.pack(ssrc) + bytes([SDES_CNAME, len(name)]) + name
            return _frame(SDES, 1, item + bytes(4 - len(item) % 4))
        case Nack(ssrc, media_ssrc, sequences):
            body = _FEEDBACK.pack(ssrc, media_ssrc) + _build_lost(sequences)
            return _frame(RTPFB, GENERIC_NACK, body)
        case Goodbye(ssrcs):
            return _frame(BYE, len(ssrcs), struct.pack(f"!{len(ssrcs)}I", *ssrcs))
