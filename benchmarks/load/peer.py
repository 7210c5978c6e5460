"""A browser's end of one connection: answers, checks, shakes hands; then consents and reports.

It does what a browser would, with a socket of its own, at the intervals of one. It does not verify what a
browser has to: that is for the tests. Packets of sound never come here (`generator.py`).
"""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import time

from benchmarks.fixture import LOCALHOST
from relay import DtlsRole, IceCandidate, IceParameters, RtpSource, TransportParameters
from relay.address import Address
from relay.certificate import Certificate
from relay.dtls import DtlsContext, DtlsEndpoint, DtlsFailure
from relay.rtcp import (
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_rtcp,
    ntp_time,
)
from relay.srtp import SrtpContext, SrtpKeys

from . import stun

CONSENT_INTERVAL = 5.0
"""Seconds between checks of a connected peer (RFC 7675 §5.1)."""
REPORT_INTERVAL = 5.0
"""Seconds between its RTCP reports, as Chrome sends them for sound."""
RETRY_INTERVAL = 0.1
"""Seconds until a check that nobody answered is sent again."""

_PRIORITY = 2130706431
_SO_TIMESTAMPNS = 35
_BUFFER = 1 << 20


class Identity:
    """A certificate, which all peers of a load tool share; making one is not what is measured."""

    def __init__(self) -> None:
        certificate = Certificate.generate()
        self.fingerprint = certificate.fingerprint
        self.context = DtlsContext(certificate)


class Peer:
    """One connection. source: what a listener is to hear; None for a publisher.

    ssrc: what it sends under. keys: once the handshake is done; connected: is set then.
    """

    def __init__(self, identity: Identity, source: RtpSource | None) -> None:
        self.source = source
        self.ssrc = random.randrange(1, 1 << 32)
        self.keys: SrtpKeys | None = None
        self.connected = asyncio.Event()
        self.socket = _open_socket()
        self._identity = identity
        self._ice = IceParameters(secrets.token_hex(4), secrets.token_hex(12))
        self._remote: TransportParameters | None = None
        self._address: Address | None = None
        self._dtls: DtlsEndpoint | None = None
        self._rtcp: SrtpContext | None = None
        self._check_at = self._report_at = 0.0

    @property
    def local(self) -> TransportParameters:
        """The answer."""
        host, port = self.socket.getsockname()
        candidate = IceCandidate("1", 1, "udp", _PRIORITY, host, port, "host")
        return TransportParameters(
            ice=self._ice,
            fingerprints=(self._identity.fingerprint,),
            role=DtlsRole.CLIENT,
            candidates=(candidate,),
            end_of_candidates=True,
        )

    @property
    def address(self) -> Address:
        """Where the server is."""
        assert self._address is not None
        return self._address

    def start(self, remote: TransportParameters) -> None:
        """Take the offer and begin to check."""
        self._remote = remote
        self._address = Address(remote.candidates[0].address, remote.candidates[0].port)
        self._send_check()

    def receive(self, datagram: bytes) -> None:
        """Take what is neither RTP nor RTCP."""
        if datagram[0] > 3:
            self._receive_dtls(datagram)
        elif stun.message_type(datagram) == stun.REQUEST:
            self._send(stun.answer(datagram, self.address, self._ice.password))
        elif stun.message_type(datagram) == stun.RESPONSE and self._dtls is None:
            self._start_dtls()

    def tick(self, now: float) -> None:
        """Do what is due. now: on the event loop's clock, several times a second."""
        if self._remote is None:
            return
        if self._dtls is not None and (self._dtls.deadline() or now) < now:
            self._dtls.handle_timeout(now)
            self._flush()
        if now >= self._check_at:
            self._send_check()
        if self._rtcp is not None and now >= self._report_at:
            self._report_at = now + REPORT_INTERVAL * random.uniform(0.5, 1.5)
            self._send(self._rtcp.protect_rtcp(build_rtcp(self._report())))

    def close(self) -> None:
        """Close the socket, as a page does that is closed."""
        self.socket.close()

    def _send_check(self) -> None:
        assert self._remote is not None
        interval = CONSENT_INTERVAL * random.uniform(0.8, 1.2) if self.keys else RETRY_INTERVAL
        self._check_at = asyncio.get_running_loop().time() + interval
        name = f"{self._remote.ice.username_fragment}:{self._ice.username_fragment}"
        self._send(stun.check(name, self._remote.ice.password, _PRIORITY))

    def _start_dtls(self) -> None:
        assert self._remote is not None
        self._dtls = DtlsEndpoint(
            self._identity.context, DtlsRole.CLIENT, self._remote.fingerprints
        )
        self._dtls.start(asyncio.get_running_loop().time())
        self._flush()

    def _receive_dtls(self, datagram: bytes) -> None:
        if self._dtls is None or self.keys is not None:
            return
        now = asyncio.get_running_loop().time()
        self._dtls.receive(datagram, now)
        self._flush()
        outcome = self._dtls.outcome
        if isinstance(outcome, DtlsFailure):
            raise RuntimeError(f"DTLS failed: {outcome.reason}")
        if outcome is not None:
            self.keys = outcome
            self._rtcp = SrtpContext.outbound(outcome, self.ssrc)
            self._check_at = now + CONSENT_INTERVAL * random.random()
            self._report_at = now + REPORT_INTERVAL * random.random()
            self.connected.set()

    def _flush(self) -> None:
        assert self._dtls is not None
        for datagram in self._dtls.datagrams():
            self._send(datagram)

    def _send(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.address)

    def _report(self) -> list[RtcpPacket]:
        if self.source is None:
            report: RtcpPacket = SenderReport(self.ssrc, ntp_time(time.time()), 0, 0, 0)
        else:
            report = ReceiverReport(self.ssrc, (ReportBlock(self.source.ssrc, 0, 0, 0, 0, 0, 0),))
        return [report, SourceDescription(self.ssrc, "load")]


def _open_socket() -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setblocking(False)
    udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    udp.bind((LOCALHOST, 0))
    return udp
