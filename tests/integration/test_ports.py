"""A port that somebody had, and somebody else has: an address translator gives it away again. On real
sockets, with each media plane."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from benchmarks.load.peer import Identity, Peer
from relay import ConnectionState, Consumer, Publisher, Relay

from .light_peer import LightPeer
from .waiting import eventually


class Client(Peer):
    """Speaks DTLS as soon as a check of its own was answered. media: packets of sound that came."""

    identity = Identity()

    def __init__(self, connection: Publisher | Consumer, port: int = 0) -> None:
        source = connection.source if isinstance(connection, Consumer) else None
        super().__init__(self.identity, source)
        self.connection = connection
        self.media = 0
        self._move(port)
        self.start(connection.local)
        connection.connect(self.local)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def move(self) -> None:
        """Go on from another port, where the next check will come from."""
        self._leave_port()
        self._move(0)

    def _move(self, port: int) -> None:
        self.socket.close()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", port))
        asyncio.get_running_loop().add_reader(self.socket, self._readable)

    def _readable(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._take(self.socket.recv(2048))

    def _take(self, datagram: bytes) -> None:
        if datagram[0] < 64:
            self.receive(datagram)
        elif not 192 <= datagram[1] <= 223:
            self.media += 1

    def vanish(self) -> None:
        """Be gone, without a word."""
        self._leave_port()
        self.close()

    def _leave_port(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Do what is due until something holds."""

        def look() -> bool:
            self.tick(asyncio.get_running_loop().time())
            return condition()

        await eventually(look)

    async def connect(self) -> None:
        """Wait until both ends are connected."""
        await self.until(lambda: self.keys is not None)
        await eventually(lambda: self.connection.state is ConnectionState.CONNECTED)


class Mute(Client):
    """Passes ICE, and begins no handshake."""

    def _start_dtls(self) -> None:
        pass


@pytest.fixture
async def speaker(relay: Relay) -> AsyncIterator[LightPeer]:
    """Somebody who publishes."""
    async with LightPeer(relay.create_publisher()) as peer:
        yield peer


async def test_a_handshake_by_the_port_of_one_that_was_never_begun(relay: Relay) -> None:
    gone = Mute(relay.create_publisher())
    await eventually(lambda: gone.connection.setup.ice is not None)
    port = gone.port
    gone.vanish()
    newcomer = Client(relay.create_publisher(), port)
    await newcomer.connect()
    newcomer.vanish()


async def test_media_goes_to_nobody_else(relay: Relay, speaker: LightPeer) -> None:
    """Who listened is gone, and somebody else has the port: not a packet more goes there. Who listened
    comes back by another one, and hears again."""
    publisher = speaker.connection
    assert isinstance(publisher, Publisher)
    listener, other = relay.create_consumer(publisher), relay.create_publisher()
    client = Client(listener)
    await client.connect()
    await speaker.send(1, 960, 7)
    await eventually(lambda: client.media == 1)

    port = client.port
    client.move()  # and is not heard of: nobody answers it until it is awaited
    newcomer = Client(other, port)
    await newcomer.connect()
    for sequence in range(2, 12):
        await speaker.send(sequence, 960 * sequence, 7)
    await eventually(lambda: publisher.stats().packets_received == 11)
    assert listener.state is ConnectionState.CONNECTED
    assert listener.is_doubtful
    assert listener.stats().packets_sent == 1

    await client.until(lambda: not listener.is_doubtful)
    await speaker.send(12, 960 * 12, 7)
    await eventually(lambda: client.media == 2)
    assert listener.stats().packets_sent == 2
    assert newcomer.media == 0
    client.vanish()
    newcomer.vanish()
