"""A client of WebDriver BiDi (W3C WebDriver BiDi §3): commands, their results, and events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.browser.interface import BrowserError

COMMAND_TIMEOUT = 30.0
"""Seconds. A page that never loads is a failure, not a hang."""

Event = dict[str, Any]


class BidiSession:
    """One WebSocket to the browser, with one session."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[str, list[Callable[[Event], None]]] = {}
        self._receiver = asyncio.create_task(self._receive())

    @classmethod
    async def open(cls, url: str) -> BidiSession:
        """url: what the browser prints as its address, without the path."""
        # Firefox answers no WebSocket pings while it is busy, and may send a screenshot of any size.
        socket = await connect(f"{url}/session", max_size=None, ping_interval=None)
        session = cls(socket)
        await session.command("session.new", capabilities={})
        return session

    async def command(self, method: str, **parameters: object) -> dict[str, Any]:
        """Returns the command's result. Raises BrowserError with the browser's own explanation."""
        self._last_id += 1
        number = self._last_id
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        message = {"id": number, "method": method, "params": parameters}
        try:
            await self._socket.send(json.dumps(message))
            return await asyncio.wait_for(reply, COMMAND_TIMEOUT)
        except (ConnectionClosed, TimeoutError) as error:
            raise BrowserError(f"{method}: {error!r}") from error
        finally:
            self._waiting.pop(number, None)

    async def subscribe(self, event: str, listener: Callable[[Event], None]) -> None:
        """Calls the listener with the parameters of every such event from now on."""
        if event not in self._listeners:
            self._listeners[event] = []
            await self.command("session.subscribe", events=[event])
        self._listeners[event].append(listener)

    async def close(self) -> None:
        await self._socket.close()
        await self._receiver

    async def _receive(self) -> None:
        try:
            async for text in self._socket:
                self._handle(json.loads(text))
        except ConnectionClosed:
            pass  # the browser was killed
        for reply in self._waiting.values():
            reply.set_exception(BrowserError("the browser is gone"))
        self._waiting.clear()

    def _handle(self, message: dict[str, Any]) -> None:
        if message["type"] == "event":
            for listener in self._listeners.get(message["method"], []):
                listener(message["params"])
            return
        reply = self._waiting.pop(message["id"], None)
        if reply is None or reply.done():
            return
        if message["type"] == "success":
            reply.set_result(message["result"])
        else:
            reply.set_exception(BrowserError(f"{message['error']}: {message['message']}"))
