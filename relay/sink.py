"""What the Python plane keeps of one consumer: keys, address, counters ahead of its source's timeline."""

from __future__ import annotations

import socket
import struct
from typing import Any

from .fan import Fan
from .history import History
from .plane import SinkCounters
from .red import is_red, unwrap
from .sequence import FRAME_TICKS, Timeline, extend_sequence, ticks, timestamp_delta
from .source import Source
from .srtp import SrtpContext, SrtpKeys

LONGEST_STEP = 0x7FFF
"""From one packet that a sink gets to the next: libsrtp tells turns from 16 bits, and a longer one would
lead back to numbers that were used."""

_REWRITTEN = struct.Struct("!HII")
_MARKER = 0x80


class Sink:
    """What one consumer gets.

    sequence, timestamp, at: where its own counters stood when it began to follow its source, or ceased to;
    offsets: what they are ahead of the source's timeline. edge: the timeline's packets up to here are
    from before. fresh: nothing of this source was sent yet; first: its packet that was sent first, with
    the marker. stuck: the timeline's number that it got last, while packets for it cannot be protected.
    red: it takes RED as it is. slot, view, packet, size: its place in the fan.
    """

    __slots__ = (
        "_context",
        "_packets",
        "_payload_bytes",
        "at",
        "edge",
        "fan",
        "first",
        "fresh",
        "handle",
        "nack",
        "name",
        "packet",
        "red",
        "retransmitted",
        "sequence",
        "sequence_offset",
        "size",
        "slot",
        "source",
        "ssrc",
        "stuck",
        "tag_length",
        "timestamp",
        "timestamp_offset",
        "udp",
        "view",
    )

    def __init__(
        self,
        keys: SrtpKeys,
        ssrc: int,
        udp: socket.socket,
        name: Any,
        sequence: int,
        timestamp: int,
        *,
        red: bool = False,
        nack: bool = False,
    ) -> None:
        self._context = SrtpContext.outbound(keys, ssrc, repeats=nack)
        self.red = red
        self.nack = nack
        self.handle = self._context.handle
        self.tag_length = keys.profile.tag_length
        self.ssrc = ssrc
        self.udp = udp
        self.name = name
        self.source: Source | None = None
        self.fan: Fan | None = None
        self.slot = 0
        self.view: Any = None
        self.packet: Any = None
        self.size: Any = None
        self.sequence = sequence
        self.timestamp = timestamp
        self.at: float | None = None
        self.sequence_offset = 0
        self.timestamp_offset = 0
        self.edge = 0
        self.first = 0
        self.stuck: int | None = None
        self.fresh = True
        self.retransmitted = 0
        self._packets = 0
        self._payload_bytes = 0

    def attach(self, source: Source, now: float) -> None:
        """Follow `source` from its next packet on, instead of any other; its clock and ours are set
        to each other as they stand `now`."""
        self.detach()
        timeline = source.timeline
        if self.nack and source.history is None:
            source.history = History()
        own = self.timestamp + (ticks(now - self.at) if self.at is not None else 0)
        self.source = source
        self.edge = self.first = timeline.highest
        self.sequence_offset = self.sequence - timeline.highest
        self.timestamp_offset = own - timeline.timestamp - ticks(now - timeline.at)
        self.fresh = True
        self.stuck = None
        self._join(source.fan(self.udp, red=self.red))

    def detach(self) -> None:
        """Follow nothing."""
        if self.source is None:
            return
        self._leave()
        timeline = self.source.timeline
        if not self.fresh:
            self.sequence = self._reached(timeline) + self.sequence_offset
            self.timestamp = (timeline.timestamp + self.timestamp_offset) & 0xFFFFFFFF
            self.at = timeline.at
        self.source = None

    def direct(self, udp: socket.socket, name: Any) -> None:
        """Go by another socket of ours, or to another address."""
        if self.source is not None:
            self._leave()
        self.udp, self.name = udp, name
        if self.source is not None:
            self._join(self.source.fan(udp, red=self.red))

    def begin(self, sequence: int, timestamp: int) -> int:
        """The first packet of a source is sent: its timestamp, at least one frame after the last."""
        self.fresh = False
        self.first = sequence
        behind = FRAME_TICKS - timestamp_delta(timestamp, self.timestamp)
        if self.at is None or behind <= 0:
            return timestamp
        self.timestamp_offset += behind
        return (timestamp + behind) & 0xFFFFFFFF

    def catch_up(self, sequence: int) -> None:
        """A packet goes to it after others that could not: what it missed may be too long a step."""
        assert self.stuck is not None
        step = sequence - self.stuck
        if step > LONGEST_STEP:
            self.sequence_offset -= step - 1
            self.edge = self.stuck = sequence - 1

    def _reached(self, timeline: Timeline) -> int:
        """The source's latest packet that it got."""
        return timeline.highest if self.stuck is None else self.stuck

    def again(self, number: int, buffer: memoryview) -> tuple[int, int] | None:
        """Write the packet that went under a sequence number (16 bits) of its own into `buffer`, just as it
        was before it was protected: its length and its payload's. None when it is not there."""
        if self.source is None or self.source.history is None or self.fresh or not self.nack:
            return None
        reached = self._reached(self.source.timeline)
        sequence = extend_sequence(reached + self.sequence_offset, number) - self.sequence_offset
        kept = self.source.history.find(sequence)
        if kept is None or not self.edge < sequence <= reached:
            return None
        packet, payload, timestamp = kept
        if is_red(packet) and not self.red:
            plain = unwrap(packet)
            payload -= len(packet) - len(plain)
            packet = plain
        buffer[: len(packet)] = packet
        if sequence == self.first:
            buffer[1] |= _MARKER
        own_timestamp = (timestamp + self.timestamp_offset) & 0xFFFFFFFF
        _REWRITTEN.pack_into(buffer, 2, number, own_timestamp, self.ssrc)
        return len(packet), payload

    def repeated(self, payload: int) -> None:
        """A packet was sent to it once more."""
        self.retransmitted += 1
        self._packets += 1
        self._payload_bytes += payload

    def miss(self, payload: int) -> None:
        """Its fan sends a packet that this sink does not get."""
        self._packets -= 1
        self._payload_bytes -= payload

    def counters(self) -> SinkCounters:
        """What went so far."""
        packets, payload_bytes = self._packets, self._payload_bytes
        if self.fan is not None:
            packets += self.fan.packets
            payload_bytes += self.fan.payload_bytes
        if self.source is None or self.fresh:
            return SinkCounters(
                packets, payload_bytes, self.timestamp, self.at or 0.0, self.retransmitted
            )
        timeline = self.source.timeline
        timestamp = (timeline.timestamp + self.timestamp_offset) & 0xFFFFFFFF
        return SinkCounters(packets, payload_bytes, timestamp, timeline.at, self.retransmitted)

    # What its fan sends is counted there, once for all sinks: here stands the difference.

    def _join(self, fan: Fan) -> None:
        self._packets -= fan.packets
        self._payload_bytes -= fan.payload_bytes
        self.fan = fan
        fan.add(self)

    def _leave(self) -> None:
        assert self.fan is not None
        self._packets += self.fan.packets
        self._payload_bytes += self.fan.payload_bytes
        self.fan.remove(self)
        self.fan = None
