"""Two people with aiortc in a room of their own: one speaks, one listens. A program for a host of its own.

    python -m tests.campaigns.aiortc_caller http://HOST:PORT

Prints one JSON object a line: {"connected": seconds since the start} once sound arrives, then
{"received": packets, "lost": packets} each second, until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from websockets.asyncio.client import ClientConnection, connect

from tests.integration.media import Tone

ROOM = "aiortc"

Message = dict[str, Any]


class Caller:
    """One socket, and one connection at the most."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    async def ask(self, type: str, **fields: Any) -> None:
        """Send a message."""
        await self.socket.send(json.dumps({"type": type} | fields))

    async def wait_for(self, *types: str) -> Message:
        """The next message of one of these types."""
        while True:
            message: Message = json.loads(await self.socket.recv())
            if message["type"] == "error":
                raise RuntimeError(message["message"])
            if message["type"] in types:
                return message

    async def answer(self, offer: Message, track: Tone | None = None) -> Message:
        """What to answer to the relay's offer."""
        await self.pc.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
        if track is not None:
            self.pc.addTrack(track)
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return {"type": "answer", "sdp": self.pc.localDescription.sdp}

    async def publish(self) -> str:
        """Speak; the publisher's id, once it can be consumed."""
        await self.ask("join_room", room=ROOM, name="speaker")
        await self.ask("create_publisher")
        created = await self.wait_for("publisher_created")
        id: str = created["publisher_id"]
        answer = await self.answer(created["offer"], Tone(440.0))
        await self.ask("publish_audio", publisher_id=id, answer=answer)
        await self.wait_for("audio_published")
        return id

    async def consume(self, publisher_id: str) -> None:
        """Listen to somebody."""
        await self.ask("join_room", room=ROOM, name="listener")
        await self.ask("create_consumer", publisher_id=publisher_id)
        created = await self.wait_for("consumer_created")
        answer = await self.answer(created["offer"])
        await self.ask("consumer_answer", consumer_id=created["consumer_id"], answer=answer)
        await self.wait_for("consumer_connected")

    async def heard(self) -> dict[str, int]:
        """What came so far."""
        for entry in (await self.pc.getStats()).values():
            if entry.type == "inbound-rtp":
                return {"received": entry.packetsReceived, "lost": entry.packetsLost}
        return {"received": 0, "lost": 0}


async def call(origin: str) -> None:
    """Connect both, then report until cancelled."""
    started = time.monotonic()
    url = origin.replace("http", "ws", 1) + "/ws"
    async with connect(url, open_timeout=60) as ours, connect(url, open_timeout=60) as theirs:
        speaker, listener = Caller(ours), Caller(theirs)
        await listener.consume(await speaker.publish())
        while not (await listener.heard())["received"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        tell({"connected": time.monotonic() - started})
        while True:
            await asyncio.sleep(1)
            tell(await listener.heard())


def tell(report: dict[str, Any]) -> None:
    """Write a line."""
    print(json.dumps(report), flush=True)


async def main(origin: str) -> None:
    """Call until the input ends."""
    calling = asyncio.create_task(call(origin))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait((calling, ended), return_when=asyncio.FIRST_COMPLETED)
    if calling.done():
        calling.result()  # raises what went wrong
    calling.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
