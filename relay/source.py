"""What the Python plane keeps of one publisher: keys, reception statistics, timeline, its sinks' fans."""

from __future__ import annotations

import socket
from collections.abc import Callable

from .fan import Fan
from .history import HISTORY_PACKETS, History
from .levels import ENERGY_MASK
from .loudest import Contender, Stage
from .plane import MISSING_WINDOW, SourceCounters
from .plane import Stage as AnyStage
from .sequence import Reception, Timeline
from .srtp import SrtpContext, SrtpKeys
from .stats import DropReason

MAX_SOURCES = 4
"""SSRCs that one publisher may have used: a browser needs one, and a new one after a restart. The
oldest leaves when one more comes."""

LATE_AFTER_RESTART = 1.0
"""Seconds for which packets of an SSRC that was left are late ones, and no return to it."""


class Source:
    """What one publisher sends. history: of what went to its sinks, when something needs it. gap_told:
    there is one, and nobody asked yet which it is."""

    __slots__ = (
        "_context",
        "_left",
        "_lost_before",
        "_muted",
        "_ssrcs",
        "contender",
        "fans",
        "gap_told",
        "handle",
        "history",
        "level_count",
        "level_energy",
        "on_gap",
        "packets",
        "payload_bytes",
        "reception",
        "recovered",
        "red",
        "ssrc",
        "timeline",
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
        self._left: dict[int, float] = {}  # when each of them was left
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
        self._muted = False
        self.contender: Contender | None = None
        self.packets = 0
        self.payload_bytes = 0
        self.level_energy = 0
        self.level_count = 0

    @property
    def muted(self) -> bool:
        """While true its packets are dropped."""
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        # At once, not at the next packet: all that is sent meanwhile may be lost, and come later.
        self._muted = muted
        if muted:
            self.timeline.cut()

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
            oldest = self._ssrcs.pop(1 if self._ssrcs[0] == self.ssrc else 0)
            self._left.pop(oldest, None)
            self._context.forget(oldest)

    def begin(self, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        """The publisher's sound comes under another SSRC from now on, or for the first time."""
        self._lost_before += self.reception.lost
        self.reception = Reception(sequence, self.reception.gaps)
        self.timeline.restart(timestamp, now)
        if self.ssrc is not None:
            self._left[self.ssrc] = now
        self.ssrc = ssrc

    def is_late(self, ssrc: int, now: float) -> bool:
        """Whether a packet under `ssrc` was overtaken by the first ones of an SSRC that came after."""
        left = self._left.get(ssrc)
        return left is not None and now - left < LATE_AFTER_RESTART

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
            ssrc=self.ssrc,
            received=reception.received,
            expected=reception.expected,
            highest_sequence=reception.highest,
            jitter=reception.jitter,
            recovered=self.recovered,
        )
