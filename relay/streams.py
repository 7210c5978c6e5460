"""What the Python plane keeps of publishers and consumers.

    Source   what one publisher sends: keys, reception statistics, timeline
    Fan      the sinks that a source has on one socket, and the memory that their packets leave from
    Sink     what one consumer gets: keys, address, and counters ahead of the source's timeline

A sink has a slot in its fan for as long as it follows the source. So much of a packet's way out is laid
down once: a packet is copied to every slot, gets three numbers there, is protected there, and all slots
leave with one system call.
"""

from __future__ import annotations

import socket
import struct
from array import array
from collections import Counter
from collections.abc import Callable
from typing import Any

from .history import HISTORY_PACKETS, History
from .levels import ENERGY_MASK
from .loudest import Contender, Stage
from .plane import MISSING_WINDOW, SinkCounters, SourceCounters
from .plane import Stage as AnyStage
from .red import is_red, unwrap
from .sequence import (
    FRAME_TICKS,
    Reception,
    Timeline,
    extend_sequence,
    ticks,
    timestamp_delta,
)
from .srtp import SrtpContext, SrtpKeys, ffi, protect
from .stats import DropReason
from .udp import SendBatch

MAX_SOURCES = 4
"""SSRCs that one publisher may have used: a browser needs one, and a new one after a restart. The
oldest leaves when one more comes."""

LATE_AFTER_RESTART = 1.0
"""Seconds for which packets of the SSRC before are late ones, and no return to it."""

LONGEST_STEP = 0x7FFF
"""From one packet that a sink gets to the next: libsrtp tells turns from 16 bits, and a longer one would
lead back to numbers that were used."""

FIRST_CAPACITY = 4
"""Slots of a new fan: a small room. They double when they are all taken."""

_REWRITTEN = struct.Struct("!HII")
_MARKER = 0x80


class Source:
    """What one publisher sends. muted: while true its packets are dropped. history: of what went to its
    sinks, when something needs it. gap_told: there is one, and nobody asked yet which it is."""

    __slots__ = (
        "_began",
        "_context",
        "_left",
        "_lost_before",
        "_ssrcs",
        "contender",
        "fans",
        "gap_told",
        "handle",
        "history",
        "level_count",
        "level_energy",
        "muted",
        "on_gap",
        "packets",
        "payload_bytes",
        "reception",
        "recovered",
        "red",
        "ssrc",
        "timeline",
        "voice_count",
    )

    def __init__(
        self,
        keys: SrtpKeys,
        now: float,
        *,
        red: bool = False,
        on_gap: Callable[[], None] | None = None,
    ) -> None:
        self._context = SrtpContext.inbound(keys)
        self._ssrcs: list[int] = []
        self._lost_before = 0
        self._left: int | None = None
        self._began = 0.0
        self.handle = self._context.handle
        self.ssrc: int | None = None
        self.reception = Reception(0)
        self.timeline = Timeline(now)
        self.fans: dict[tuple[int, bool], Fan] = {}
        self.red = red
        self.on_gap = on_gap
        self.gap_told = False
        self.history = History() if red or on_gap is not None else None
        self.recovered = 0
        self.muted = False
        self.contender: Contender | None = None
        self.packets = 0
        self.payload_bytes = 0
        self.level_energy = 0
        self.level_count = 0
        self.voice_count = 0

    def enter(self, stage: AnyStage) -> None:
        """Be forwarded only while it has a seat there."""
        assert isinstance(stage, Stage)
        self.leave()
        self.contender = Contender(stage)

    def leave(self) -> None:
        """Give the seat back, if there is one."""
        if self.contender is not None:
            self.contender.leave()

    def admit(self, ssrc: int) -> None:
        """Remember an SSRC that authentic packets carry; beyond the bound the oldest is forgotten, but
        never the one that the sound comes under: its rollover counter and replay list would go."""
        if ssrc in self._ssrcs:
            return
        self._ssrcs.append(ssrc)
        if len(self._ssrcs) > MAX_SOURCES:
            oldest = 1 if self._ssrcs[0] == self.ssrc else 0
            self._context.forget(self._ssrcs.pop(oldest))

    def begin(self, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        """The publisher's sound comes under another SSRC from now on, or for the first time."""
        self._lost_before += self.reception.lost
        self.reception = Reception(sequence, self.reception.gaps)
        self.timeline.restart(timestamp, now)
        self._left, self._began = self.ssrc, now
        self.ssrc = ssrc

    def is_late(self, ssrc: int, now: float) -> bool:
        """Whether a packet under `ssrc` was overtaken by the first ones of the SSRC that came after."""
        return ssrc == self._left and now - self._began < LATE_AFTER_RESTART

    def fan(self, udp: socket.socket, *, red: bool) -> Fan:
        """The fan of those sinks that are sent to by one of our sockets, and that take RED or do not."""
        fan = self.fans.get((udp.fileno(), red))
        if fan is None:
            fan = self.fans[udp.fileno(), red] = Fan(udp, red=red)
        return fan

    def lacks(self, number: int) -> bool:
        """Whether a sequence number (16 bits) belongs to the current piece, and no packet of it was put
        out, as far as the history goes back."""
        place = self.timeline.place(number)
        if self.history is None or place is None:
            return False
        near = (
            abs(place - self.timeline.highest) < HISTORY_PACKETS
        )  # further ahead: a jump, no loss
        return near and not self.history.holds(place)

    def keep(
        self, packet: memoryview | bytes, payload: int, mapped: tuple[int, int], before: int
    ) -> DropReason | None:
        """Keep a packet of a source that has a history, or tell why it may not go out: its number went
        out before, or is too old to tell. before: the timeline's latest until then."""
        assert self.history is not None
        sequence, timestamp = mapped
        if self.history.holds(sequence):
            return DropReason.RTP_REDUNDANT
        if sequence <= self.timeline.highest - HISTORY_PACKETS:
            return DropReason.RTP_STALE
        self.history.keep(packet, payload, sequence, timestamp)
        if sequence > before + 1 and self.on_gap is not None and not self.gap_told:
            self.gap_told = True
            self.on_gap()
        return None

    def missing(self) -> tuple[int | None, list[int]]:
        """The latest sequence numbers of which no packet came, oldest first."""
        self.gap_told = False
        timeline, history = self.timeline, self.history
        if history is None or not timeline.joined:
            return self.ssrc, []
        first = max(timeline.floor, timeline.highest - MISSING_WINDOW)
        return self.ssrc, [
            (sequence - timeline.sequence_offset) & 0xFFFF
            for sequence in range(first, timeline.highest)
            if not history.holds(sequence)
        ]

    def levels(self) -> tuple[int, int]:
        """Energy, and of how many packets."""
        return self.level_energy & ENERGY_MASK, self.level_count

    def counters(self) -> SourceCounters:
        """What came so far."""
        reception = self.reception
        return SourceCounters(
            packets=self.packets,
            payload_bytes=self.payload_bytes,
            packets_lost=self._lost_before + reception.lost,
            gaps=reception.gaps,
            level_energy=self.level_energy & ENERGY_MASK,
            level_count=self.level_count,
            voice_count=self.voice_count,
            ssrc=self.ssrc,
            received=reception.received,
            expected=reception.expected,
            highest_sequence=reception.highest,
            jitter=reception.jitter,
            recovered=self.recovered,
        )


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
            self.sequence = timeline.highest + self.sequence_offset
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

    def again(self, number: int, buffer: memoryview) -> tuple[int, int] | None:
        """Write the packet that went under a sequence number (16 bits) of its own into `buffer`, just as it
        was before it was protected: its length and its payload's. None when it is not there."""
        if self.source is None or self.source.history is None or self.fresh or not self.nack:
            return None
        latest = self.source.timeline.highest + self.sequence_offset
        sequence = extend_sequence(latest, number) - self.sequence_offset
        kept = self.source.history.find(sequence)
        if kept is None or not self.edge < sequence <= self.source.timeline.highest:
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


class Fan:
    """The sinks that a source has on one socket, and that take RED or do not. packets, payload_bytes: what
    was fanned out."""

    __slots__ = (
        "_batch",
        "_edge",
        "_fresh",
        "_reached",
        "_sizes",
        "_udp",
        "packets",
        "payload_bytes",
        "red",
        "sinks",
    )

    def __init__(self, udp: socket.socket, *, red: bool) -> None:
        self.red = red
        self.sinks: list[Sink] = []
        self.packets = 0
        self.payload_bytes = 0
        self._udp = udp
        self._batch = SendBatch(udp.family, FIRST_CAPACITY)
        self._sizes = ffi.new("int[]", FIRST_CAPACITY)
        self._edge = 0
        self._fresh = False
        self._reached = 0

    @property
    def errors(self) -> Counter[int]:
        """How many packets the system did not take, by its error's number; whoever reads it clears it."""
        return self._batch.errors

    def add(self, sink: Sink) -> None:
        """Give a sink a slot."""
        if len(self.sinks) == self._batch.capacity:
            self._batch = SendBatch(self._udp.family, 2 * self._batch.capacity)
            self._sizes = ffi.new("int[]", self._batch.capacity)
            for slot, other in enumerate(self.sinks):
                self._place(other, slot)
        self._place(sink, len(self.sinks))
        self.sinks.append(sink)
        self._edge = max(self._edge, sink.edge)
        self._fresh = self._fresh or sink.fresh or sink.stuck is not None

    def remove(self, sink: Sink) -> None:
        """Give its slot to the last one."""
        last = self.sinks.pop()
        self._batch.address(last.slot, None)
        if last is not sink:
            self.sinks[sink.slot] = last
            self._place(last, sink.slot)

    def _place(self, sink: Sink, slot: int) -> None:
        sink.slot = slot
        sink.view = self._batch.views[slot]
        sink.packet = self._batch.packets[slot]
        sink.size = self._sizes + slot
        self._batch.address(slot, sink.name)

    def forward(
        self, packet: memoryview | bytes, payload: int, sequence: int, timestamp: int
    ) -> tuple[int, int, int, int]:
        """Send a plain packet of the timeline to every sink, under the sink's own numbers.

        payload: bytes of it. How many were sent, could not be protected, found the send buffer full,
        and were refused by the system.
        """
        length = len(packet)
        part = slice(length)
        rewrite = _REWRITTEN.pack_into
        ffi.memmove(self._sizes, array("i", [length]) * len(self.sinks), 4 * len(self.sinks))
        special = self._fresh or sequence <= self._edge
        skipped: list[int] = []
        unprotected = 0
        for sink in self.sinks:
            view = sink.view
            view[part] = packet
            own_timestamp = (timestamp + sink.timestamp_offset) & 0xFFFFFFFF
            if special:
                if sequence <= sink.edge:  # from before this sink began
                    skipped.append(sink.slot)
                    sink.miss(payload)
                    continue
                if sink.stuck is not None:
                    sink.catch_up(sequence)
                if sink.fresh:
                    own_timestamp = sink.begin(sequence, own_timestamp)
                    view[1] |= _MARKER
            own_sequence = (sequence + sink.sequence_offset) & 0xFFFF
            rewrite(view, 2, own_sequence, own_timestamp, sink.ssrc)
            if protect(sink.handle, sink.packet, sink.size):
                skipped.append(sink.slot)
                sink.miss(payload)
                unprotected += 1
                if sink.stuck is None:
                    sink.stuck = max(sink.edge, self._reached)
            elif special and sink.stuck is not None and sequence > sink.stuck:
                sink.stuck = None
        self._reached = max(self._reached, sequence)
        self._fresh = (special or unprotected > 0) and any(
            sink.fresh or sink.stuck is not None for sink in self.sinks
        )
        self.packets += 1
        self.payload_bytes += payload
        lengths = [length + sink.tag_length for sink in self.sinks]
        full, failed = self._batch.send(self._udp.fileno(), lengths, skipped)
        return len(lengths) - len(skipped) - full - failed, unprotected, full, failed
