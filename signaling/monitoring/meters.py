"""From counters that only grow to what happened in an interval. No I/O; time is an argument.

A connection is read every few seconds; the difference of two readings is the interval between them. Loss is
told from sequence numbers, so what was never sent (silence under DTX, a muted microphone) is not lost:

    up      what the relay missed of what the speaker's browser numbered
    down    what the listener's browser missed (RTCP receiver reports) of what the relay numbered, less
            what the speaker's way had lost before, which leaves a gap in those numbers

A listener's score is of the whole way, speaker to listener; a speaker's of the way to the relay.
"""

from __future__ import annotations

from typing import NamedTuple

from relay import ConsumerStats, PublisherStats
from signaling.monitoring.quality import mouth_to_ear_delay, score

LEAST_RATE = 8.0
"""Packets a second, below which there was no speech to score: DTX sends 2.5 to 5 in silence, Opus' longest
common packets (120 ms) 8.3."""

REPORT_AGE = 15.0
"""Seconds for which the last receiver report stands in for the next: browsers send one every five or so."""

MAX_EXPECTED_RATE = 500.0
"""Packets a second that a report can speak of: the shortest Opus packets have 2.5 ms. A browser's
report is a claim."""


class Quality(NamedTuple):
    """One connection over one interval.

    at: its end, Unix seconds (from a meter: by its own clock); interval: seconds. loss: share, on this
    connection's own way. jitter, round_trip_time: seconds. bitrate: bits a second of payload. packets:
    that came or went. gaps: of 100 ms and more, None where nobody counts them. score: 1 to 4.5. What is
    not known is None.
    """

    at: float
    interval: float
    loss: float | None
    jitter: float | None
    round_trip_time: float | None
    bitrate: float
    packets: int
    gaps: int | None
    score: float | None


class UplinkMeter:
    """Reads one publisher. stats, at: the first reading, and when it was, on a clock that nobody sets."""

    __slots__ = ("_at", "_before")

    def __init__(self, stats: PublisherStats, at: float) -> None:
        self._before, self._at = stats, at

    def read(self, stats: PublisherStats, at: float, *, muted: bool = False) -> Quality:
        """The interval since the last reading. muted: nobody hears it, so it has no score."""
        before, self._before = self._before, stats
        interval = max(1e-3, at - self._at)
        self._at = at
        packets = max(0, stats.packets_received - before.packets_received)
        lost = max(0, stats.packets_lost - before.packets_lost)
        # What redundancy restored is heard, and is no loss to anybody.
        restored = max(0, stats.packets_recovered - before.packets_recovered)
        expected = packets + lost
        lost = max(0, lost - restored)
        loss = lost / expected if expected else None
        return Quality(
            at=at,
            interval=interval,
            loss=loss,
            jitter=stats.jitter if packets else None,
            round_trip_time=stats.round_trip_time,
            bitrate=8 * max(0, stats.bytes_received - before.bytes_received) / interval,
            packets=packets,
            gaps=max(0, stats.gaps - before.gaps),
            score=None
            if muted or expected < LEAST_RATE * interval
            else _score(loss, stats.round_trip_time, stats.jitter),
        )


class DownlinkMeter:
    """Reads one consumer. stats, at: the first reading, and when it was, on a clock that nobody sets."""

    __slots__ = ("_at", "_before", "_loss", "_reported_at")

    def __init__(self, stats: ConsumerStats, at: float) -> None:
        self._before, self._at = stats, at
        self._loss: float | None = None
        self._reported_at = at

    def read(self, stats: ConsumerStats, at: float, uplink: Quality | None) -> Quality:
        """The interval since the last reading. uplink: that of the speaker behind it."""
        before, self._before = self._before, stats
        interval = max(1e-3, at - self._at)
        self._at = at
        self._take_report(before, stats, at)
        packets = max(0, stats.packets_sent - before.packets_sent)
        known = packets and self._loss is not None
        return Quality(
            at=at,
            interval=interval,
            loss=self._loss if packets else None,
            jitter=stats.jitter if packets else None,
            round_trip_time=stats.round_trip_time,
            bitrate=8 * max(0, stats.bytes_sent - before.bytes_sent) / interval,
            packets=packets,
            gaps=None,
            score=self._whole_way(stats, uplink)
            if known and uplink is not None and uplink.score is not None
            else None,
        )

    def _take_report(self, before: ConsumerStats, stats: ConsumerStats, at: float) -> None:
        expected = stats.packets_reported - before.packets_reported
        if expected > 0:
            lost = stats.packets_lost - before.packets_lost
            before_relay = max(0, stats.packets_lost_before - before.packets_lost_before)
            window = max(1.0, at - self._reported_at)
            expected = min(expected, int(MAX_EXPECTED_RATE * window))
            own = expected - before_relay
            self._loss = min(1.0, max(0, lost - before_relay) / own) if own > 0 else None
            self._reported_at = at
        elif at - self._reported_at > REPORT_AGE:
            self._loss = None

    def _whole_way(self, stats: ConsumerStats, uplink: Quality) -> float:
        arrives = (1 - (uplink.loss or 0.0)) * (1 - (self._loss or 0.0))
        round_trips = (uplink.round_trip_time or 0.0) + (stats.round_trip_time or 0.0)
        return _score(1 - arrives, round_trips, max(uplink.jitter or 0.0, stats.jitter))


def _score(loss: float | None, round_trip_time: float | None, jitter: float) -> float:
    return score(loss or 0.0, mouth_to_ear_delay((round_trip_time or 0.0) / 2, jitter))
