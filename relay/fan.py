"""From a plain packet to the sinks that a source has on one socket.

A sink has a slot in its fan for as long as it follows the source. So much of a packet's way out is laid
down once: a packet is copied to every slot, gets three numbers there, is protected there, and all slots
leave with one system call.
"""

from __future__ import annotations

import socket
import struct
from array import array
from collections import Counter
from typing import TYPE_CHECKING

from .srtp import ffi, protect
from .udp import SendBatch

if TYPE_CHECKING:
    from .sink import Sink

FIRST_CAPACITY = 4
"""Slots of a new fan: a small room. They double when they are all taken."""

_REWRITTEN = struct.Struct("!HII")
_MARKER = 0x80


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
        assert sink.source is not None
        self._reached = max(self._reached, sink.source.timeline.highest)  # by another fan, maybe
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
