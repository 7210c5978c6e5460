"""ICE, DTLS and SRTCP of one connection, on the relay's shared sockets.

    state        leaves it by                                       to
    NEW          connect: the other end's parameters came           CONNECTING
    CONNECTING   keys and a selected path are there                 CONNECTED
    CONNECTING   DTLS failed, or CONNECT_TIMEOUT passed             CLOSED (failed)
    CONNECTED    consent expired (RFC 7675)                         CLOSED (failed)
    any          close                                              CLOSED

DTLS starts for a path that an authentic ICE check came by, and for no other.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from .address import Address, Path
from .dtls import DtlsEndpoint, DtlsFailure
from .errors import InvalidStateError, ParameterError
from .events import ConnectionState
from .ice import IceObserver
from .parameters import (
    DtlsRole,
    IceCandidate,
    IceParameters,
    RtpParameters,
    TransportParameters,
)
from .router import Router
from .rtcp import RtcpError, RtcpPacket, build_rtcp, parse_rtcp
from .screening import Budget
from .srtp import SrtpContext, SrtpKeys
from .stats import DropReason, SetupTimes

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 20.0
"""Seconds from the other end's parameters to the first possible media."""

MAX_EARLY_DTLS = 4
"""Datagrams that are kept for the other end's parameters: a browser shakes hands as soon as ICE lets it,
and its ClientHello takes two. Later ones are dropped; it repeats them."""

MAX_RTCP_SOURCES = 8
"""SSRCs that a peer's reports may come from; the oldest is forgotten when one more comes."""

DTLS_RATE, DTLS_BURST = 50.0, 100.0
"""Datagrams of one peer that are looked at: so many a second, and so many at once. A handshake has about
ten; each may cost as much as a signature."""

RTCP_RATE, RTCP_BURST = 100.0, 200.0
"""Likewise. A peer reports a few times a second, and asks for lost packets when there are some."""

_USERNAME_FRAGMENT = re.compile("[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile("[A-Za-z0-9+/]{22,256}")
"""RFC 8839 §5.4."""

_OUR_ROLE = {DtlsRole.CLIENT: DtlsRole.SERVER, DtlsRole.SERVER: DtlsRole.CLIENT}


@dataclass(frozen=True, slots=True)
class TransportObserver:
    """Who wants to know of a transport.

    connected: keys, and the path that media is to take. validated: the peer may send by this path.
    selected: media is to take this path from now on. rtcp: an authentic compound packet.
    failed: it is of no use any more; the observer closes it.
    """

    connected: Callable[[SrtpKeys, Path], None]
    validated: Callable[[Path], None]
    selected: Callable[[Path], None]
    rtcp: Callable[[list[RtcpPacket]], None]
    failed: Callable[[str], None]


class Transport:
    """One connection's way through the network.

    ssrc: the one that our RTCP comes from. paths: those that authentic checks came by. setup: when it came
    how far.
    """

    def __init__(
        self, router: Router, local: tuple[Address, ...], ssrc: int, observer: TransportObserver
    ) -> None:
        self.state = ConnectionState.NEW
        self.paths: dict[Path, None] = {}  # in the order they came
        self._router = router
        self._ssrc = ssrc
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._created_at = self._loop.time()
        self.setup = SetupTimes()
        self._ice = router.ice.create_agent(
            local, IceObserver(self._path_validated, self._path_selected, self._ice_failed)
        )
        self._remote: TransportParameters | None = None
        self._early_dtls: list[tuple[Path, bytes]] = []
        self._dtls: DtlsEndpoint | None = None
        self._dtls_path: Path | None = None
        self._selected: Path | None = None
        self._keys: SrtpKeys | None = None
        self._rtcp_in: SrtpContext | None = None
        self._rtcp_out: SrtpContext | None = None
        self._rtcp_ssrcs: list[int] = []
        self._dtls_budget = Budget(DTLS_RATE, DTLS_BURST)
        self._rtcp_budget = Budget(RTCP_RATE, RTCP_BURST)
        self._connect_timer: asyncio.TimerHandle | None = None
        self._dtls_timer: asyncio.TimerHandle | None = None

    @property
    def ice_parameters(self) -> IceParameters:
        """Our ICE credentials."""
        return self._ice.parameters

    @property
    def rtp(self) -> RtpParameters:
        """What the other end can do against loss."""
        return self._remote.rtp if self._remote is not None else RtpParameters()

    @property
    def round_trip_time(self) -> float | None:
        """Seconds, as ICE checks told; None before the first."""
        return self._ice.round_trip_time

    def connect(self, remote: TransportParameters) -> None:
        """Start, with the other end's parameters. Raises InvalidStateError, ParameterError."""
        if self.state is not ConnectionState.NEW:
            raise InvalidStateError("the transport", self.state, ConnectionState.NEW)
        _check(remote)
        self._remote = remote
        self.state = ConnectionState.CONNECTING
        self.setup = replace(self.setup, answered=self._age())
        self._connect_timer = self._loop.call_later(CONNECT_TIMEOUT, self._connect_timed_out)
        for candidate in remote.candidates:
            self._ice.add_remote_candidate(candidate)
        self._ice.start(remote.ice)
        early, self._early_dtls = self._early_dtls, []
        for path, datagram in early:
            self._take_dtls(path, datagram)  # which was counted as used when it was kept

    def add_remote_candidate(self, candidate: IceCandidate) -> None:
        """Try one more address of the peer."""
        self._ice.add_remote_candidate(candidate)

    def add_local_address(self, address: Address) -> None:
        """Use one more address of ours."""
        self._ice.add_local_address(address)

    def send_rtcp(self, packets: list[RtcpPacket]) -> None:
        """Send a compound packet of ours, if there is a way by now."""
        if self._rtcp_out is not None and self._selected is not None:
            datagram = self._rtcp_out.protect_rtcp(build_rtcp(packets))
            self._router.plane.send(self._selected, datagram)

    def close(self) -> None:
        """Say goodbye (the DTLS alert close_notify), stop everything, leave every table."""
        if self.state is ConnectionState.CLOSED:
            return
        self.state = ConnectionState.CLOSED
        for timer in (self._connect_timer, self._dtls_timer):
            if timer is not None:
                timer.cancel()
        if self._dtls is not None and self._selected is not None:
            for datagram in self._dtls.goodbye():
                self._router.plane.send(self._selected, datagram)
        for path in self.paths:
            self._router.unbind(path, self)
        self.paths.clear()
        self._dtls = None
        self._ice.close()

    def receive_dtls(self, path: Path, datagram: bytes) -> None:
        """Take a DTLS datagram that came by a bound path."""
        if self.state is ConnectionState.CLOSED:
            self._router.drop(DropReason.DTLS_UNEXPECTED)
            return
        if not self._dtls_budget.take(self._loop.time()):
            self._router.drop(DropReason.RATE_LIMITED)
            return
        if self._remote is None:
            self._keep_early(path, datagram)
            return
        dropped = self._take_dtls(path, datagram)
        if dropped is not None:
            self._router.drop(dropped)

    def _take_dtls(self, path: Path, datagram: bytes) -> DropReason | None:
        if self.state is ConnectionState.CLOSED:
            return DropReason.DTLS_UNEXPECTED
        if self._dtls is None:
            self._start_dtls(path)
        assert self._dtls is not None
        self._dtls_path = path
        dropped = self._dtls.receive(datagram, self._loop.time())
        self._after_dtls()
        return dropped

    def _keep_early(self, path: Path, datagram: bytes) -> None:
        if len(self._early_dtls) < MAX_EARLY_DTLS:
            self._early_dtls.append((path, datagram))
        else:
            self._router.drop(DropReason.DTLS_UNEXPECTED)

    def receive_rtcp(self, path: Path, datagram: bytes) -> None:
        """Take an SRTCP datagram that came by a bound path."""
        if self._rtcp_in is None:
            self._router.drop(DropReason.RTCP_UNKNOWN_ADDRESS)
            return
        if not self._rtcp_budget.take(self._loop.time()):
            self._router.drop(DropReason.RATE_LIMITED)
            return
        plain = self._rtcp_in.unprotect_rtcp(datagram)
        if isinstance(plain, DropReason):
            self._router.drop(plain)
            return
        self._admit_rtcp_source(int.from_bytes(plain[4:8], "big"))
        try:
            packets = parse_rtcp(plain)
        except RtcpError:
            self._router.drop(DropReason.RTCP_MALFORMED)
            return
        self._observer.rtcp(packets)

    def _admit_rtcp_source(self, ssrc: int) -> None:
        if ssrc in self._rtcp_ssrcs:
            return
        self._rtcp_ssrcs.append(ssrc)
        if len(self._rtcp_ssrcs) > MAX_RTCP_SOURCES and self._rtcp_in is not None:
            self._rtcp_in.forget(self._rtcp_ssrcs.pop(0))

    def _path_validated(self, path: Path) -> None:
        if self.state is ConnectionState.CLOSED:
            return
        # Who can write other people's addresses on a check proves nothing by it. A path that somebody has
        # is given away only once an answer came by it (`_path_selected`).
        if path not in self._router.bindings:
            self._take(path)

    def _take(self, path: Path) -> None:
        self._router.bind(path, self)
        self.paths[path] = None
        self._observer.validated(path)

    def _path_selected(self, path: Path) -> None:
        if self.state is ConnectionState.CLOSED:
            return
        self._selected = path
        if self.setup.ice is None:
            self.setup = replace(self.setup, ice=self._age())
        if self._router.bindings.get(path) is not self:
            self._take(path)
        if self.state is ConnectionState.CONNECTED:
            self._observer.selected(path)
        elif self._dtls is None and self._dtls_role is DtlsRole.CLIENT:
            self._start_dtls(path)
            self._after_dtls()
        else:
            self._maybe_connected()

    @property
    def _dtls_role(self) -> DtlsRole:
        assert self._remote is not None
        return _OUR_ROLE[self._remote.role]

    def _start_dtls(self, path: Path) -> None:
        assert self._remote is not None
        self._dtls_path = path
        self._dtls = DtlsEndpoint(self._router.dtls, self._dtls_role, self._remote.fingerprints)
        self._dtls.start(self._loop.time())

    def _after_dtls(self) -> None:
        """Send what the handshake wants sent, set its timer, look at its outcome."""
        dtls, path = self._dtls, self._dtls_path
        if dtls is None or path is None:
            return
        for datagram in dtls.datagrams():
            self._router.plane.send(path, datagram)
        if self._dtls_timer is not None:
            self._dtls_timer.cancel()
            self._dtls_timer = None
        deadline = dtls.deadline()
        if deadline is not None:
            self._dtls_timer = self._loop.call_at(deadline, self._dtls_timed_out)
        outcome = dtls.outcome
        if isinstance(outcome, DtlsFailure):
            self._observer.failed(f"DTLS: {outcome.reason}")
        elif outcome is not None and self._keys is None:
            self._keys = outcome
            self.setup = replace(self.setup, dtls=self._age())
            self._rtcp_in = SrtpContext.inbound(outcome)
            self._rtcp_out = SrtpContext.outbound(outcome, self._ssrc)
            self._maybe_connected()

    def _dtls_timed_out(self) -> None:
        if self._dtls is not None:
            self._dtls.handle_timeout(self._loop.time())
            self._after_dtls()

    def _maybe_connected(self) -> None:
        if self.state is not ConnectionState.CONNECTING:
            return
        if self._keys is None or self._selected is None:
            return
        self.state = ConnectionState.CONNECTED
        self.setup = replace(self.setup, connected=self._age())
        if self._connect_timer is not None:
            self._connect_timer.cancel()
        self._observer.connected(self._keys, self._selected)

    def _age(self) -> float:
        return self._loop.time() - self._created_at

    def _connect_timed_out(self) -> None:
        what = "no ICE check succeeded" if self._selected is None else "DTLS did not finish"
        self._observer.failed(f"{what} within {CONNECT_TIMEOUT:.0f} s")

    def _ice_failed(self, why: str) -> None:
        if self.state is not ConnectionState.CLOSED:
            self._observer.failed(why)


def _check(remote: TransportParameters) -> None:
    """Refuse what cannot work. Raises ParameterError."""
    if not _USERNAME_FRAGMENT.fullmatch(remote.ice.username_fragment):
        raise ParameterError("ICE username fragment", "4 to 256 letters, digits, + or /")
    if not _PASSWORD.fullmatch(remote.ice.password):
        raise ParameterError("ICE password", "22 to 256 letters, digits, + or /")
    if not remote.fingerprints:
        raise ParameterError("DTLS fingerprint", "at least one")
    if remote.role not in _OUR_ROLE:
        raise ParameterError("DTLS role of the answer", "client or server")
