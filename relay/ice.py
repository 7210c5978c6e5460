"""ICE for every connection on the shared sockets (RFC 8445, RFC 8838, RFC 7675), by aioice.

aioice opens a socket for each connection. Here it gets virtual transports instead, which send through
the relay's own sockets, and an `IceMux` hands it what arrives:

    a request       by the username fragment of ours in its USERNAME
    a response      by its transaction id
    anything else   is dropped: indications mean nothing here

Once a pair is selected, what both ends say every few seconds goes by neither aioice nor its tasks:
`consent.py` asks, on the relay's grid of timers, and `responder.py` answers on the media plane, as long as
the path is settled: selected, not in doubt, and not being checked anew. An agent has one consent, for the
pair that media takes; whatever it does not recognise goes the long way. `roaming.py` decides when another
pair is to be nominated. A restart is another agent, under other credentials; `transport.py` has both.

Only this module knows aioice. It leans on parts that aioice keeps to itself (their names begin with an
underscore); aioice's version is pinned, and `tests/relay/test_ice.py` fails when they change. Media never
passes through aioice.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import string
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import aioice
from aioice import stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, StunProtocol

from . import binding
from .address import Address, Path
from .binding import IntegrityKey
from .consent import Consent
from .outreach import Acquaintances, Outreach
from .parameters import IceCandidate, IceParameters
from .responder import Responder
from .roaming import PROBE_INTERVAL, Roaming, Step
from .screening import Budget, screen
from .stats import DropReason
from .timers import Timer, TimerGrid

USERNAME_FRAGMENT_LENGTH = 8
PASSWORD_LENGTH = 24
"""Characters of 6 bits: 48 and 144 bits, where RFC 8445 §5.3 wants 24 and 128."""

MAX_REMOTE_ADDRESSES = 32
"""Remote candidates of one connection that were signaled. RFC 8445 §6.1.2.5 bounds pairs by 100; a browser
on many interfaces has a dozen. `roaming.py` bounds those that checks come from."""

MAX_ROLE_CONFLICTS = 4

CHECK_INTERVAL = 0.02
"""Seconds between the first checks of two pairs (Ta, RFC 8445 §14.2)."""

CHECK_RATE, CHECK_BURST = 100.0, 200.0
"""Requests of one connection that are looked at: so many a second, and so many at once. A browser that
tries all its addresses sends one every 50 ms for each (RFC 8445 §14), a connected one 0.4 a second."""

_ICE_CHARACTERS = string.ascii_letters + string.digits + "+/"
_SIGNALED_TYPES = ("host", "srflx", "relay")
_COMPONENT = 1  # RTP and RTCP share it (RFC 5761)
_UNFINISHED = (CandidatePair.State.WAITING, CandidatePair.State.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class IceObserver:
    """Who wants to know what an agent finds.

    validated: a check by this path was authentic, so its address is a peer's; tells whether the path is
    ours, and not another connection's. selected: media is to go by this path from now on, which is ours
    then. failed: there is no way any more, and why. forgotten: a validated path was not used for long.
    doubtful: the peer answers by no path; it may yet.
    """

    validated: Callable[[Path], bool]
    selected: Callable[[Path], None]
    failed: Callable[[str], None]
    forgotten: Callable[[Path], None]
    doubtful: Callable[[], None]


class IceMux:
    """All agents of a relay, and the way from a STUN datagram to the one it is for.

    send: puts a datagram on a path. drop: counts one that is for nobody. timers: when consent is asked
    for. settle: lets a path's usual checks be answered without us, or (None) no more. selected: who has
    media on a path. running: checks by aioice that wait for their answers, by path. withheld: checks to
    addresses that were only named, which were too many (`outreach.py`).
    """

    def __init__(
        self,
        send: Callable[[Path, bytes], None],
        drop: Callable[[DropReason], None],
        timers: TimerGrid,
        settle: Callable[[Path, Responder | None], None] = lambda path, responder: None,
    ) -> None:
        self.send = send
        self.drop = drop
        self.timers = timers
        self.running: Counter[Path] = Counter()
        self._settle = settle
        self._settled: dict[Path, Responder] = {}
        self.transactions: dict[bytes, _Protocol] = {}
        self.selected: dict[Path, IceAgent] = {}
        self.outreach = Outreach()
        self.withheld = 0
        self._agents: dict[str, IceAgent] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def create_agent(self, local: Iterable[Address], observer: IceObserver) -> IceAgent:
        """An agent that may use these addresses of ours."""
        name = _random_name(USERNAME_FRAGMENT_LENGTH)
        while name in self._agents:
            name = _random_name(USERNAME_FRAGMENT_LENGTH)
        agent = IceAgent(self, name, local, observer)
        self._agents[name] = agent
        return agent

    def receive(self, path: Path, datagram: bytes, arrival: float) -> None:
        """Hand a STUN datagram, which came at `arrival` on the event loop's clock, to the agent that it is
        for."""
        screened = screen(datagram)
        if screened is None:
            self.drop(DropReason.STUN_MALFORMED)
            return
        is_request, whose = screened
        dropped = (self._receive_request if is_request else self._receive_response)(
            path, datagram, whose, arrival
        )
        if dropped is not None:
            self.drop(dropped)

    def _receive_request(
        self, path: Path, datagram: bytes, name: bytes, arrival: float
    ) -> DropReason | None:
        # A request that is not authentic gets no answer at all, where RFC 8489 §9.1.3 would have an
        # error: nobody learns from us which names exist, and spoofed senders cause no traffic.
        agent = self._agents.get(name.decode("ascii", "replace"))
        if agent is None:
            return DropReason.STUN_UNKNOWN_USER
        # The names can be read by whoever listens on the way, so only the authentic ones are charged.
        if not binding.is_authentic(datagram, agent.key):
            return DropReason.STUN_UNAUTHENTICATED
        if not agent.budget.take(arrival):
            return DropReason.RATE_LIMITED
        if self.selected.get(path) is agent and agent.receive_familiar(path, datagram, arrival):
            return None
        message = _parse(datagram)
        if message is None:
            return DropReason.STUN_MALFORMED
        return agent.receive_request(path, message, datagram)

    def _receive_response(
        self, path: Path, datagram: bytes, identifier: bytes, arrival: float
    ) -> DropReason | None:
        settled, protocol = self.selected.get(path), self.transactions.get(identifier)
        expected = settled is not None and settled.expects(datagram)
        if protocol is None and not expected:
            return DropReason.STUN_UNEXPECTED
        if settled is not None and settled.receive_familiar(path, datagram, arrival):
            return None
        message = _parse(datagram)
        if message is None:
            return DropReason.STUN_MALFORMED
        if settled is not None and settled.receive_consent(message, datagram, arrival):
            return None
        if protocol is None:
            return DropReason.STUN_UNEXPECTED
        transaction = protocol.transactions[identifier]
        transaction.response_received(message, (path.remote.host, path.remote.port))
        return None

    def settle(self, path: Path, responder: Responder | None) -> None:
        """Let the usual checks by `path` be answered by `responder`, or by nobody but the agents."""
        if self._settled.get(path) is responder:
            return
        if responder is None:
            del self._settled[path]
        else:
            self._settled[path] = responder
        self._settle(path, responder)

    def deselect(self, path: Path) -> None:
        """Nobody has media on a path any more: whoever sends by it is a stranger."""
        del self.selected[path]
        self._settled.pop(path, None)
        self._settle(path, None)

    def begin_check(self, path: Path) -> None:
        """aioice checks a path, perhaps for a restart: its answer is not to wait behind anything."""
        self.running[path] += 1
        self.settle(path, None)

    def end_check(self, path: Path) -> None:
        """Undo `begin_check`."""
        self.running[path] -= 1
        if not self.running[path]:
            del self.running[path]
            if path in self.selected:
                self.selected[path].settle()

    def remove(self, agent: IceAgent, closing: asyncio.Task[None]) -> None:
        """Forget an agent, whose last tasks end in `closing`."""
        self._agents.pop(agent.parameters.username_fragment, None)
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Wait until every agent that was closed has ended."""
        while self._closing:
            await asyncio.wait(self._closing)


class IceAgent:
    """One end of one ICE session. It offers, so it controls (RFC 8445 §6.1.1).

    round_trip_time: seconds, of the latest check that was answered at once; None before. key: that
    signs requests to it; budget: of those that are looked at. newcomers: paths that the peer was first
    heard by between the nomination and the end of the first checks.
    """

    def __init__(
        self, mux: IceMux, name: str, local: Iterable[Address], observer: IceObserver
    ) -> None:
        self.parameters = IceParameters(name, _random_name(PASSWORD_LENGTH))
        self.observer = observer
        self.mux = mux
        self.round_trip_time: float | None = None
        self._connection = _Connection(self, local)
        self.key = IntegrityKey(self.parameters.password)
        self.budget = Budget(CHECK_RATE, CHECK_BURST)
        self._roaming = Roaming()
        self.newcomers: list[Path] = []
        self._task: asyncio.Task[None] | None = None
        self._consent: Consent | None = None
        # The latest request that wanted just an answer, and whether it still does.
        self._usual: tuple[Path, bytes] | None = None
        self._is_owed = False
        self._consent_timer: Timer | None = None
        self._step_timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def paths(self) -> frozenset[Path]:
        """Those that authentic checks came by."""
        return self._roaming.paths

    @property
    def is_doubtful(self) -> bool:
        """Whether the path that media takes has not answered lately."""
        return self._roaming.is_searching

    @property
    def _is_connecting(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, remote: IceParameters) -> None:
        """Begin the checks, once the other end's credentials are known."""
        self._connection.remote_username = remote.username_fragment
        self._connection.remote_password = remote.password
        self._task = asyncio.get_running_loop().create_task(self._connection.run())

    def add_remote_candidate(self, candidate: IceCandidate) -> None:
        """Try an address of the other end. What cannot be reached from here is passed over: other
        transports than UDP, mDNS names, other families, addresses that are nobody's."""
        if not self._closed and _is_usable(candidate):
            self._connection.add(candidate)

    def add_local_address(self, address: Address) -> None:
        """Use one more address of ours."""
        if not self._closed:
            self._connection.add_local_address(address)

    def receive_request(
        self, path: Path, message: stun.Message, datagram: bytes
    ) -> DropReason | None:
        """Take an authentic Binding request, or tell why it is of no use. Before `start` it is answered and
        kept for then: a browser checks as soon as it has made its answer, which may take its time to
        come here.

        By a path that another connection has, the answer waits until this one has taken it over: a peer
        that is answered speaks DTLS (RFC 8445 §7.3 leaves us no other way to hold it), and the other
        connection would get it.
        """
        protocol = self._connection.protocol_at(path.local)
        if protocol is None or "PRIORITY" not in message.attributes:
            return DropReason.STUN_MALFORMED
        now = asyncio.get_running_loop().time()
        if self._consent is not None and self._is_connecting and path not in self._roaming.paths:
            self.newcomers.append(path)
        admitted, forgotten = self._roaming.admit(path, now)
        if not admitted:
            return DropReason.STUN_TOO_MANY_ADDRESSES
        if forgotten is not None:
            self._connection.forget(forgotten)
            self.observer.forgotten(forgotten)
        is_ours = self.observer.validated(path)
        remote = (path.remote.host, path.remote.port)
        protocol.acquaintances.heard(remote)
        asks_nothing_else = (
            self._connection.ice_controlling and "ICE-CONTROLLING" not in message.attributes
        )
        if asks_nothing_else and not is_ours:
            self._connection.check_back(message, remote, protocol)
        else:
            self._connection.request_received(message, remote, protocol)
        protocol.repeat(remote, now)
        if asks_nothing_else:
            self._usual, self._is_owed = (path, datagram), not is_ours
            self._learn()
        self._heard(path, now)
        return None

    def _learn(self) -> None:
        """Settle the selected path if the latest request came by it, also when that was before it was
        selected: a peer's checks stay the same."""
        if self._consent is not None and self._usual is not None:
            path, datagram = self._usual
            if path == self._consent.path:
                self._consent.learn(datagram)
                self.settle()

    def expects(self, datagram: bytes) -> bool:
        """Whether it answers a check of consent, if it is authentic."""
        return self._consent is not None and self._consent.expects(datagram)

    def _heard(self, path: Path, now: float) -> None:
        """Look what an authentic check says of where the peer is."""
        if self._consent is None:
            return
        if self._roaming.is_searching and path == self._consent.path:
            # It is back, perhaps.
            if self._has_path:
                self.mux.send(path, self._consent.check(now))
            else:
                self._connection.nominate(path)
        elif self._roaming.suspect(path, now):
            self._step()

    def settle(self) -> None:
        """Let the media plane answer the peer's usual checks, or answer all of them here, as things are."""
        consent = self._consent
        if consent is None or not self._has_path:
            return
        path = consent.path
        unclear = self._roaming.is_searching or self.mux.running[path]
        self.mux.settle(path, None if unclear else consent.responder)

    def _step(self) -> None:
        """Take a step of `roaming.py`, and more as long as the selected path is in doubt."""
        self.settle()
        if self._step_timer is not None:
            self._step_timer.cancel()
            self._step_timer = None
        consent, step = self._consent, self._roaming.step()
        if consent is None or step is Step.REST:
            return
        if step is Step.GIVE_UP:
            self.observer.doubtful()
            return
        if step is Step.PROBE:
            self.mux.send(consent.path, consent.check(asyncio.get_running_loop().time()))
        elif self._roaming.rival is not None:
            self._connection.nominate(self._roaming.rival)
        self._step_timer = asyncio.get_running_loop().call_later(PROBE_INTERVAL, self._step)

    def receive_familiar(self, path: Path, datagram: bytes, arrival: float) -> bool:
        """Take a message of a connected peer: a request like its last one, or an answer to a check of
        ours. False when it is another, or not authentic."""
        consent = self._consent
        if consent is None:
            return False
        if datagram[:2] == binding.REQUEST:
            answer = consent.answer(datagram)
            if answer is None:
                return False
            self.observer.validated(path)
            self.mux.send(path, answer)
            self.settle()
            if self._roaming.is_searching:
                self._heard(path, asyncio.get_running_loop().time())
            return True
        if consent.expects(datagram) and consent.is_answer(datagram):
            self._consented(consent, datagram, arrival)
            return True
        return False

    def receive_consent(self, message: stun.Message, datagram: bytes, arrival: float) -> bool:
        """Take any other answer to a check of ours, if it is one: refusals and forgeries count for
        nothing, signed answers of another form do."""
        consent = self._consent
        if consent is None or not consent.expects(datagram):
            return False
        authentic = message.check_message_integrity(consent.remote_password.encode())
        if authentic and message.message_class == stun.Class.RESPONSE:
            self._consented(consent, datagram, arrival)
        return True

    def select(self, consent: Consent) -> None:
        """Let media go by a consent's path from now on, and no other."""
        if self._closed:  # a check was about to end
            return
        self._end_consent()
        now = asyncio.get_running_loop().time()
        self._consent = consent
        self._roaming.select(consent.path, now)
        self.mux.selected[consent.path] = self
        self.mux.settle(consent.path, None)
        self._schedule_consent(consent, now)
        self.observer.selected(consent.path)
        self._learn()
        self._answer_late(consent)

    def _answer_late(self, consent: Consent) -> None:
        """Answer the check that had to wait until its path was ours."""
        if not self._is_owed or self._usual is None or self._usual[0] != consent.path:
            return
        self._is_owed = False
        answer = consent.answer(self._usual[1])
        if answer is not None:
            self.mux.send(consent.path, answer)

    def lose_path(self) -> None:
        """Another connection has the selected path by now, whose peer answered there: ours is elsewhere. It
        is looked for at once; consent goes on to expire, and is asked for no more."""
        if self._consent is None:
            return
        self._connection.forget_nomination()
        self._roaming.lose()
        if self._step_timer is not None:
            self._step_timer.cancel()
        self._step_timer = asyncio.get_running_loop().call_later(0, self._step)

    @property
    def _has_path(self) -> bool:
        """Whether the path that consent was given for is still ours."""
        consent = self._consent
        return consent is not None and self.mux.selected.get(consent.path) is self

    def _schedule_consent(self, consent: Consent, now: float) -> None:
        self._consent_timer = self.mux.timers.call_later(consent.delay(now), self._consent_due)

    def _consent_due(self) -> None:
        consent, now = self._consent, asyncio.get_running_loop().time()
        if consent is None:
            return
        if now >= consent.expires:
            self._end_consent()
            self.observer.failed("consent expired: the peer answers no ICE checks any more")
            return
        unanswered = consent.is_waiting
        if self._has_path:
            self.mux.send(consent.path, consent.check(now))
        self._schedule_consent(consent, now)
        if unanswered and self._roaming.suspect(None, now):
            self._step()

    def _consented(self, consent: Consent, datagram: bytes, arrival: float) -> None:
        consent.renew(datagram, arrival)
        self._roaming.answered(arrival)
        self.settle()
        if consent.round_trip_time is not None:
            self.round_trip_time = consent.round_trip_time

    def _end_consent(self) -> None:
        for timer in (self._consent_timer, self._step_timer):
            if timer is not None:
                timer.cancel()
        if self._consent is not None and self._has_path:
            self.mux.deselect(self._consent.path)
        self._consent = self._consent_timer = self._step_timer = None

    def close(self) -> None:
        """Stop all checks. The agent is gone from the mux at once; its tasks end soon after."""
        if self._closed:
            return
        self._closed = True
        self._end_consent()
        closing = asyncio.get_running_loop().create_task(self._close())
        self.mux.remove(self, closing)

    async def _close(self) -> None:
        await self._connection.close()
        if self._task is not None:
            await asyncio.wait([self._task])


class _VirtualTransport(asyncio.DatagramTransport):
    """What aioice takes for a socket of its own."""

    def __init__(self, protocol: _Protocol, mux: IceMux) -> None:
        super().__init__()
        self._protocol = protocol
        self._mux = mux

    def sendto(self, data: Any, addr: Any = None) -> None:
        datagram = bytes(data)
        if datagram.startswith(binding.REQUEST) and not self._protocol.may_check(addr):
            self._mux.withheld += 1
            return
        self._mux.send(Path(self._protocol.local, Address(*addr)), datagram)

    def close(self) -> None:
        self._protocol.connection_lost(None)


class _Protocol(StunProtocol):
    """One of our addresses, as one of aioice's connections sees it."""

    def __init__(
        self, connection: _Connection, local: Address, preference: int, mux: IceMux
    ) -> None:
        super().__init__(connection)
        self.local = local
        self._mux = mux
        self._connection = connection
        self.local_candidate = aioice.Candidate(
            foundation=candidate_foundation("host", "udp", local.host),
            component=_COMPONENT,
            transport="udp",
            priority=candidate_priority(_COMPONENT, "host", preference),
            host=local.host,
            port=local.port,
            type="host",
        )
        self._running: dict[tuple[str, int], tuple[stun.Message, float]] = {}
        self.acquaintances = Acquaintances(mux.outreach)
        self.connection_made(_VirtualTransport(self, mux))

    async def request(
        self,
        request: stun.Message,
        addr: tuple[str, int],
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[stun.Message, tuple[str, int]]:
        """Run a transaction, which the mux finds by its id, and time it."""
        loop = asyncio.get_running_loop()
        self._mux.transactions[request.transaction_id] = self
        started = loop.time()
        self._running[addr] = request, started
        path = Path(self.local, Address(*addr))
        self._mux.begin_check(path)
        try:
            answer = await super().request(request, addr, integrity_key, retransmissions)
        finally:
            self._mux.end_check(path)
            del self._mux.transactions[request.transaction_id]
            if self._running.get(addr, (None,))[0] is request:
                del self._running[addr]
        if answer[1] == addr:
            self.acquaintances.answered(addr)
        elapsed = loop.time() - started
        if elapsed < stun.RETRY_RTO:  # a later answer may be one to the repeated request
            self._connection.agent.round_trip_time = elapsed
        return answer

    def may_check(self, addr: tuple[str, int]) -> bool:
        """Whether a check may go there now. One that may not goes as soon as the peer is heard."""
        if self.acquaintances.may_check(addr, asyncio.get_running_loop().time()):
            return True
        if addr in self._running:
            self._running[addr] = self._running[addr][0], -math.inf
        return False

    def repeat(self, addr: tuple[str, int], now: float) -> None:
        """The peer is there: do not wait for the next retransmission of a check that is running, which may
        be half a minute away (RFC 8445 §7.3.1.4 has a new check then)."""
        request, sent = self._running.get(addr, (None, 0.0))
        if request is not None and now - sent >= stun.RETRY_RTO:
            self._running[addr] = request, now
            self.send_stun(request, addr)


class _Connection(aioice.Connection):
    """aioice's connection on virtual transports, which tells its agent what it finds."""

    def __init__(self, agent: IceAgent, local: Iterable[Address]) -> None:
        super().__init__(
            ice_controlling=True,
            local_username=agent.parameters.username_fragment,
            local_password=agent.parameters.password,
        )
        self.agent = agent
        self._role_conflicts = 0
        self._selected: CandidatePair | None = None
        self._pacing: asyncio.TimerHandle | None = None
        for address in local:
            self.add_local_address(address)

    def add_local_address(self, address: Address) -> None:
        """Add a host candidate; the ones that came before are preferred (RFC 8445 §5.1.2.1)."""
        protocol = _Protocol(self, address, 65535 - len(self._protocols), self.agent.mux)
        self._protocols.append(protocol)
        self._local_candidates.append(protocol.local_candidate)
        for candidate in self._remote_candidates:
            self._pair_remote_candidate(candidate)
        self.sort_check_list()
        self._pace_on()

    def protocol_at(self, local: Address) -> _Protocol | None:
        """The protocol that stands for one of our addresses."""
        for protocol in self._protocols:
            if isinstance(protocol, _Protocol) and protocol.local == local:
                return protocol
        return None

    def add(self, candidate: IceCandidate) -> None:
        """Pair a usable candidate with our addresses, within the bound."""
        if len(self._remote_candidates) < MAX_REMOTE_ADDRESSES and not self._closing:
            self._add_remote_candidate(_to_aioice(candidate), candidate.address)
            self._pace_on()

    def forget(self, path: Path) -> None:
        """Check a path of the peer's no more, and forget its address unless it was signaled."""
        local, remote = self.protocol_at(path.local), (path.remote.host, path.remote.port)
        if local is not None:
            local.acquaintances.forget(remote)
        for pair in [item for item in self._check_list if item.remote_addr == remote]:
            if pair.protocol is local:
                if pair.task is not None:
                    pair.task.cancel()
                self._check_list.remove(pair)
        if not any(pair.remote_addr == remote for pair in self._check_list):
            self._remote_candidates = [
                item
                for item in self._remote_candidates
                if item.type in _SIGNALED_TYPES or (item.host, item.port) != remote
            ]

    def check_back(
        self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol
    ) -> None:
        """Take a request as `request_received` does, but do not answer it."""
        if self._early_checks_done:
            self.check_incoming(message, addr, protocol)
        else:
            self._early_checks.append((message, addr, protocol))

    def forget_nomination(self) -> None:
        """The pair that was nominated is of no use any more, unless it is nominated again."""
        self._nominated.pop(_COMPONENT, None)
        self._selected = None

    def nominate(self, path: Path) -> None:
        """Check a path once more, whatever came of it before; media takes it when it answers. aioice itself
        would do so only for a pair that it has not checked yet."""
        pair = None if self._closing else self._pair_at(path)
        if pair is not None and (pair.task is None or pair.task.done()):
            pair.task = None
            pair.nominated = False
            self.check_state(pair, CandidatePair.State.WAITING)
            self.check_start_task(pair)

    def _pair_at(self, path: Path) -> CandidatePair | None:
        local = self.protocol_at(path.local)
        for pair in self._check_list:
            if pair.protocol is local and pair.remote_addr == path.remote:
                return pair
        return None

    async def run(self) -> None:
        """Run the checks until a pair is nominated. Nobody signals end-of-candidates to aioice, so it
        never gives up by itself: the peer's own checks may still come. The transport has a deadline.

        This is aioice's own `connect` but for its clock (`_pace`)."""
        for candidate in self._remote_candidates:
            self._pair_remote_candidate(candidate)
        self.sort_check_list()
        self._unfreeze_initial()
        for early in self._early_checks:
            self.check_incoming(*early)
        self._early_checks.clear()
        self._early_checks_done = True
        self._pace()
        await self._check_list_state.get()
        for pair in self._check_list:
            if pair.task is not None:
                pair.task.cancel()  # also those of a peer that moved since the nomination
        await asyncio.sleep(0)
        for path in self.agent.newcomers:
            moved = self._pair_at(path)
            if moved is not None and moved.state in _UNFINISHED:
                self.nominate(path)
        self.agent.newcomers.clear()

    def _pace(self) -> None:
        """Begin one of the checks that wait, and another one after CHECK_INTERVAL, until none is left.
        aioice would look for them all the time that candidates may come: with thousands of connections that
        wait for their peers, nothing else would be done any more."""
        self._pacing = None
        states = (CandidatePair.State.WAITING, CandidatePair.State.FROZEN)
        pairs = (pair for state in states for pair in self._check_list if pair.state is state)
        pair = next(pairs, None)
        if pair is None or self._check_list_done:
            return
        self.check_start_task(pair)
        self._pacing = asyncio.get_running_loop().call_later(CHECK_INTERVAL, self._pace)

    def _pace_on(self) -> None:
        """There may be a pair more that waits."""
        if self._early_checks_done and self._pacing is None:
            self._pace()

    def check_complete(self, pair: CandidatePair) -> None:
        """A check of ours ended: it may have nominated another pair."""
        super().check_complete(pair)
        selected = self._nominated.get(_COMPONENT)
        if selected is not None and selected is not self._selected:
            self._selected = selected
            assert isinstance(selected.protocol, _Protocol)
            path = Path(selected.protocol.local, Address(*selected.remote_addr))
            self.agent.select(self._consent(path))

    def switch_role(self, ice_controlling: bool) -> None:
        """The peer claims our role (RFC 8445 §7.3.1.1). Once is a misunderstanding; aioice would take
        it for one every time, and check again at once."""
        self._role_conflicts += 1
        if self._role_conflicts > MAX_ROLE_CONFLICTS:
            self.agent.observer.failed("the peer insists on our ICE role")
        else:
            super().switch_role(ice_controlling)

    def _consent(self, path: Path) -> Consent:
        """What asks for consent by `path` under these credentials. The attributes of its checks are
        those of RFC 8445 §7.1."""
        assert self.remote_password is not None
        role = binding.ICE_CONTROLLING if self.ice_controlling else binding.ICE_CONTROLLED
        name = f"{self.remote_username}:{self.local_username}"
        priority = candidate_priority(_COMPONENT, "prflx")
        template = (
            binding.attribute(binding.USERNAME, name.encode())
            + binding.attribute(binding.PRIORITY, priority.to_bytes(4, "big"))
            + binding.attribute(role, self._tie_breaker.to_bytes(8, "big"))
        )
        now = asyncio.get_running_loop().time()
        return Consent(path, self.local_password, self.remote_password, template, now)


def _parse(datagram: bytes) -> stun.Message | None:
    """The message in a datagram; None when there is none."""
    try:
        return stun.parse_message(datagram)
    except (ValueError, struct.error):
        return None


def _random_name(length: int) -> str:
    return "".join(secrets.choice(_ICE_CHARACTERS) for _ in range(length))


def _is_usable(candidate: IceCandidate) -> bool:
    """Whether a check may be sent there. A page chooses these addresses, so they are not trusted:
    group and unspecified addresses would multiply what we send."""
    if candidate.protocol != "udp" or candidate.component != _COMPONENT:
        return False
    if candidate.type not in _SIGNALED_TYPES or not 0 < candidate.port < 65536:
        return False
    try:
        address = ip_address(candidate.address)
    except ValueError:
        return False  # an mDNS name: the peer's own checks will show its address
    if address.version == 4 and address.is_reserved:  # broadcast and class E
        return False
    return not (address.is_multicast or address.is_unspecified)


def _to_aioice(candidate: IceCandidate) -> aioice.Candidate:
    return aioice.Candidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport=candidate.protocol,
        priority=candidate.priority,
        host=candidate.address,
        port=candidate.port,
        type=candidate.type,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
    )
