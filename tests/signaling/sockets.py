"""Real clients over real sockets, for a server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from relay import Relay, RelayConfig
from signaling.gate import Gate
from signaling.refusals import Refusals
from signaling.rooms import Rooms
from signaling.server import SignalingServer
from signaling.site import Site

Message = dict[str, Any]

PATIENCE = 20.0
"""Seconds until a message that has to come counts as missing."""


@dataclass(frozen=True, slots=True)
class Service:
    """A server with a relay of its own."""

    relay: Relay
    rooms: Rooms
    server: SignalingServer

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/ws"

    def is_empty(self) -> bool:
        stats = self.relay.stats()
        return len(self.rooms) == stats.publishers == stats.consumers == 0


@contextlib.asynccontextmanager
async def running(
    resume_grace: float = 0,
    gate: Gate | None = None,
    join_timeout: float = 0,
    refusals: Refusals | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Service]:
    """A server on loopback with free ports, which is empty in the end."""
    relay = Relay(RelayConfig(media_hosts=("127.0.0.1",), media_port=0))
    await relay.start()
    rooms = Rooms(relay, max_rooms=10, max_participants=10, resume_grace=resume_grace)
    site = Site(lambda: {"status": "ok"})
    server = SignalingServer(
        rooms,
        site,
        "127.0.0.1",
        0,
        tls,
        gate=gate,
        refusals=refusals,
        join_timeout=join_timeout,
    )
    await server.start()
    service = Service(relay, rooms, server)
    try:
        yield service
    finally:
        server.drain()
        await relay.close()
        await server.close()
        assert service.is_empty()


class Client:
    """One socket. What is not waited for stays in the inbox."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.inbox: list[Message] = []
        self.id = ""
        self.resume_token: str | None = None
        self._count = 0

    async def tell(self, type: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": type} | fields))

    async def ask(self, type: str, **fields: Any) -> Message:
        """Send a message with an id, and wait for its answer."""
        self._count += 1
        id = f"q{self._count}"
        await self.tell(type, id=id, **fields)
        reply = await self.wait_for(id=id)
        del reply["id"]
        return reply

    async def wait_for(self, **fields: Any) -> Message:
        """The next message that has these fields."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for message in self.inbox:
                    if fields.items() <= message.items():
                        self.inbox.remove(message)
                        return message
                self.inbox.append(json.loads(await self.socket.recv()))

    async def join(self, room: str = "room", name: str = "Ada") -> Message:
        reply = await self.ask("join_room", room=room, name=name)
        assert reply["type"] == "room_joined", reply
        self.id, self.resume_token = reply["participant_id"], reply["resume_token"]
        return reply

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait until the server has closed the socket: the code and the reason."""
        async with asyncio.timeout(PATIENCE):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason


@contextlib.asynccontextmanager
async def client(service: Service, **options: Any) -> AsyncIterator[Client]:
    """A client of the server's."""
    async with connect(service.url, **options) as socket:
        yield Client(socket)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that no event tells of."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
