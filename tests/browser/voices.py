"""Voices without a browser: they join by the signaling protocol, and say packets of known levels."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, connect

from relay import Publisher, TransportParameters
from signaling.messages import Answer
from signaling.negotiation import read_answer
from tests.integration.light_peer import LightPeer

_FRAME = 960
_SSRC = 0x5EED
INTERVAL = 0.02
"""Seconds between two packets of a voice."""


class Voice:
    """One who publishes and does not listen. track_id: what its voice is called in the others' statistics;
    sent: how many packets."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.sent = 0
        self.track_id = ""
        self._published = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._peer: LightPeer

    @classmethod
    async def join(cls, url: str, room: str, name: str) -> Voice:
        """Returns when the others can hear it. url: the server's."""
        voice = cls(await connect(f"{url.replace('http', 'ws')}/ws"))
        await voice._ask({"type": "join_room", "room": room, "name": name})
        await voice._next("room_joined")
        await voice._ask({"type": "create_publisher"})
        created = await voice._next("publisher_created")
        offer = created["offer"]["sdp"]
        # What an answer would say of the other end, but for the role.
        local = read_answer(Answer("answer", offer.replace("a=setup:actpass", "a=setup:passive")))
        remote = _Remote(local, voice._published, lambda answer: voice._answer(created, answer))
        voice._peer = LightPeer(cast(Publisher, remote))
        voice._tasks.append(asyncio.create_task(voice._read()))
        await voice._peer.connect()
        return voice

    async def say(self, level: int) -> None:
        """The next packet. level: 0 to 127 in -dBov."""
        self.sent += 1
        await self._peer.send(self.sent, _FRAME * self.sent, _SSRC, level=level)

    async def leave(self) -> None:
        """Idempotent."""
        await self._peer.leave()
        await self._socket.close()
        await asyncio.gather(*self._tasks)

    async def _ask(self, message: dict[str, Any]) -> None:
        await self._socket.send(json.dumps(message))

    async def _next(self, type: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(await self._socket.recv())
            if message["type"] == type:
                return message

    async def _read(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame)
            if message["type"] == "audio_published":
                self.track_id = message["track_id"]
                self._published.set()

    def _answer(self, created: dict[str, Any], answer: TransportParameters) -> None:
        (fingerprint,) = answer.fingerprints
        ours = {
            "ice-ufrag": answer.ice.username_fragment,
            "ice-pwd": answer.ice.password,
            "fingerprint": f"{fingerprint.algorithm} {fingerprint.value}",
            "setup": "active",
        }
        text = created["offer"]["sdp"].replace("a=recvonly", "a=sendonly")
        for name, value in ours.items():
            text = re.sub(rf"^a={name}:.*$", f"a={name}:{value}\r", text, flags=re.M)
        text = re.sub(r"^a=candidate:.*\n", "", text, flags=re.M)
        message = {
            "type": "publish_audio",
            "publisher_id": created["publisher_id"],
            "answer": {"type": "answer", "sdp": text},
        }
        self._tasks.append(asyncio.create_task(self._ask(message)))


class _Remote:
    """The relay's end, as far as a LightPeer knows it."""

    def __init__(
        self,
        local: TransportParameters,
        connected: asyncio.Event,
        answer: Callable[[TransportParameters], None],
    ) -> None:
        self.local = local
        self.connect = answer
        self._connected = connected

    def once(self, event: str, told: Callable[[], None]) -> None:
        """The only event that anybody waits for."""
        assert event == "connected"
        self._waiting = asyncio.create_task(self._wait(told))

    async def _wait(self, told: Callable[[], None]) -> None:
        await self._connected.wait()
        told()
