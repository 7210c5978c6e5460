"""Arithmetic on counters that wrap, and the timeline that consumers see.

RTP sequence numbers count modulo 2**16 and timestamps modulo 2**32 (RFC 3550 §5.1). Inside the relay a
sequence number is *extended*: an integer that does not wrap, whose low 16 bits are on the wire.

A publisher mutes, pauses, or comes back with a new SSRC and new random counters; a consumer must not
notice more than silence. A `Timeline` joins the pieces: what arrives goes in, contiguous counters come
out, and each consumer adds constants of its own (`sink.py`). Contiguous means:

    sequence numbers   the next one, however many packets were dropped in between: a gap reads as loss
    timestamps         on one clock, which goes on while nothing is sent, as RFC 3550 §5.1 has it: a
                       clock that stood still would make the first packet behind a pause late by the
                       length of the pause, and browsers would buffer that much from then on

Loss and reordering on the publisher's way to the relay stay visible: they are true, and the consumer's
decoder conceals by them.
"""

from __future__ import annotations

from .parameters import OPUS_CLOCK_RATE

FRAME_TICKS = 960
"""One Opus frame of 20 ms, as browsers send it, in clock ticks."""

GAP_PACKETS = 5
"""So many packets in a row that never came are a gap: 100 ms, more than a decoder conceals unheard."""

SEQUENCE_MODULUS = 1 << 16
TIMESTAMP_MODULUS = 1 << 32


def extend_sequence(highest: int, sequence: int) -> int:
    """The extended sequence number nearest to `highest` whose low 16 bits are `sequence`."""
    delta = (sequence - highest) & 0xFFFF
    return highest + (delta if delta < 0x8000 else delta - SEQUENCE_MODULUS)


def timestamp_delta(later: int, earlier: int) -> int:
    """`later - earlier` of two 32-bit timestamps as a signed number, -2**31 to 2**31 - 1."""
    delta = (later - earlier) & 0xFFFFFFFF
    return delta - TIMESTAMP_MODULUS if delta & 0x80000000 else delta


def ticks(seconds: float) -> int:
    """A duration in RTP clock ticks, towards zero."""
    return int(seconds * OPUS_CLOCK_RATE)


class Timeline:
    """Contiguous sequence numbers and timestamps out of a source's broken ones.

    highest: the highest extended sequence number put out so far; timestamp, at: the timestamp that went
    with it, and when it came, in seconds on any steady clock. The counts start at zero. floor: the first
    number of the current piece; sequence_offset: what its numbers are ahead of the source's.
    """

    __slots__ = (
        "_source_highest",
        "_timestamp_offset",
        "at",
        "floor",
        "highest",
        "joined",
        "sequence_offset",
        "timestamp",
    )

    def __init__(self, now: float) -> None:
        self.highest = 0
        self.timestamp = 0
        self.at = now
        self.joined = False
        self.floor = 0
        self._source_highest = 0
        self.sequence_offset = 0
        self._timestamp_offset = 0

    def restart(self, timestamp: int, now: float) -> None:
        """The source begins anew, its clock at `timestamp`: at least one frame after its last packet,
        or as much later as it is."""
        self.cut()
        step = max(FRAME_TICKS, ticks(now - self.at))
        self._timestamp_offset = self.timestamp + step - timestamp

    def cut(self) -> None:
        """End the current piece: a pause begins."""
        self.joined = False

    def join(self, sequence: int) -> None:
        """Begin a piece: the source's `sequence` is the next number. Its clock goes on."""
        self.joined = True
        self._source_highest = sequence
        self.floor = self.highest + 1
        self.sequence_offset = self.floor - sequence

    def place(self, sequence: int) -> int | None:
        """The number that a packet of the current piece would get; None when it is older than that."""
        mapped = extend_sequence(self._source_highest, sequence) + self.sequence_offset
        return mapped if mapped >= self.floor else None

    def map(self, sequence: int, timestamp: int, now: float) -> tuple[int, int] | None:
        """Where a packet of the current piece stands: (extended sequence number, 32-bit timestamp).

        None for a packet older than the piece: its number belongs to what was sent before.
        """
        source = extend_sequence(self._source_highest, sequence)
        mapped = source + self.sequence_offset
        if mapped < self.floor:
            return None
        mapped_timestamp = (timestamp + self._timestamp_offset) & 0xFFFFFFFF
        if mapped > self.highest:
            self._source_highest = source
            self.highest = mapped
            self.timestamp = mapped_timestamp
            self.at = now
        return mapped, mapped_timestamp


class Reception:
    """Loss and jitter of one incoming RTP source (RFC 3550 A.1, A.3 and A.8).

    received: packets; highest: extended sequence number; jitter: in clock ticks. gaps: how often at least
    `GAP_PACKETS` in a row had not come when a later one did; those of an SSRC before may be given.
    """

    __slots__ = (
        "_base",
        "_transit",
        "gaps",
        "highest",
        "jitter",
        "received",
    )

    def __init__(self, sequence: int, gaps: int = 0) -> None:
        self._base = sequence
        self.highest = sequence
        self.received = 0
        self.gaps = gaps
        self.jitter = 0.0
        self._transit: float | None = None

    def receive(self, sequence: int, timestamp: int, arrival: float, clock_rate: int) -> None:
        """Count a packet. arrival: seconds on any steady clock; clock_rate: in Hz."""
        extended = extend_sequence(self.highest, sequence)
        if extended > self.highest:
            if extended > self.highest + GAP_PACKETS:
                self.gaps += 1
            self.highest = extended
        elif extended < self._base:
            self._base = extended
        self.received += 1
        transit = arrival * clock_rate - timestamp
        if self._transit is not None:
            # The timestamp wraps, the arrival does not: only the difference modulo 2**32 counts.
            moved = transit - self._transit
            moved -= round(moved / TIMESTAMP_MODULUS) * TIMESTAMP_MODULUS
            self.jitter += (abs(moved) - self.jitter) / 16.0
        self._transit = transit

    @property
    def expected(self) -> int:
        """Packets that were sent, as far as the sequence numbers tell."""
        return self.highest - self._base + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """Packets that never came; negative never, since replayed ones do not pass SRTP."""
        return max(0, self.expected - self.received)
