"""Arithmetic on counters that wrap, and the timeline that consumers see.

RTP sequence numbers count modulo 2**16 and timestamps modulo 2**32 (RFC 3550 §5.1). Inside the relay a
sequence number is *extended*: an integer that does not wrap, whose low 16 bits are on the wire.

A publisher mutes, pauses, or comes back with a new SSRC and new random counters; a consumer must not
notice more than silence, since a gap in its sequence numbers reads as loss and a jump in its
timestamps as delay. A `Timeline` joins the pieces: what arrives goes in, contiguous counters come out.
Each consumer then adds constants of its own (`forward.py`). Loss and reordering on the publisher's way
to the relay stay visible: they are true, and the consumer's decoder conceals by them.
"""

from __future__ import annotations

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


class Timeline:
    """Contiguous sequence numbers and timestamps out of a source's broken ones.

    highest: the highest extended sequence number put out so far; timestamp: the one that went with it.
    Both are on the timeline's own count, which starts at zero.
    """

    __slots__ = (
        "_floor",
        "_joined",
        "_sequence_offset",
        "_source_highest",
        "_timestamp_offset",
        "highest",
        "timestamp",
    )

    def __init__(self) -> None:
        self.highest = 0
        self.timestamp = 0
        self._joined = False
        self._floor = 0
        self._source_highest = 0
        self._sequence_offset = 0
        self._timestamp_offset = 0

    @property
    def joined(self) -> bool:
        """False before the first packet and after `cut`: the next packet begins a new piece."""
        return self._joined

    def cut(self) -> None:
        """End the current piece: a pause begins, or the source begins anew."""
        self._joined = False

    def join(self, sequence: int, timestamp: int, advance: int) -> None:
        """Begin a piece with the packet (`sequence`, `timestamp`) of the source.

        It becomes the next sequence number, and `advance` ticks after the last timestamp.
        """
        self._joined = True
        self._source_highest = sequence
        self._sequence_offset = self.highest + 1 - sequence
        self._timestamp_offset = self.timestamp + advance - timestamp
        self._floor = self.highest + 1

    def map(self, sequence: int, timestamp: int) -> tuple[int, int] | None:
        """Where a packet of the current piece stands: (extended sequence number, 32-bit timestamp).

        None for a packet older than the piece: its number belongs to what was sent before.
        """
        source = extend_sequence(self._source_highest, sequence)
        mapped = source + self._sequence_offset
        if mapped < self._floor:
            return None
        mapped_timestamp = (timestamp + self._timestamp_offset) & 0xFFFFFFFF
        if mapped > self.highest:
            self.highest = mapped
            self.timestamp = mapped_timestamp
        if source > self._source_highest:
            self._source_highest = source
        return mapped, mapped_timestamp


class Reception:
    """Loss and jitter of one incoming RTP source (RFC 3550 A.1, A.3 and A.8).

    received: packets; highest: extended sequence number; jitter: in clock ticks.
    """

    __slots__ = (
        "_base",
        "_transit",
        "highest",
        "jitter",
        "received",
    )

    def __init__(self, sequence: int) -> None:
        self._base = sequence
        self.highest = sequence
        self.received = 0
        self.jitter = 0.0
        self._transit: float | None = None

    def receive(self, sequence: int, timestamp: int, arrival: float, clock_rate: int) -> None:
        """Count a packet. arrival: seconds on any steady clock; clock_rate: in Hz."""
        extended = extend_sequence(self.highest, sequence)
        if extended > self.highest:
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
