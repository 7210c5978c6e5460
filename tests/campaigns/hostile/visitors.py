"""WebSocket and TCP connections that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from websockets import ConnectionClosed, InvalidHandshake
from websockets.asyncio.client import ClientConnection, connect

from tests.signaling.scene import VALID

from .field import Field, attackers

PATIENCE = 20.0
"""Seconds until an answer counts as none."""
OPENED = "WebSockets"
"""What was done, in a result: those that say nothing."""
_NESTED = '{"type":' + "[" * 30_000
_FRAMES: tuple[str | bytes, ...] = (
    "",
    "null",
    "[]",
    "{",
    '{"type":null}',
    '{"type":"join_room","room":"../..","name":""}',
    '{"type":"join_room","room":"a","name":"\\u0000"}',
    '{"type":"join_room","id":' + '"x"' * 100 + "}",
    '{"type":"' + "x" * 60_000 + '"}',
    _NESTED,
    json.dumps(
        {
            "type": "publish_audio",
            "publisher_id": "x",
            "answer": {"type": "answer", "sdp": "a=x\r\n" * 9000},
        }
    ),
    json.dumps({"type": "set_muted", "muted": "yes"}),
    "x" * 70_000,
    b"\x00\xff",
)
GONE = (OSError, ConnectionClosed, InvalidHandshake, TimeoutError)


@contextlib.asynccontextmanager
async def socket_from(field: Field, host: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket from an address of an attacker's."""
    url = field.url.replace("http", "ws", 1).rstrip("/") + "/ws"
    async with connect(
        url, local_addr=(host, 0), open_timeout=PATIENCE, close_timeout=0.2, max_queue=None
    ) as websocket:
        yield websocket


async def swarm(field: Field, many: int, one: Callable[[str], Awaitable[None]]) -> None:
    """So many visitors at once, each from an address of its own, coming back until the time is over."""
    until = time.monotonic() + field.seconds
    hosts = attackers()

    async def keep_coming() -> None:
        while time.monotonic() < until:
            try:
                async with asyncio.timeout(until - time.monotonic() + 1):
                    await one(next(hosts))
            except GONE:
                field.count("refused")
            await asyncio.sleep(0.01)

    await asyncio.gather(*(keep_coming() for _ in range(many)))


async def messages_out_of_order(field: Field) -> None:
    """Every message in every state, and frames that are none."""
    dice = field.dice

    async def one(host: str) -> None:
        async with socket_from(field, host) as websocket:
            for _ in range(60):
                type = dice.choice(tuple(VALID))
                message = {"type": type, "id": secrets.token_hex(2)} | VALID[type]
                frame: str | bytes = json.dumps(message)
                if dice.random() < 0.3:
                    frame = dice.choice(_FRAMES)
                elif dice.random() < 0.2:
                    cut = dice.randrange(len(frame))
                    frame = str(frame)[:cut] + str(frame)[cut + 1 :]
                await websocket.send(frame)
                field.count("messages")
                await asyncio.sleep(0.002)

    await swarm(field, 8, one)


async def message_floods(field: Field) -> None:
    """Messages as fast as they go, from many sockets, half of whom never read an answer."""
    dice = field.dice

    async def one(host: str) -> None:
        async with socket_from(field, host) as websocket:
            await websocket.send(
                json.dumps({"type": "join_room", "room": f"flood{host[-1]}", "name": "x"})
            )
            if dice.random() < 0.5:
                websocket.transport.pause_reading()
            kinds = ("get_stats", "set_muted", "create_publisher", "close_publisher", "leave_room")
            for _ in range(2000):
                type = dice.choice(kinds)
                fields = {"muted": True, "publisher_id": "x"}
                await websocket.send(json.dumps({"type": type, **fields}))
                field.count("messages")

    await swarm(field, 8, one)


SILENT = 4000
"""Of each kind: a server takes 10,000 sockets in all, and others need some."""


async def sockets(field: Field) -> None:
    """WebSockets that say nothing, TCP connections that ask for nothing, requests that never end."""
    openings = (
        b"",
        b"G",
        b"GET /ws HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 9000,
    )
    open_ones: list[asyncio.StreamWriter] = []
    hosts = attackers()
    until = time.monotonic() + field.seconds

    async def tcp() -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(
                field.host, field.port, local_addr=(next(hosts), 0)
            )
            writer.write(field.dice.choice(openings))
            open_ones.append(writer)
            field.count("TCP connections")

    async def websocket() -> None:
        with contextlib.suppress(*GONE):
            async with socket_from(field, next(hosts)):
                field.count(OPENED)
                await asyncio.sleep(max(0.0, until - time.monotonic()))

    silent: set[asyncio.Task[None]] = set()
    while time.monotonic() < until:
        if len(open_ones) < min(field.many, SILENT):
            await tcp()
        if len(silent) < min(field.many, SILENT):
            silent.add(asyncio.create_task(websocket()))
        await asyncio.sleep(0.001)
    await asyncio.gather(*silent)
    for writer in open_ones:
        writer.transport.abort()
