"""A TCP connection that can be cut: between browsers and the server's HTTP port."""

from __future__ import annotations

import asyncio
import contextlib

from tests.browser.server import HOST

_CHUNK = 64 * 1024


class Wire:
    """Forwards what comes to its own port to the server's, and back. closed: while true new connections are
    refused at once; silent: while true nothing that comes goes any further."""

    def __init__(self, port: int) -> None:
        """port: the server's."""
        self._to = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepted = 0
        self.closed = False
        self.silent = False
        self.url = ""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://{HOST}:{port}"

    async def accepted_count(self) -> int:
        """How many connections were made by it so far; awaitable, to be waited for."""
        return self._accepted

    def cut(self) -> None:
        """Both ends of every connection see it reset; nobody says goodbye."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.transport.abort()
            return
        self._accepted += 1
        far_reader, far_writer = await asyncio.open_connection(HOST, self._to)
        self._writers |= {writer, far_writer}
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pump(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                if not self.silent:
                    target.write(data)
                    await target.drain()
        target.close()
        with contextlib.suppress(ConnectionError):
            await target.wait_closed()
        self._writers.discard(target)
