"""Lost packets, asked for again (RFC 4585 §6.2.1), both ways: when to ask, and when to answer.

    from a consumer    `RetransmissionBudget` lets as many pass as do no harm; the media plane sends them
                       once more from the publisher's history (`history.py`)
    to a publisher     the media plane tells of a gap; `NackGenerator` says what to ask for, and when
                       to look again

There is no retransmission stream (RFC 4588) for audio in browsers: a packet comes once more as it was,
under its own sequence number. Pure: time is an argument, in seconds of any steady clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .stats import RetransmissionRefusal

MAX_RETRANSMISSIONS = 3
"""How often one packet is sent again to one consumer."""

RETRANSMISSION_RATE = 50.0
"""Packets a second that are sent again to one consumer, on the average: as many as one voice has. So what
a consumer asks for can at most double what it gets."""

RETRANSMISSION_BURST = 32
"""Packets that may be sent again to a consumer at once, after a time without."""

FORGET_AFTER = 5.0
"""Seconds after which a sequence number means another packet."""

MAX_REMEMBERED = 256
"""Packets of which it is known how often they were sent again, per consumer."""

SHORTEST_INTERVAL = 0.02
"""Seconds that pass at least before a packet is asked for, or sent, once more."""

UNKNOWN_ROUND_TRIP = 0.1
"""Seconds that stand in for a round-trip time that is not known yet."""

REORDER_GRACE = 0.01
"""Seconds between a gap and the first NACK: packets overtake each other within a few milliseconds."""

MAX_REQUESTS = 3
"""How often a publisher is asked for one packet."""


class RetransmissionBudget:
    """What of a consumer's NACKs is answered, so that they cost less than they could."""

    def __init__(self) -> None:
        self.refused: Counter[RetransmissionRefusal] = Counter()
        self._sent: dict[int, tuple[float, int]] = {}  # when last, how often; oldest first
        self._tokens = float(RETRANSMISSION_BURST)
        self._at = 0.0

    def admit(
        self, sequences: Iterable[int], now: float, round_trip_time: float | None
    ) -> list[int]:
        """Which of the sequence numbers (16 bits) to send again now. round_trip_time: of the consumer, in
        seconds; a packet that was sent within that time may still arrive."""
        self._tokens += max(0.0, now - self._at) * RETRANSMISSION_RATE
        self._tokens = min(self._tokens, float(RETRANSMISSION_BURST))
        self._at = now
        interval = max(SHORTEST_INTERVAL, 0.8 * (round_trip_time or 0.0))
        admitted: list[int] = []
        for sequence in sequences:
            refusal = self._refusal(sequence, now, interval)
            if refusal is None:
                self._remember(sequence, now)
                admitted.append(sequence)
            else:
                self.refused[refusal] += 1
        return admitted

    def _refusal(self, sequence: int, now: float, interval: float) -> RetransmissionRefusal | None:
        last, times = self._sent.get(sequence, (now, 0))
        if times and now - last < FORGET_AFTER:
            if now < last + interval:
                return RetransmissionRefusal.TOO_SOON
            if times >= MAX_RETRANSMISSIONS:
                return RetransmissionRefusal.TOO_OFTEN
        return None if self._tokens >= 1.0 else RetransmissionRefusal.OVER_BUDGET

    def _remember(self, sequence: int, now: float) -> None:
        self._tokens -= 1.0
        last, times = self._sent.pop(sequence, (now, 0))
        self._sent[sequence] = now, times + 1 if now - last < FORGET_AFTER else 1
        if len(self._sent) > MAX_REMEMBERED:
            del self._sent[next(iter(self._sent))]


class NackGenerator:
    """What to ask a publisher for. due: when to look again; None when everything came or was given up."""

    def __init__(self) -> None:
        self.due: float | None = None
        self._ssrc: int | None = None
        self._asked: dict[int, tuple[float, int]] = {}  # when last, how often

    def ask(
        self, ssrc: int | None, missing: Iterable[int], now: float, round_trip_time: float | None
    ) -> list[int]:
        """Which sequence numbers to ask for now. missing: those (16 bits) of `ssrc` that have not come and
        that would still be of use, as the media plane tells; round_trip_time: to the publisher, seconds."""
        known = self._asked if ssrc == self._ssrc else {}
        interval = max(
            SHORTEST_INTERVAL,
            1.25 * (round_trip_time or 0.0) if round_trip_time else UNKNOWN_ROUND_TRIP,
        )
        self._ssrc, self._asked, self.due = ssrc, {}, None
        due: list[int] = []
        for sequence in missing:
            last, times = known.get(sequence, (now, 0))
            if times == 0 or (times < MAX_REQUESTS and now >= last + interval):
                due.append(sequence)
                last, times = now, times + 1
            self._asked[sequence] = last, times
            if times < MAX_REQUESTS:
                again = last + interval
                self.due = again if self.due is None else min(self.due, again)
        return due
