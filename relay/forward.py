"""The hot path: what a protected packet goes through, without a task, a queue or an await.

    unprotect -> read the header once, bring odd packets into plain form (rtp.py) -> publisher's statistics
    -> muted? loud enough? -> timeline (sequence.py)
    -> for each consumer: copy, write three numbers, protect -> sendmmsg (fan.py)

Nothing that a network can send raises here: packets are forwarded, or dropped for a `DropReason`.

This module is the reference for its native twin (`native/forward.c`), and can be read in five minutes.
`python_plane.py` has the sockets and tables around it.
"""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Sequence

from .faults import error_name
from .levels import POWER
from .parameters import OPUS_CLOCK_RATE, OPUS_PAYLOAD_TYPE, RED_PAYLOAD_TYPE
from .red import RedPacket, parse_red, recovered, trimmed, unwrap
from .rtp import FIXED_HEADER_LENGTH, RtpError, plain
from .sink import Sink
from .source import Source
from .srtp import drop_reason, ffi, protect, unprotect
from .stats import DropReason
from .udp import SLOT_SIZE, ReceiveBatch, SendBatch

_HEADER = struct.Struct("!BBHII")
_AUDIO_LEVEL_ONLY = b"\xbe\xde\x00\x01\x10"
_PLAIN, _PLAIN_WITH_EXTENSION = 0x80, 0x90
_MARKER = 0x80

_Cut = tuple[memoryview, int, int, int, RedPacket | None]
"""A packet in plain form, its header's length, its sequence number, its timestamp, and its blocks if it is
RED."""


class Forwarder:
    """Forwards, and counts. forwarded: packets that left, retransmitted ones included; recovered: lost ones
    that were put out from the redundancy of others; drops: of copies; send_errors: by the error's name."""

    def __init__(self) -> None:
        self.forwarded = self.retransmitted = self.recovered = 0
        self.drops: Counter[DropReason] = Counter()
        self.send_errors: Counter[str] = Counter()
        self._length = ffi.new("int *")
        self._again = {family: SendBatch(family, 1) for family in (socket.AF_INET, socket.AF_INET6)}

    def forward(
        self, source: Source, batch: ReceiveBatch, index: int, length: int, arrival: float
    ) -> DropReason | None:
        """Forward one SRTP packet, which lies in `batch`, to all of its source's sinks, or tell why not."""
        if length < FIXED_HEADER_LENGTH:
            return DropReason.RTP_MALFORMED
        self._length[0] = length
        status = unprotect(source.handle, batch.packets[index], self._length)
        if status:
            return drop_reason(status)
        start = index * SLOT_SIZE
        cut = _cut(source, batch.bytes[start : start + self._length[0]], arrival)
        if isinstance(cut, DropReason):
            return cut
        return _admit(source, cut, arrival) or self._place(source, cut, arrival)

    def _place(self, source: Source, cut: _Cut, arrival: float) -> DropReason | None:
        """Put a packet on the source's timeline, and out."""
        packet, header, sequence, timestamp, red = cut
        timeline, payload = source.timeline, len(packet) - header
        if not timeline.joined:
            timeline.join(sequence)
            packet[1] |= _MARKER
        if red is not None:
            self._recover(source, packet, red, arrival)
        before = timeline.highest
        mapped = timeline.map(sequence, timestamp, arrival)
        if mapped is None:
            return DropReason.RTP_STALE
        if red is not None:
            older = len(red.redundant) - (mapped[0] - timeline.floor)
            if older > 0:
                # Listeners would hear what came before a pause, such as a mute, from what is behind it.
                packet = memoryview(trimmed(packet, red, older))
                payload = len(packet) - header
        if source.history is not None:
            dropped = source.keep(packet, payload, mapped, before)
            if dropped is not None:
                return dropped
        if red is None:
            self._fan_out(source, packet, payload, mapped)
        else:
            opus = unwrap(packet)
            self._fan_out(source, packet, payload, mapped, red=True)
            self._fan_out(source, opus, len(opus) - header, mapped, red=False)
        return None

    def _recover(self, source: Source, packet: memoryview, red: RedPacket, arrival: float) -> None:
        """Put out those packets before this one that never came, from what it holds of them. It goes to
        sinks that do not take RED: the others will have it from the packet itself."""
        _, _, sequence, timestamp, _ = _HEADER.unpack_from(packet)
        timeline = source.timeline
        for distance, block in zip(range(len(red.redundant), 0, -1), red.redundant, strict=True):
            lost = (sequence - distance) & 0xFFFF
            if block.start == block.end or not source.lacks(lost):
                continue
            before = timeline.highest
            mapped = timeline.map(lost, timestamp - block.timestamp_offset, arrival)
            assert mapped is not None
            restored = recovered(packet, block)
            source.keep(restored, block.end - block.start, mapped, before)
            source.recovered += 1
            self.recovered += 1
            self._fan_out(source, restored, block.end - block.start, mapped, red=False)

    def retransmit(self, sink: Sink, sequences: Sequence[int]) -> int:
        """Send packets once more; how many of them there were."""
        batch, there = self._again[sink.udp.family], 0
        batch.address(0, sink.name)
        for sequence in sequences:
            found = sink.again(sequence, batch.views[0])
            if found is None:
                continue
            there += 1
            self._length[0], payload = found
            if protect(sink.handle, batch.packets[0], self._length):
                self.drops[DropReason.PROTECT_FAILED] += 1
                continue
            sink.repeated(payload)
            self.retransmitted += 1
            full, failed = batch.send(sink.udp.fileno(), [self._length[0]])
            self.forwarded += 1 - full - failed
            if full or failed:
                self._count_unsent(full, failed, batch.errors)
        return there

    def _fan_out(
        self,
        source: Source,
        packet: memoryview | bytes,
        payload: int,
        mapped: tuple[int, int],
        red: bool | None = None,
    ) -> None:
        """red: only to those sinks that take RED, or only to the others."""
        for fan in source.fans.values():
            if not fan.sinks or (red is not None and fan.red != red):
                continue
            sent, unprotected, full, failed = fan.forward(packet, payload, *mapped)
            self.forwarded += sent
            if unprotected:
                self.drops[DropReason.PROTECT_FAILED] += unprotected
            if full or failed:
                self._count_unsent(full, failed, fan.errors)

    def _count_unsent(self, full: int, failed: int, errors: Counter[int]) -> None:
        """Count packets that the system did not take, and empty `errors`."""
        for reason, count in (
            (DropReason.SEND_BUFFER_FULL, full),
            (DropReason.SEND_FAILED, failed),
        ):
            if count:
                self.drops[reason] += count
        for number, count in errors.items():
            self.send_errors[error_name(number)] += count
        errors.clear()


def _cut(source: Source, packet: memoryview, arrival: float) -> _Cut | DropReason:
    """Read the header once, and bring the packet into the form that consumers get; one under another SSRC
    begins the source anew."""
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
    if ssrc != source.ssrc:
        source.admit(ssrc)
    payload_type = second & 0x7F
    is_red = source.red and payload_type == RED_PAYLOAD_TYPE
    if payload_type != OPUS_PAYLOAD_TYPE and not is_red:
        return DropReason.RTP_UNKNOWN_PAYLOAD_TYPE
    header = FIXED_HEADER_LENGTH
    if first == _PLAIN_WITH_EXTENSION and _is_audio_level(packet):
        header += 8
    elif first != _PLAIN:
        try:
            normal = plain(bytes(packet))
        except RtpError:
            return DropReason.RTP_MALFORMED
        packet = memoryview(bytearray(normal))
        header += 4 + 4 * normal[15] if normal[0] & 0x10 else 0
    red = parse_red(packet, header, len(packet)) if is_red else None
    if is_red and red is None:
        return DropReason.RED_MALFORMED
    if ssrc != source.ssrc:
        if source.is_late(ssrc, arrival):
            return DropReason.RTP_STALE
        source.begin(ssrc, sequence, timestamp, arrival)
    return packet, header, sequence, timestamp, red


def _admit(source: Source, cut: _Cut, arrival: float) -> DropReason | None:
    """Count a packet; why nobody may hear it now, if so."""
    packet, header, sequence, timestamp, _ = cut
    source.reception.receive(sequence, timestamp, arrival, OPUS_CLOCK_RATE)
    source.packets += 1
    source.payload_bytes += len(packet) - header
    if source.muted:
        source.leave()
        return DropReason.RTP_MUTED
    level = None
    if header > FIXED_HEADER_LENGTH:
        level = packet[17] & 0x7F
        source.level_energy += POWER[level]
        source.level_count += 1
    if source.contender is not None and not source.contender.admits(level, arrival):
        source.timeline.cut()
        return DropReason.RTP_NOT_LOUDEST
    return None


def _is_audio_level(packet: memoryview) -> bool:
    """Whether the extension block holds the one-byte element of id 1 and nothing else."""
    return (
        len(packet) >= FIXED_HEADER_LENGTH + 8
        and packet[12:17] == _AUDIO_LEVEL_ONLY
        and packet[18] == 0
        and packet[19] == 0
    )
