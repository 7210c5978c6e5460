"""What waits to be written to one socket: bounded, so that a slow reader stalls nobody and costs little.

`send` never waits: room logic calls it for everyone in a room. `run` writes, one message after the other. A
reader that is too slow to keep the queue short, or to take one message in time, is given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from signaling.messages import ServerMessage, encode

MAX_BYTES = 2**20
"""Of messages that wait: the news of a room of a hundred is a hundredth of that."""

MAX_MESSAGES = 2**12
"""That wait, since each costs memory beyond its bytes."""

SEND_TIMEOUT = 20.0
"""Seconds until one message must be taken. Keep-alive cannot tell: a ping waits for the same buffer."""

CLOSE_PATIENCE = 5.0
"""Seconds for what is queued when the socket is to be closed: who takes a little now and then shall neither
hold up the end of the server nor keep a socket that is refused."""

TRY_AGAIN_LATER = 1013
"""Close code (RFC 6455's registry)."""


@dataclass(frozen=True, slots=True)
class Closing:
    """How to close the socket. code: of RFC 6455 §7.4; reason: up to 123 bytes of UTF-8."""

    code: int
    reason: str


class Outbox:
    """The outgoing messages of one socket. write: sends one text frame, and waits while the other end does
    not read."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closing: Closing | None = None
        self.closed: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()
        """Done when the socket is to be closed: everything is written, or nothing more can be."""

    def send(self, message: ServerMessage) -> None:
        """Queue a message; does nothing once closing."""
        if self._closing is not None:
            return
        payload = encode(message)
        self._queue.append(payload)
        self._bytes += len(payload)
        if self._bytes > MAX_BYTES or len(self._queue) > MAX_MESSAGES:
            self._give_up("messages are read too slowly")
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Write what is queued, for some seconds at most, and no more; then `closed` is done."""
        if self._closing is None:
            self._closing = Closing(code, reason)
            self._wake.set()
            patience = asyncio.get_running_loop().call_later(CLOSE_PATIENCE, self._end)
            self.closed.add_done_callback(lambda _: patience.cancel())

    async def run(self) -> None:
        """Write messages until the outbox is closed. Raises what `write` raises."""
        while not self.closed.done():
            await self._wake.wait()
            self._wake.clear()
            await self._write_queued()
            if self._closing is not None:
                self._end()

    async def _write_queued(self) -> None:
        while self._queue:
            payload = self._queue.popleft()
            self._bytes -= len(payload)
            try:
                async with asyncio.timeout(SEND_TIMEOUT):
                    await self._write(payload)
            except TimeoutError:
                self._give_up("messages are not read")

    def _give_up(self, reason: str) -> None:
        self._closing = Closing(TRY_AGAIN_LATER, reason)
        self._end()

    def _end(self) -> None:
        self._queue.clear()
        self._bytes = 0
        if self._closing is not None and not self.closed.done():
            self.closed.set_result(self._closing)
