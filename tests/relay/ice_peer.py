"""A network without sockets, and an ICE peer on it whose every message a test decides about."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from aioice import stun

from relay.address import Address, Path
from relay.ice import IceMux
from relay.ice_agent import IceAgent, IceObserver
from relay.parameters import IceCandidate, IceParameters
from relay.responder import Responder
from relay.stats import DropReason
from relay.timers import TimerGrid

LOCAL = Address("192.0.2.1", 40_000)
LOCAL_6 = Address("2001:db8::1", 40_000)
REMOTE = Address("198.51.100.7", 5_000)
REMOTE_6 = Address("2001:db8:7::7", 5_000)
PATH = Path(LOCAL, REMOTE)

PEER_PARAMETERS = IceParameters("peer", "p" * 22)


class Network:
    """Where a mux sends. Datagrams arrive one turn of the event loop later, or nowhere. settled: who would
    answer checks by a path, if there were a media plane."""

    def __init__(self) -> None:
        self.drops: Counter[DropReason] = Counter()
        self.sent: list[tuple[Path, bytes]] = []
        self.peers: dict[Address, Peer] = {}
        self.settled: dict[Path, Responder] = {}
        self.mux = IceMux(self._send, self._drop, TimerGrid(), self._settle)

    def _drop(self, reason: DropReason) -> None:
        self.drops[reason] += 1

    def receive(self, path: Path, datagram: bytes) -> None:
        """Give the mux a datagram that comes just now."""
        self.mux.receive(path, datagram, asyncio.get_running_loop().time())

    def _settle(self, path: Path, responder: Responder | None) -> None:
        if responder is None:
            self.settled.pop(path, None)
        else:
            self.settled[path] = responder

    def _send(self, path: Path, datagram: bytes) -> None:
        self.sent.append((path, datagram))
        peer = self.peers.get(path.remote)
        if peer is not None:
            asyncio.get_running_loop().call_soon(peer.receive, path, datagram)


@dataclass
class Observed:
    """What an agent told, in order. elsewhere: paths that another connection has."""

    validated: list[Path] = field(default_factory=list)
    forgotten: list[Path] = field(default_factory=list)
    doubts: int = 0
    selected: list[Path] = field(default_factory=list)
    failures: int = 0
    elsewhere: set[Path] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def observer(self) -> IceObserver:
        """What to give to the agent."""

        def tell_validated(path: Path) -> bool:
            self.validated.append(path)
            self.changed.set()
            return path not in self.elsewhere

        def tell_selected(path: Path) -> None:
            self.selected.append(path)
            self.changed.set()

        def tell_failed(why: str) -> None:
            assert why
            self.failures += 1
            self.changed.set()

        def tell_doubtful() -> None:
            self.doubts += 1
            self.changed.set()

        return IceObserver(
            tell_validated, tell_selected, tell_failed, self.forgotten.append, tell_doubtful
        )

    async def until_selected(self, path: Path | None = None) -> None:
        """Wait until a path, or this one, is the latest selected."""
        async with asyncio.timeout(20):
            while not self.selected or path not in (None, self.selected[-1]):
                self.changed.clear()
                await self.changed.wait()

    async def until_failed(self) -> None:
        """Wait until the agent gives up."""
        async with asyncio.timeout(20):
            while not self.failures:
                self.changed.clear()
                await self.changed.wait()


class AnyNetwork(Protocol):
    """Where peers are."""

    @property
    def mux(self) -> IceMux:
        """Where the peers' datagrams go."""

    @property
    def peers(self) -> dict[Address, Any]:
        """By address."""


class Peer:
    """The other end, the controlled one. credentials: its own in ICE. answering: whether it answers checks;
    stubborn: whether it answers each with a role conflict instead."""

    def __init__(self, network: AnyNetwork, agent: IceAgent, address: Address = REMOTE) -> None:
        self.agent = agent
        self.address = address
        self.credentials = PEER_PARAMETERS
        self.answering = True
        self.stubborn = False
        self.requests: list[stun.Message] = []
        self.responses: list[stun.Message] = []
        self._network = network
        network.peers[address] = self

    @property
    def username(self) -> str:
        """USERNAME of checks towards the agent (RFC 8445 §7.2.2)."""
        ours = self.agent.parameters.username_fragment
        return f"{ours}:{self.credentials.username_fragment}"

    def check(self, *, local: Address = LOCAL, **changes: Any) -> None:
        """Send a Binding request; changes: attributes by their name, `_` for `-`."""
        self.send(bytes(self.request(**changes)), local)

    def request(self, *, key: str | None = None, **changes: Any) -> stun.Message:
        """A Binding request, signed with the agent's password or `key`; None removes an attribute."""
        attributes: dict[str, object] = {
            "USERNAME": self.username,
            "PRIORITY": 1_853_824_767,
            "ICE-CONTROLLED": 1,
        }
        for name, value in changes.items():
            attributes[name.replace("_", "-")] = value
        message = stun.Message(
            stun.Method.BINDING,
            stun.Class.REQUEST,
            attributes={name: value for name, value in attributes.items() if value is not None},
        )
        message.add_message_integrity((key or self.agent.parameters.password).encode())
        return message

    def send(self, datagram: bytes, local: Address = LOCAL) -> None:
        """Put a datagram on the network."""
        now = asyncio.get_running_loop().time()
        self._network.mux.receive(Path(local, self.address), datagram, now)

    def receive(self, path: Path, datagram: bytes) -> None:
        """Take what the agent sent."""
        message = stun.parse_message(datagram)
        if message.message_class is not stun.Class.REQUEST:
            self.responses.append(message)
            return
        self.requests.append(message)
        if self.stubborn:
            self.send(bytes(self.refusal(message)), path.local)
        elif self.answering:
            self.send(bytes(self.answer(message)), path.local)

    def answer(self, request: stun.Message, key: str | None = None) -> stun.Message:
        """The Binding response to a check."""
        response = stun.Message(
            stun.Method.BINDING,
            stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
            attributes={"XOR-MAPPED-ADDRESS": tuple(LOCAL)},
        )
        response.add_message_integrity((key or self.credentials.password).encode())
        return response

    def refusal(self, request: stun.Message) -> stun.Message:
        """The Binding error response 487 (RFC 8445 §7.3.1.1), authentic."""
        response = stun.Message(
            stun.Method.BINDING,
            stun.Class.ERROR,
            transaction_id=request.transaction_id,
            attributes={"ERROR-CODE": (487, "Role Conflict")},
        )
        response.add_message_integrity(self.credentials.password.encode())
        return response


def candidate(at: Address = REMOTE, **changes: Any) -> IceCandidate:
    """A host candidate of the peer's."""
    values: dict[str, Any] = {
        "foundation": "1",
        "component": 1,
        "protocol": "udp",
        "priority": 2_130_706_431,
        "address": at.host,
        "port": at.port,
        "type": "host",
    }
    return IceCandidate(**{**values, **changes})
