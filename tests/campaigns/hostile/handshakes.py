"""Connections that are begun and never finished."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection

from benchmarks.load.peer import RETRY_INTERVAL, Identity, Peer
from relay.certificate import Certificate
from tests.campaigns.people import read_offer, write_answer
from tests.relay.openssl import OpenSslPeer
from tests.signaling.lab import answer, candidate

from .field import Field, attackers
from .visitors import GONE, PATIENCE, socket_from

BEGUN = "handshakes begun"
"""What reports call them."""

_NOWHERE = "candidate:1 1 udp 1 127.2.2.2 9 typ host"
_RECORD = bytes.fromhex("16fefd0000000000000000")
_DATAGRAMS = 20


Begin = Callable[[ClientConnection, str, str], Awaitable[Callable[[], None]]]
"""Takes a publisher's id and its offer; what ends it comes back."""


async def without_ice(field: Field) -> None:
    """Participants whose publishers are answered, and never check, shake hands or send."""

    async def begin(
        websocket: ClientConnection, publisher_id: str, offer: str
    ) -> Callable[[], None]:
        await _tell(websocket, "publish_audio", publisher_id, answer=answer())
        for _ in range(3):
            init = candidate(_NOWHERE)
            await _tell(websocket, "publisher_ice_candidate", publisher_id, candidate=init)
        return lambda: None

    await _many(field, begin)


async def without_dtls(field: Field) -> None:
    """Connections whose ICE is done, and whose handshake is nonsense, and then silence."""

    def nonsense() -> list[bytes]:
        bodies = [field.dice.randbytes(field.dice.randrange(200)) for _ in range(_DATAGRAMS)]
        return [_RECORD + len(body).to_bytes(2, "big") + body for body in bodies]

    await _with_dtls(field, nonsense)


async def without_end(field: Field) -> None:
    """Connections whose ICE is done, and whose handshake is begun as it should, and then silence: the
    server has signed, waits, and repeats itself."""
    hello = OpenSslPeer(Certificate.generate(), client=True).datagrams()
    await _with_dtls(field, lambda: hello)


async def _with_dtls(field: Field, datagrams: Callable[[], list[bytes]]) -> None:
    identity = Identity()

    async def begin(
        websocket: ClientConnection, publisher_id: str, offer: str
    ) -> Callable[[], None]:
        remote, _ = read_offer(offer)
        peer = _Silent(identity)
        try:
            peer.start(remote)
            description = {"type": "answer", "sdp": write_answer(peer.local)}
            await _tell(websocket, "publish_audio", publisher_id, answer=description)
            await peer.until_validated()
            for datagram in datagrams():
                with contextlib.suppress(OSError):
                    peer.socket.sendto(datagram, peer.address)
                field.count("datagrams")
        except BaseException:
            peer.close()
            raise
        return peer.close

    await _many(field, begin)


class _Silent(Peer):
    """Answers checks, and begins no handshake."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity, None)
        self._validated = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.socket, self._readable)

    async def until_validated(self) -> None:
        """Check until the server answers. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while not self._validated.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._validated.wait(), RETRY_INTERVAL)
                self.tick(loop.time())

    def close(self) -> None:
        """Be gone."""
        asyncio.get_running_loop().remove_reader(self.socket)
        super().close()

    def _start_dtls(self) -> None:
        self._validated.set()

    def _readable(self) -> None:
        with contextlib.suppress(OSError):
            datagram = self.socket.recv(2048)
            if datagram[0] < 4:
                self.receive(datagram)


async def _many(field: Field, begin: Begin) -> None:
    """As many handshakes as the field wants, spread over half of the time, and held until its end."""
    until = time.monotonic() + field.seconds
    hosts = attackers()
    room = f"half-{field.dice.randrange(1 << 30):x}"  # who left the others may still be waited for

    async def one(number: int) -> None:
        with contextlib.suppress(*GONE):
            async with socket_from(field, next(hosts)) as websocket:
                await _ask(websocket, type="join_room", room=f"{room}-{number // 50}", name="x")
                created = await _ask(websocket, type="create_publisher")
                end = await begin(websocket, created["publisher_id"], created["offer"]["sdp"])
                field.count(BEGUN)
                await asyncio.sleep(max(0.0, until - time.monotonic()))
                end()
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
