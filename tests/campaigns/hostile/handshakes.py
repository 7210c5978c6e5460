"""Connections that are begun and never finished."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

from websockets.asyncio.client import ClientConnection

from benchmarks.load.peer import Identity, Peer
from tests.campaigns.people import read_offer, write_answer
from tests.signaling.lab import answer, candidate

from .field import Field, attackers
from .visitors import GONE, PATIENCE, socket_from

_NOWHERE = "candidate:1 1 udp 1 127.2.2.2 9 typ host"
_RECORD = bytes.fromhex("16fefd0000000000000000")
_DATAGRAMS = 20


async def without_ice(field: Field) -> None:
    """Participants whose publishers are answered, and never check, shake hands or send."""

    async def begin(websocket: ClientConnection, publisher_id: str, offer: str) -> None:
        await _tell(websocket, "publish_audio", publisher_id, answer=answer())
        for _ in range(3):
            init = candidate(_NOWHERE)
            await _tell(websocket, "publisher_ice_candidate", publisher_id, candidate=init)

    await _many(field, begin)


async def without_dtls(field: Field) -> None:
    """Connections whose ICE is done, and whose handshake is nonsense, and then silence."""
    identity = Identity()

    async def begin(websocket: ClientConnection, publisher_id: str, offer: str) -> None:
        remote, _ = read_offer(offer)
        peer = _Silent(identity, None)
        try:
            peer.start(remote)
            description = {"type": "answer", "sdp": write_answer(peer.local)}
            await _tell(websocket, "publish_audio", publisher_id, answer=description)
            await asyncio.sleep(0.05)
            for _ in range(_DATAGRAMS):
                body = field.dice.randbytes(field.dice.randrange(200))
                with contextlib.suppress(OSError):
                    datagram = _RECORD + len(body).to_bytes(2, "big") + body
                    peer.socket.sendto(datagram, peer.address)
                field.count("datagrams")
        finally:
            peer.close()

    await _many(field, begin)


class _Silent(Peer):
    """Begins no handshake."""

    def _start_dtls(self) -> None:
        pass


async def _many(field: Field, begin: Any) -> None:
    """As many handshakes as the field wants, spread over half of the time, and held until its end."""
    until = time.monotonic() + field.seconds
    hosts = attackers()

    async def one(number: int) -> None:
        with contextlib.suppress(*GONE):
            async with socket_from(field, next(hosts)) as websocket:
                await _ask(websocket, type="join_room", room=f"half-{number // 50}", name="x")
                created = await _ask(websocket, type="create_publisher")
                await begin(websocket, created["publisher_id"], created["offer"]["sdp"])
                field.count("handshakes begun")
                await asyncio.sleep(max(0.0, until - time.monotonic()))
                websocket.transport.abort()
            return
        field.count("refused")

    running = []
    for number in range(field.many):
        running.append(asyncio.create_task(one(number)))
        await asyncio.sleep(field.seconds / field.many / 2)
    await asyncio.gather(*running)


async def _tell(websocket: ClientConnection, type: str, publisher_id: str, **fields: Any) -> None:
    await websocket.send(json.dumps({"type": type, "publisher_id": publisher_id, **fields}))


async def _ask(websocket: ClientConnection, **message: Any) -> Any:
    """Send a message, and wait for its answer; an error counts as a refusal."""
    await websocket.send(json.dumps({"id": "q", **message}))
    async with asyncio.timeout(PATIENCE):
        while True:
            reply = json.loads(await websocket.recv())
            if reply["type"] == "error":
                raise ConnectionRefusedError(reply["message"])
            if reply.get("id") == "q":
                return reply
