"""The reports of one connection, both ways: RTCP under SRTP's protection (RFC 3711 §3.4).

No I/O, and time is an argument. Only what is authentic is parsed, and no more of it than a peer's reports
may cost.
"""

from __future__ import annotations

from .rtcp import RtcpError, RtcpPacket, build_rtcp, parse_rtcp
from .screening import Budget
from .srtp import SrtpContext, SrtpKeys
from .stats import DropReason

MAX_REPORT_SOURCES = 8
"""SSRCs that a peer's reports may come from; the oldest is forgotten when one more comes."""

RATE, BURST = 100.0, 200.0
"""Datagrams of one peer that are looked at: so many a second, and so many at once. A peer reports a few
times a second, and asks for lost packets when there are some."""


class Srtcp:
    """Reports of ours from one SSRC, and those of the other end. ssrcs: those that these came from."""

    __slots__ = ("_budget", "_inbound", "_outbound", "_ssrc", "ssrcs")

    def __init__(self, ssrc: int) -> None:
        self.ssrcs: list[int] = []
        self._ssrc = ssrc
        self._inbound: SrtpContext | None = None
        self._outbound: SrtpContext | None = None
        self._budget = Budget(RATE, BURST)

    def begin(self, keys: SrtpKeys) -> None:
        """The keys are there."""
        self._inbound = SrtpContext.inbound(keys)
        self._outbound = SrtpContext.outbound(keys, self._ssrc)

    def build(self, packets: list[RtcpPacket]) -> bytes | None:
        """The datagram of a compound packet; None as long as there are no keys."""
        if self._outbound is None:
            return None
        return self._outbound.protect_rtcp(build_rtcp(packets))

    def receive(self, datagram: bytes, now: float) -> list[RtcpPacket] | DropReason:
        """What the other end reports, or why nothing is taken. now: seconds, on any steady clock."""
        if self._inbound is None:
            return DropReason.RTCP_UNKNOWN_ADDRESS
        if not self._budget.take(now):
            return DropReason.RATE_LIMITED
        plain = self._inbound.unprotect_rtcp(datagram)
        if isinstance(plain, DropReason):
            return plain
        self._admit(self._inbound, int.from_bytes(plain[4:8], "big"))
        try:
            return parse_rtcp(plain)
        except RtcpError:
            return DropReason.RTCP_MALFORMED

    def _admit(self, inbound: SrtpContext, ssrc: int) -> None:
        if ssrc in self.ssrcs:
            return
        self.ssrcs.append(ssrc)
        if len(self.ssrcs) > MAX_REPORT_SOURCES:
            inbound.forget(self.ssrcs.pop(0))
