"""Transports whose peers move, take each other's addresses, vanish, leave and restart ICE, at random."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import pytest
from aioice import stun

from relay.address import Address, Path
from relay.events import ConnectionState
from relay.parameters import DtlsRole, IceParameters
from relay.transport import Transport

from .fake_plane import DtlsPeer, FakeNetwork, Recorder
from .ice_peer import LOCAL
from .waiting import until

PLACES = [Path(LOCAL, Address("203.0.113.66", 6_000 + number)) for number in range(4)]
"""One more than there are clients."""

CLIENTS, WORLDS, STEPS = 3, 10, 60


class Client(DtlsPeer):
    """A peer that takes only checks under its own name, and sends only from where it is."""

    def receive(self, path: Path, datagram: bytes) -> None:
        """Take what the relay sent, if it is for this one."""
        if datagram[0] <= 3:
            message = stun.parse_message(datagram)
            name = message.attributes.get("USERNAME", self.credentials.username_fragment)
            if name.split(":")[0] != self.credentials.username_fragment:
                return
        super().receive(path, datagram)

    def send(self, datagram: bytes, local: Address = LOCAL) -> None:
        """Put a datagram on the network."""
        if self._network.peers.get(self.address) is self:
            super().send(datagram, local)


@dataclass
class Pair:
    """A transport, its observer, and who is at the other end."""

    transport: Transport
    recorder: Recorder
    client: Client


class World:
    """A router, and pairs around it."""

    def __init__(self, seed: int) -> None:
        self.network = FakeNetwork()
        self.network.router.timers.step = 0.002
        self.random = random.Random(seed)
        self._names = 0
        self.pairs = [self._new_pair() for _ in range(CLIENTS)]

    def _name(self) -> IceParameters:
        self._names += 1
        return IceParameters(f"peer{self._names}", f"{self._names:022d}")

    def _new_pair(self) -> Pair:
        recorder = Recorder()
        transport = Transport(self.network.router, (LOCAL,), 0x1234, recorder.observer())
        client = Client(self.network, transport, self.random.choice(PLACES).remote)
        client.credentials = self._name()
        if self.random.random() < 0.5:
            client.check()
        transport.connect(client.parameters(self.random.choice([DtlsRole.CLIENT, DtlsRole.SERVER])))
        return Pair(transport, recorder, client)

    def _leave(self, pair: Pair) -> None:
        if self.network.peers.get(pair.client.address) is pair.client:
            del self.network.peers[pair.client.address]

    def renew(self, number: int) -> None:
        """One leaves, and another one comes."""
        self._leave(self.pairs[number])
        self.pairs[number].transport.close()
        self.pairs[number] = self._new_pair()

    def move(self, pair: Pair, place: Path) -> None:
        """Let a client be somewhere else; whoever was there is nowhere."""
        self._leave(pair)
        before = pair.client
        pair.client = Client(self.network, pair.transport, place.remote)
        pair.client.credentials, pair.client.agent = before.credentials, before.agent
        pair.client.dtls = before.dtls

    def restart(self, pair: Pair) -> None:
        """Begin an ICE restart, which the client may leave without an answer."""
        pair.transport.restart_ice()
        if self.random.random() < 0.8:
            assert pair.transport._restart is not None
            pair.client.credentials, pair.client.agent = self._name(), pair.transport._restart
            pair.transport.reconnect(pair.client.parameters())

    def step(self) -> None:
        """Something happens to one of them."""
        number, what = self.random.randrange(CLIENTS), self.random.random()
        pair = self.pairs[number]
        connected = pair.transport.state is ConnectionState.CONNECTED
        if what < 0.2:
            self.move(pair, self.random.choice(PLACES))
        elif what < 0.6:
            pair.client.check()
        elif what < 0.72 and pair.client.dtls is None:
            assert pair.transport._remote is not None
            pair.client.speak_dtls(client=pair.transport._remote.role is DtlsRole.CLIENT)
        elif what < 0.78:
            self.renew(number)
        elif what < 0.86 and connected:
            self.restart(pair)
        elif what < 0.94:
            pair.client.answering = self.random.random() < 0.7

    def settle(self) -> bool:
        """Let each client check at its own place, with a session that works; whether media goes there."""
        for number, place in enumerate(PLACES[:CLIENTS]):
            transport, client = self.pairs[number].transport, self.pairs[number].client
            if client.agent not in (transport._ice, transport._restart):
                self.renew(number)
            pair = self.pairs[number]
            if self.network.peers.get(place.remote) is not pair.client:
                self.move(pair, place)
            pair.client.answering = True
            pair.client.check()
        self.check()
        return all(
            pair.transport._selected == place
            for pair, place in zip(self.pairs, PLACES[:CLIENTS], strict=True)
        )

    def check(self) -> None:
        """All tables tell the same. Who failed is closed, as connections do."""
        for number, pair in enumerate(self.pairs):
            if pair.recorder.failures:
                self.renew(number)
        router, plane = self.network.router, self.network.plane
        transports = [pair.transport for pair in self.pairs]
        bound = {path: transport for transport in transports for path in transport.paths}
        assert router.bindings == bound
        assert router.ice.selected == {
            transport._selected: transport._ice
            for transport in transports
            if transport._selected is not None
        }
        assert all(bound[path]._ice is agent for path, agent in router.ice.selected.items())
        assert plane.settled.keys() | plane.known <= router.ice.selected.keys()


@pytest.mark.parametrize("seed", range(WORLDS))
async def test_every_path_is_one_transports_and_each_finds_its_own_in_the_end(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "consent.INTERVAL": 0.02,
        "consent.EXPIRY": 0.25,
        "ice_agent.PROBE_INTERVAL": 0.01,
        "ice_agent.CHECK_RATE": 1e6,
        "roaming.QUIET": 0.002,
        "transport.RESTART_TIMEOUT": 0.1,
    }.items():
        monkeypatch.setattr(f"relay.{name}", value)
    world = World(seed)
    for _ in range(STEPS):
        world.step()
        for _ in range(world.random.randrange(6)):
            await asyncio.sleep(0)
        await asyncio.sleep(world.random.choice([0, 0, 0, 0, 0.01]))
        world.check()
    await until(world.settle)
    router, plane = world.network.router, world.network.plane
    for pair in world.pairs:
        pair.transport.close()
    await asyncio.wait_for(router.ice.close(), 20)
    left = router.bindings, router.ice.selected, router.ice.transactions, router.ice.running
    assert not any((*left, plane.settled, plane.known))
