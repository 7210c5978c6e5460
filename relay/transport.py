"""ICE, DTLS and SRTCP of one connection, on the relay's shared sockets.

    state        leaves it by                                       to
    NEW          connect: the other end's parameters came           CONNECTING
    CONNECTING   keys and a selected path are there                 CONNECTED
    CONNECTING   DTLS failed, or CONNECT_TIMEOUT passed             CLOSED (failed)
    CONNECTED    consent expired (RFC 7675), and no ICE restart
                 saves it                                           CLOSED (failed)
    any          close                                              CLOSED

An ICE restart (RFC 8445 §9) is a second agent beside the one in use: new credentials, new checks, the same
DTLS, keys and SSRCs. Media goes on by the old one's path until the new one has selected a path of its own.

    restart      leaves it by                                       to
    none         restart_ice                                        offered
    offered      reconnect: the other end's new credentials came    answered
    offered      restart_ice                                        offered: the same, again
    answered     restart_ice                                        offered: another
    answered     a path is selected: the old agent ends             none
    either       RESTART_TIMEOUT passed, or LOST_TIMEOUT since
                 consent expired: the new agent ends                none

DTLS starts for a path that an authentic ICE check came by, and for no other.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from .address import Address, Path
from .dtls import DtlsEndpoint, DtlsFailure
from .errors import InvalidStateError, ParameterError
from .events import ConnectionState, NetworkChange
from .ice_agent import IceAgent, IceObserver
from .parameters import (
    DtlsRole,
    IceCandidate,
    IceParameters,
    RtpParameters,
    TransportParameters,
)
from .router import Router
from .rtcp import RtcpPacket
from .screening import Budget
from .srtcp import Srtcp
from .srtp import SrtpKeys
from .stats import DropReason, SetupTimes

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 20.0
"""Seconds from the other end's parameters to the first possible media."""

RESTART_TIMEOUT = 30.0
"""Seconds from the latest offer of a restart to a selected path: the offer may have to wait for a signaling
connection that was lost with the network. Consent may expire meanwhile; then nothing is sent until there is
a path."""

LOST_TIMEOUT = 60.0
"""Seconds from the end of consent to a path, however many restarts the other end asks for."""

SETTLING = 1.0
"""Seconds after the first selected path in which others may follow without any move of the peer."""

LINGER = 5.0
"""Seconds that media is taken by the old paths after a restart: some is on its way, and the other end
switches when it likes."""

MAX_EARLY_DTLS = 4
"""Datagrams that are kept for the other end's parameters: a browser shakes hands as soon as ICE lets it,
and its ClientHello takes two. Later ones are dropped; it repeats them."""

DTLS_RATE, DTLS_BURST = 50.0, 100.0
"""Datagrams of one peer that are looked at: so many a second, and so many at once. A handshake has about
ten; each may cost as much as a signature."""

_USERNAME_FRAGMENT = re.compile("[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile("[A-Za-z0-9+/]{22,256}")
"""RFC 8839 §5.4."""

_OUR_ROLE = {DtlsRole.CLIENT: DtlsRole.SERVER, DtlsRole.SERVER: DtlsRole.CLIENT}


@dataclass(frozen=True, slots=True)
class TransportObserver:
    """Who wants to know of a transport.

    connected: keys, and the path that media is to take. validated: the peer may send by this path.
    selected: media is to take this path from now on; how: because of a restart, of the peer's move, or None
    while the first paths are still being found. lost: media is to take none for now. doubtful: the peer
    answers by no path, and a restart may help. restart_failed: the one that was begun found no path, and
    things are as before it. rtcp: an authentic compound packet, and when it came. failed: it is of no use
    any more; the observer closes it.
    """

    connected: Callable[[SrtpKeys, Path], None]
    validated: Callable[[Path], None]
    selected: Callable[[Path, NetworkChange | None], None]
    lost: Callable[[], None]
    doubtful: Callable[[], None]
    restart_failed: Callable[[], None]
    rtcp: Callable[[list[RtcpPacket], float], None]
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
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._created_at = self._loop.time()
        self.setup = SetupTimes()
        self._local = list(local)
        self._generation = 0
        self._ice = self._create_agent()
        self._restart: IceAgent | None = None
        self._restart_answered = False
        self._restart_timer: asyncio.TimerHandle | None = None
        self._expired: str | None = None
        self._ends = math.inf
        self._settles = 0.0
        self._remote: TransportParameters | None = None
        self._early_dtls: list[tuple[Path, bytes]] = []
        self._dtls: DtlsEndpoint | None = None
        self._dtls_path: Path | None = None
        self._selected: Path | None = None
        self._keys: SrtpKeys | None = None
        self._srtcp = Srtcp(ssrc)
        self._dtls_budget = Budget(DTLS_RATE, DTLS_BURST)
        self._connect_timer: asyncio.TimerHandle | None = None
        self._dtls_timer: asyncio.TimerHandle | None = None

    def _create_agent(self) -> IceAgent:
        """An agent of the next generation, which its number tells from the others."""
        self._generation += 1
        number = self._generation
        return self._router.ice.create_agent(
            self._local,
            IceObserver(
                self._path_validated,
                partial(self._path_selected, number),
                partial(self._ice_failed, number),
                self._path_forgotten,
                self._ice_doubtful,
            ),
        )

    @property
    def ice_parameters(self) -> IceParameters:
        """Our ICE credentials: those of a restart once it has begun."""
        return (self._restart or self._ice).parameters

    @property
    def is_doubtful(self) -> bool:
        """Whether the peer has not answered lately, by any path."""
        return self._expired is not None or self._ice.is_doubtful

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
        (self._restart or self._ice).add_remote_candidate(candidate)

    def add_local_address(self, address: Address) -> None:
        """Use one more address of ours."""
        self._local.append(address)
        for agent in (self._ice, self._restart):
            if agent is not None:
                agent.add_local_address(address)

    def restart_ice(self) -> None:
        """Begin an ICE restart: `ice_parameters` are new ones, and `reconnect` is to follow. One that waits
        for its answer is offered again, as it is: an answer does not say which offer it is for, so there is
        only one. One that has its answer is given up. Raises InvalidStateError."""
        if self.state is not ConnectionState.CONNECTED:
            raise InvalidStateError("the transport", self.state, ConnectionState.CONNECTED)
        if self._restart_answered:
            self._end_restart()
            self._forget_stale_paths()
        if self._restart is None:
            self._restart = self._create_agent()
        if self._restart_timer is not None:
            self._restart_timer.cancel()
        ends = min(self._loop.time() + RESTART_TIMEOUT, self._ends)
        self._restart_timer = self._loop.call_at(ends, self._restart_timed_out)

    def reconnect(self, remote: TransportParameters) -> None:
        """Take the other end's parameters for the restart. Raises InvalidStateError, ParameterError."""
        if self._restart is None or self._restart_answered:
            state = "not begun" if self._restart is None else "answered"
            raise InvalidStateError("the ICE restart", state, "begun")
        _check(remote)
        assert self._remote is not None
        if remote.ice == self._remote.ice:
            raise ParameterError("ICE credentials", "new ones")
        if not set(remote.fingerprints) & set(self._remote.fingerprints):
            raise ParameterError("DTLS fingerprint", "the same as before")
        self._restart_answered = True
        self._remote = replace(self._remote, ice=remote.ice)
        for candidate in remote.candidates:
            self._restart.add_remote_candidate(candidate)
        self._restart.start(remote.ice)

    def _end_restart(self) -> None:
        if self._restart_timer is not None:
            self._restart_timer.cancel()
        if self._restart is not None:
            self._restart.close()
        self._restart = self._restart_timer = None
        self._restart_answered = False

    def _restart_timed_out(self) -> None:
        self._end_restart()
        if self._expired is not None:
            self._observer.failed(self._expired)
        else:
            self._forget_stale_paths()
            self._observer.restart_failed()

    def send_rtcp(self, packets: list[RtcpPacket]) -> None:
        """Send a compound packet of ours, if there is a way by now."""
        if self._selected is None:
            return
        datagram = self._srtcp.build(packets)
        if datagram is not None:
            self._send(self._selected, [datagram])

    def _send(self, path: Path, datagrams: list[bytes]) -> None:
        """Send by a path that is ours. Behind one that another connection has by now is somebody else,
        whose handshake would fail by what we repeat of ours."""
        if self._router.bindings.get(path) is self:
            for datagram in datagrams:
                self._router.plane.send(path, datagram)

    def close(self) -> None:
        """Say goodbye (the DTLS alert close_notify), stop everything, leave every table."""
        if self.state is ConnectionState.CLOSED:
            return
        self.state = ConnectionState.CLOSED
        for timer in (self._connect_timer, self._dtls_timer):
            if timer is not None:
                timer.cancel()
        if self._dtls is not None and self._selected is not None:
            self._send(self._selected, self._dtls.goodbye())
        for path in self.paths:
            self._router.unbind(path, self)
        self.paths.clear()
        self._dtls = None
        self._end_restart()
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

    @property
    def reports_wait(self) -> bool:
        """Whether the other end's reports may be looked at a little later: a request for lost packets comes
        in a datagram of its own (RFC 5506), or never."""
        return self.rtp.reduced_size or not self.rtp.nack

    def receive_rtcp(self, path: Path, datagram: bytes, arrival: float) -> None:
        """Take an SRTCP datagram that came by a bound path, at `arrival`."""
        packets = self._srtcp.receive(datagram, arrival)
        if isinstance(packets, DropReason):
            self._router.drop(packets)
        else:
            self._observer.rtcp(packets, arrival)

    def _path_validated(self, path: Path) -> bool:
        # Who can write other people's addresses on a check proves nothing by it. A path that somebody has
        # is given away only once an answer came by it (`_path_selected`).
        if path not in self._router.bindings and self.state is not ConnectionState.CLOSED:
            self._take(path)
        return self._router.bindings.get(path) is self

    def _take(self, path: Path) -> None:
        self._router.bind(path, self)
        self.paths[path] = None
        self._observer.validated(path)

    def path_taken(self, path: Path) -> None:
        """Somebody else answered by a path of ours, so our peer is not there: nothing is sent by it from
        now on (RFC 7675 §5.1: who gets it has not consented)."""
        self.paths.pop(path, None)
        if path != self._selected:
            return
        self._selected = None
        self._ice.lose_path()
        if self.state is ConnectionState.CONNECTED:
            self._observer.lost()

    def _path_forgotten(self, path: Path) -> None:
        if path in self.paths and not self._is_in_use(path):
            del self.paths[path]
            self._router.unbind(path, self)

    def _is_in_use(self, path: Path) -> bool:
        agents = (self._ice, self._restart)
        return path == self._selected or any(agent and path in agent.paths for agent in agents)

    def _forget_stale_paths(self) -> None:
        """Take nothing any more by paths of agents that have ended."""
        for path in tuple(self.paths):
            self._path_forgotten(path)

    def _path_selected(self, number: int, path: Path) -> None:
        if self.state is ConnectionState.CLOSED:
            return
        how = None if self._loop.time() < self._settles else NetworkChange.ADDRESS
        if self._restart is not None and number == self._generation:
            how = NetworkChange.RESTART
            self._promote()
        if self._selected is None and self._expired is None:
            self._settles = self._loop.time() + SETTLING
        self._expired, self._ends = None, math.inf
        self._selected = path
        if self.setup.ice is None:
            self.setup = replace(self.setup, ice=self._age())
        if self._router.bindings.get(path) is not self:
            self._take(path)
        if self.state is ConnectionState.CONNECTED:
            self._observer.selected(path, how)
        elif self._dtls is None and self._dtls_role is DtlsRole.CLIENT:
            self._start_dtls(path)
            self._after_dtls()
        else:
            self._dtls_path = path  # what is repeated of the handshake goes there, too
            self._maybe_connected()

    def _promote(self) -> None:
        """The restart has found a path: its agent takes the old one's place."""
        restarted, old = self._restart, self._ice
        assert restarted is not None
        self._restart = None  # so that it is not ended
        self._end_restart()
        self._ice = restarted
        old.close()
        self._router.timers.call_later(LINGER, self._forget_stale_paths)

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
        self._send(path, dtls.datagrams())
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
            self._srtcp.begin(outcome)
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

    def _ice_doubtful(self) -> None:
        if self.state is ConnectionState.CONNECTED and self._restart is None:
            self._observer.doubtful()

    def _ice_failed(self, number: int, why: str) -> None:
        if self.state is ConnectionState.CLOSED:
            return
        if self._restart is None:
            self._observer.failed(why)
        elif number == self._generation:
            self._restart_timed_out()
        else:
            self._expired, self._selected = why, None
            self._ends = self._loop.time() + LOST_TIMEOUT
            self._observer.lost()


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
