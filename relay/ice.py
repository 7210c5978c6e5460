"""ICE for every connection on the shared sockets (RFC 8445, RFC 8838, RFC 7675).

An `IceMux` hands the agents what arrives:

    a request       by the username fragment of ours in its USERNAME
    a response      by its transaction id
    anything else   is dropped: indications mean nothing here

`ice_agent.py` has one end of one session, `ice_checks.py` its connectivity checks, by aioice. Once a pair
is selected, what both ends say every few seconds goes by neither aioice nor its tasks: `consent.py` asks,
on the relay's grid of timers, and `responder.py` answers on the media plane, as long as the path is
settled: selected, not in doubt, and not being checked anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from . import binding
from .address import Address, Path
from .ice_agent import IceAgent, IceObserver, random_name
from .ice_checks import VirtualProtocol, parse
from .outreach import Outreach
from .responder import Responder
from .screening import screen
from .stats import DropReason
from .timers import TimerGrid

USERNAME_FRAGMENT_LENGTH = 8
"""Characters of 6 bits: 48 bits, where RFC 8445 §5.3 wants 24."""


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
        self.transactions: dict[bytes, VirtualProtocol] = {}
        self.selected: dict[Path, IceAgent] = {}
        self.outreach = Outreach()
        self.withheld = 0
        self._agents: dict[str, IceAgent] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def create_agent(self, local: Iterable[Address], observer: IceObserver) -> IceAgent:
        """An agent that may use these addresses of ours."""
        name = random_name(USERNAME_FRAGMENT_LENGTH)
        while name in self._agents:
            name = random_name(USERNAME_FRAGMENT_LENGTH)
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
        message = parse(datagram)
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
        message = parse(datagram)
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
