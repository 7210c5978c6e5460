"""A consumer: the relay sends one publisher's voice to a browser."""

from __future__ import annotations

import secrets
import time

from .address import Address, Path
from .clock import wall_time
from .connection import Connection
from .errors import InvalidStateError
from .events import CloseReason, ConnectionState
from .nack import RetransmissionBudget
from .parameters import OPUS_CLOCK_RATE, DtlsFingerprint, IceCandidate, RtpSource
from .plane import Sink
from .publisher import Publisher
from .router import Router
from .rtcp import (
    MAX_NACK_SEQUENCES,
    Goodbye,
    Nack,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    ntp_time,
    round_trip_time,
)
from .srtp import SrtpKeys
from .stats import ConsumerStats, RetransmissionRefusal


class Consumer(Connection):
    """The sending end of one voice, under an SSRC and counters of its own.

    publisher: whose voice it is; `switch` changes that, and the listener hears no seam.
    """

    def __init__(
        self,
        router: Router,
        addresses: tuple[Address, ...],
        candidates: tuple[IceCandidate, ...],
        fingerprint: DtlsFingerprint,
        thread: int,
        publisher: Publisher,
    ) -> None:
        super().__init__(router, addresses, candidates, fingerprint, thread)
        self.publisher = publisher
        publisher.consumers.add(self)
        self._sink: Sink | None = None
        self._is_silent = False
        self._last_report: ReportBlock | None = None
        self._round_trip_time: float | None = None
        self._first_sequence = 0
        self._reported = (
            0,
            0,
        )  # packets that the last report speaks of; lost by then before the relay
        self._budget = RetransmissionBudget()
        self._nack_count = 0

    @property
    def source(self) -> RtpSource:
        """What to announce in the offer."""
        return RtpSource(self.ssrc, self.cname)

    def switch(self, publisher: Publisher) -> None:
        """Send another publisher's voice from now on, with sequence numbers and timestamps that go on.

        Raises InvalidStateError unless that publisher is connected and this consumer not closed.
        """
        if self._closed:
            raise InvalidStateError("the consumer", self.state, "open")
        if publisher.source is None or publisher.state is not ConnectionState.CONNECTED:
            raise InvalidStateError("the publisher", publisher.state, ConnectionState.CONNECTED)
        self.publisher.consumers.discard(self)
        self.publisher = publisher
        publisher.consumers.add(self)
        if self._sink is not None and not self._is_silent:
            self._router.plane.attach(self._sink, publisher.source, time.monotonic())

    def stats(self) -> ConsumerStats:
        """What went so far, and what the other end reported of it."""
        counters, report = self._sink.counters() if self._sink else None, self._last_report
        return ConsumerStats(
            packets_sent=counters.packets if counters else 0,
            bytes_sent=counters.payload_bytes if counters else 0,
            packets_lost=report.packets_lost if report else 0,
            jitter=report.jitter / OPUS_CLOCK_RATE if report else 0.0,
            round_trip_time=self._round_trip_time,
            packets_reported=self._reported[0],
            packets_lost_before=self._reported[1],
            nack_count=self._nack_count,
            retransmitted_packets_sent=counters.retransmitted if counters else 0,
            retransmissions_refused=self._budget.refused.total(),
        )

    def _start(self, keys: SrtpKeys, path: Path) -> None:
        # The first number, one more than this, is in the lower half: if the first packets are lost
        # near a wrap-around, the receiver's guess of the rollover counter is off by one for good
        # (RFC 3711 §3.3.1).
        sequence, timestamp = secrets.randbelow(0x7FFF), secrets.randbits(32)
        self._first_sequence = sequence + 1
        rtp = self._transport.rtp
        self._sink = self._router.plane.sink(
            keys, self.ssrc, path, sequence, timestamp, red=rtp.red, nack=rtp.nack
        )
        if self.publisher.source is not None:
            self._router.plane.attach(self._sink, self.publisher.source, time.monotonic())

    def _release(self, reason: CloseReason) -> None:
        self.publisher.consumers.discard(self)
        if self._sink is not None:
            self._sink.detach()
            # A compound packet begins with a report, if only an empty one (RFC 3550 §6.1).
            report = self._report() or [ReceiverReport(self.ssrc)]
            self._transport.send_rtcp([*report, Goodbye((self.ssrc,))])

    def _path_validated(self, path: Path) -> None:
        pass  # a listener sends no RTP

    def _path_selected(self, path: Path) -> None:
        if self._sink is not None:
            self._router.plane.direct(self._sink, path)
            if self._is_silent and self.publisher.source is not None:
                self._router.plane.attach(self._sink, self.publisher.source, time.monotonic())
        self._is_silent = False

    def _path_lost(self) -> None:
        # RFC 7675 §5.1: without consent nothing may be sent.
        self._is_silent = True
        if self._sink is not None:
            self._sink.detach()

    def _receive_rtcp(self, packets: list[RtcpPacket], arrival: float) -> None:
        # At most one of each is acted on for a datagram, however many it holds: it is to cost no more.
        report: ReportBlock | None = None
        lost: dict[int, None] = {}
        for packet in packets:
            if isinstance(packet, SenderReport | ReceiverReport):
                report = next((it for it in packet.reports if it.ssrc == self.ssrc), report)
            elif isinstance(packet, Nack) and packet.media_ssrc == self.ssrc:
                self._nack_count += 1
                lost.update(dict.fromkeys(packet.sequences))
        if report is not None:
            self._receive_report(report, arrival)
        if lost:
            self._receive_nack(tuple(lost)[:MAX_NACK_SEQUENCES])

    def _receive_nack(self, sequences: tuple[int, ...]) -> None:
        """Send again what is there and within bounds."""
        if self._sink is None or self._is_silent or not self._transport.rtp.nack:
            return
        round_trip = self._round_trip_time or self._transport.round_trip_time
        refused = self._budget.refused.copy()
        admitted = self._budget.admit(sequences, time.monotonic(), round_trip)
        if admitted:
            there = self._router.plane.retransmit(self._sink, admitted)
            self._budget.refused[RetransmissionRefusal.NOT_KEPT] += len(admitted) - there
        self._router.refusals.update(self._budget.refused - refused)

    def _receive_report(self, block: ReportBlock, arrival: float) -> None:
        self._last_report = block
        source = self.publisher.source
        self._reported = (
            # The number before the first one stands for a report of nothing.
            max(0, block.highest_sequence - self._first_sequence + 1),
            source.counters().packets_lost if source is not None else 0,
        )
        measured = round_trip_time(block, ntp_time(wall_time(arrival)))
        if measured is not None:
            self._round_trip_time = measured

    def _report(self) -> list[RtcpPacket]:
        """What we sent, and which timestamp of ours is now (RFC 3550 §6.4.1)."""
        counters = self._sink.counters() if self._sink else None
        if counters is None or not counters.packets:
            return []
        now = time.monotonic()
        since = int((now - counters.sent_at) * OPUS_CLOCK_RATE)
        report = SenderReport(
            ssrc=self.ssrc,
            ntp_timestamp=ntp_time(wall_time(now)),
            rtp_timestamp=(counters.timestamp + since) & 0xFFFFFFFF,
            packet_count=counters.packets,
            octet_count=counters.payload_bytes,
        )
        return [report, SourceDescription(self.ssrc, self.cname)]
