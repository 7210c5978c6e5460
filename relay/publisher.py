"""A publisher: a browser sends its voice to the relay."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

from .address import Address, Path
from .connection import Connection
from .events import CloseReason
from .levels import LevelMeter
from .nack import REORDER_GRACE, NackGenerator
from .parameters import OPUS_CLOCK_RATE, DtlsFingerprint, IceCandidate
from .plane import Source, SourceCounters, Stage
from .router import Router
from .rtcp import (
    Nack,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    middle_32,
)
from .srtp import SrtpKeys
from .stats import PublisherStats

if TYPE_CHECKING:
    from .consumer import Consumer


class Publisher(Connection):
    """The receiving end of one voice.

    track_id: names the voice towards consumers. consumers: who gets it. stage: where it competes for being
    forwarded.
    """

    def __init__(
        self,
        router: Router,
        addresses: tuple[Address, ...],
        candidates: tuple[IceCandidate, ...],
        fingerprint: DtlsFingerprint,
        thread: int,
        stage: Stage | None = None,
    ) -> None:
        super().__init__(router, addresses, candidates, fingerprint, thread)
        self._stage = stage
        self.track_id = secrets.token_urlsafe(12)
        self.consumers: set[Consumer] = set()
        self._source: Source | None = None
        self._muted = False
        self._sender_report: tuple[int, float] | None = None  # LSR, and when it came
        self._level_meter = self.create_level_meter()
        self._reported: tuple[int | None, int, int] = None, 0, 0  # SSRC, expected, received
        self._nacks = NackGenerator()
        self._nack_timer: asyncio.TimerHandle | None = None
        self._nack_count = self._packets_requested = 0

    @property
    def source(self) -> Source | None:
        """Its part of the media plane, once connected."""
        return self._source

    @property
    def muted(self) -> bool:
        """While true, nothing is forwarded, whatever arrives."""
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._muted = muted
        if self._source is not None:
            self._source.muted = muted

    def stats(self) -> PublisherStats:
        """What came so far."""
        counters = self._source.counters() if self._source else None
        return PublisherStats(
            packets_received=counters.packets if counters else 0,
            bytes_received=counters.payload_bytes if counters else 0,
            packets_lost=counters.packets_lost if counters else 0,
            gaps=counters.gaps if counters else 0,
            jitter=counters.jitter / OPUS_CLOCK_RATE if counters else 0.0,
            round_trip_time=self._transport.round_trip_time,
            nack_count=self._nack_count,
            packets_requested=self._packets_requested,
            packets_recovered=counters.recovered if counters else 0,
        )

    def take_audio_level(self) -> int | None:
        """How loud it was since the last call: the mean power of what its browser said of each packet (RFC
        6464), in dBov from -127 to 0; None when there was nothing to hear, or nothing said of it."""
        return self._level_meter.take()

    def create_level_meter(self) -> LevelMeter:
        """One more such meter, for somebody who reads it at other times."""
        return LevelMeter(lambda: self._source.levels() if self._source else None)

    def _start(self, keys: SrtpKeys, path: Path) -> None:
        rtp = self._transport.rtp
        on_gap = self._gap if rtp.nack else None
        self._source = self._router.plane.source(
            keys, path, time.monotonic(), red=rtp.red, on_gap=on_gap
        )
        self._source.muted = self._muted
        if self._stage is not None:
            self._source.enter(self._stage)
        for validated in self._transport.paths:
            if self._router.bindings.get(validated) is self._transport:  # nobody else's by now
                self._router.plane.bind(validated, self._source)

    def _release(self, reason: CloseReason) -> None:
        if self._nack_timer is not None:
            self._nack_timer.cancel()
        if self._source is not None:
            self._source.muted = True  # else a packet that is on its way would take the seat again
            self._source.leave()
        depends = reason if reason is CloseReason.SHUTDOWN else CloseReason.PUBLISHER_CLOSED
        for consumer in tuple(self.consumers):
            consumer.close(depends)

    def _path_validated(self, path: Path) -> None:
        if self._source is not None:
            self._router.plane.bind(path, self._source)

    def _path_selected(self, path: Path) -> None:
        pass  # reports take the transport's selected path by themselves

    def _path_lost(self) -> None:
        pass  # likewise

    def _receive_rtcp(self, packets: list[RtcpPacket], arrival: float) -> None:
        for packet in packets:
            if isinstance(packet, SenderReport):
                self._sender_report = middle_32(packet.ntp_timestamp), arrival

    def _gap(self) -> None:
        """The media plane saw that a packet is missing: look a little later what has not come by then."""
        if self._nack_timer is None and not self._closed:
            self._look_for_missing_in(REORDER_GRACE)

    def _look_for_missing_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._nack_timer = loop.call_later(seconds, self._ask_for_missing)

    def _ask_for_missing(self) -> None:
        self._nack_timer = None
        if self._source is None or self._closed:
            return
        now = asyncio.get_running_loop().time()
        ssrc, missing = self._source.missing()
        lost = self._nacks.ask(ssrc, missing, now, self._transport.round_trip_time)
        if lost and ssrc is not None:
            self._nack_count += 1
            self._packets_requested += len(lost)
            # A compound packet begins with a report, if only an empty one (RFC 3550 §6.1).
            nack = Nack(self.ssrc, ssrc, tuple(lost))
            self._transport.send_rtcp([ReceiverReport(self.ssrc), nack])
        if self._nacks.due is not None:
            self._look_for_missing_in(self._nacks.due - now)

    def _report(self) -> list[RtcpPacket]:
        """What we received of the voice (RFC 3550 §6.4.2)."""
        counters = self._source.counters() if self._source else None
        if counters is None or counters.ssrc is None:
            return []
        last, delay = 0, 0
        if self._sender_report is not None:
            last, came = self._sender_report
            # Not below zero: what the kernel stamped may be a little ahead of our clock.
            delay = max(0, int((asyncio.get_running_loop().time() - came) * 65536))
        block = ReportBlock(
            ssrc=counters.ssrc,
            fraction_lost=self._fraction_lost(counters),
            packets_lost=counters.expected - counters.received,
            highest_sequence=counters.highest_sequence & 0xFFFFFFFF,
            jitter=int(counters.jitter),
            last_sender_report=last,
            delay_since_last_sender_report=min(delay, 0xFFFFFFFF),
        )
        return [ReceiverReport(self.ssrc, (block,)), SourceDescription(self.ssrc, self.cname)]

    def _fraction_lost(self, counters: SourceCounters) -> int:
        """Loss since the last report, in 1/256 (RFC 3550 A.3)."""
        ssrc, expected_before, received_before = self._reported
        if ssrc != counters.ssrc:
            expected_before = received_before = 0
        self._reported = counters.ssrc, counters.expected, counters.received
        expected = counters.expected - expected_before
        lost = expected - (counters.received - received_before)
        return 0 if expected <= 0 or lost <= 0 else min(255, (lost << 8) // expected)
