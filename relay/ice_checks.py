"""The connectivity checks of one agent (RFC 8445 §7), by aioice.

aioice opens a socket for each connection. Here it gets virtual transports instead, which send through the
relay's own sockets; `ice.py` hands it what arrives.

Only this module knows aioice. It leans on parts that aioice keeps to itself (their names begin with an
underscore); aioice's version is pinned, and `tests/relay/test_ice.py` fails when they change. Media never
passes through aioice.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import aioice
from aioice import stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, StunProtocol

from . import binding
from .address import Address, Path
from .consent import Consent
from .outreach import Acquaintances
from .parameters import IceCandidate

if TYPE_CHECKING:
    from .ice import IceMux
    from .ice_agent import IceAgent

Message = stun.Message
"""A STUN message, as aioice reads it."""

MAX_REMOTE_ADDRESSES = 32
"""Remote candidates of one connection that were signaled. RFC 8445 §6.1.2.5 bounds pairs by 100; a browser
on many interfaces has a dozen. `roaming.py` bounds those that checks come from."""

MAX_ROLE_CONFLICTS = 4

CHECK_INTERVAL = 0.02
"""Seconds between the first checks of two pairs (Ta, RFC 8445 §14.2)."""

_SIGNALED_TYPES = ("host", "srflx", "relay")
_COMPONENT = 1  # RTP and RTCP share it (RFC 5761)
_UNFINISHED = (CandidatePair.State.WAITING, CandidatePair.State.IN_PROGRESS)


class _VirtualTransport(asyncio.DatagramTransport):
    """What aioice takes for a socket of its own."""

    def __init__(self, protocol: VirtualProtocol, mux: IceMux) -> None:
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


class VirtualProtocol(StunProtocol):
    """One of our addresses, as one of aioice's connections sees it."""

    def __init__(
        self, connection: VirtualConnection, local: Address, preference: int, mux: IceMux
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


class VirtualConnection(aioice.Connection):
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
        protocol = VirtualProtocol(self, address, 65535 - len(self._protocols), self.agent.mux)
        self._protocols.append(protocol)
        self._local_candidates.append(protocol.local_candidate)
        for candidate in self._remote_candidates:
            self._pair_remote_candidate(candidate)
        self.sort_check_list()
        self._pace_on()

    def protocol_at(self, local: Address) -> VirtualProtocol | None:
        """The protocol that stands for one of our addresses."""
        for protocol in self._protocols:
            if isinstance(protocol, VirtualProtocol) and protocol.local == local:
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
            assert isinstance(selected.protocol, VirtualProtocol)
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


def parse(datagram: bytes) -> stun.Message | None:
    """The message in a datagram; None when there is none."""
    try:
        return stun.parse_message(datagram)
    except (ValueError, struct.error):
        return None


def is_success(message: stun.Message, password: str) -> bool:
    """Whether it is a success response, and authentic."""
    authentic = message.check_message_integrity(password.encode())
    return authentic and message.message_class == stun.Class.RESPONSE


def is_usable(candidate: IceCandidate) -> bool:
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
