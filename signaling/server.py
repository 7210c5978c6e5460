"""The HTTP port: WebSockets at `/ws`, pages everywhere else. With `sockets.py` the home of websockets.

Each socket has a session (what its messages mean), an outbox (what waits to be written) and two tasks: one
reads frames into the session, one writes what the outbox holds. No socket ever waits for another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from http import HTTPStatus
from typing import Any, cast
from weakref import WeakSet

from websockets import ConnectionClosed, Request, Response
from websockets.asyncio.server import Server, ServerConnection, serve

from signaling.errors import StartError
from signaling.gate import RETRY_AFTER, STATUS, Gate
from signaling.limits import Addresses, AddressLimits
from signaling.messages import Reason
from signaling.monitoring import Api
from signaling.outbox import TRY_AGAIN_LATER, Closing, Outbox
from signaling.refusals import Refusal, Refusals
from signaling.rooms import Rooms
from signaling.session import Session
from signaling.site import METHODS, Page, Site, refusal_page
from signaling.sockets import REQUEST_TIMEOUT, Socket, response, secured

logger = logging.getLogger(__name__)

WEBSOCKET_PATH = "/ws"

MAX_FRAME_SIZE = 64 * 1024
"""Bytes of a message; a browser's largest, an answer, has about 3 KiB."""

PING_INTERVAL = 20.0
"""Seconds between pings: proxies drop what is silent for 60 s."""

PING_TIMEOUT = 25.0
"""Seconds until a pong must have come. With the 10 s that a lost socket's place is kept, whoever was in the
dark for 30 s finds it kept, whenever the last ping was."""

CLOSE_TIMEOUT = 3.0
"""Seconds that the other end has to answer a close frame."""

LEVELS_INTERVAL = 0.1
"""Seconds between two looks at who is heard, and at who did not come back."""

EXPIRY_INTERVAL = 1.0
"""Seconds between two looks at sockets that are in no room."""

GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
"""Close codes (RFC 6455 §7.4.1)."""

_LEFT_CODES = (1000, GOING_AWAY)
"""What a page closes its socket with that knows what it does, or that is being closed itself."""


class SignalingServer:
    """Serves rooms to WebSockets, and the site to browsers.

    host, port: where to listen; port 0 picks a free one. tls: for HTTPS, None for HTTP. api: answers what
    it handles in the site's place. gate: who may ask for anything. refusals: counts what is turned away.
    join_timeout: seconds that a WebSocket may be in no room; 0: for ever.
    """

    def __init__(
        self,
        rooms: Rooms,
        site: Site,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        api: Api | None = None,
        gate: Gate | None = None,
        refusals: Refusals | None = None,
        join_timeout: float = 0,
    ) -> None:
        self._rooms = rooms
        self._site = site
        self._api = api
        self._host = host
        self._port = port
        self._tls = tls
        self._refusals = refusals or Refusals()
        self._gate = gate or Gate(Addresses(AddressLimits(), self._refusals), self._refusals)
        self._join_timeout = join_timeout
        self._server: Server | None = None
        self._sessions: dict[Outbox, Session] = {}
        self._sockets: WeakSet[Socket] = WeakSet()
        self._told: set[str] = set()
        self._shutting_down = False
        self._levels: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on, once started."""
        return self._port

    async def start(self) -> None:
        """Listen. Raises StartError."""
        try:
            self._server = await serve(
                self._serve,
                self._host,
                self._port,
                process_request=self._process_request,
                process_response=_process_response,
                server_header=None,
                compression=None,
                max_size=MAX_FRAME_SIZE,
                ping_interval=PING_INTERVAL,
                ping_timeout=PING_TIMEOUT,
                open_timeout=REQUEST_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
                create_connection=cast(type[ServerConnection], self._create_connection),
            )
        except (OSError, ValueError) as error:
            where = f"cannot listen on {self._host} port {self._port}"
            raise StartError(where, _reason(error)) from error
        self._port = self._server.sockets[0].getsockname()[1]
        self._levels = asyncio.create_task(self._turn_clock())

    async def _turn_clock(self) -> None:
        loop = asyncio.get_running_loop()
        expired = loop.time()
        while True:
            await asyncio.sleep(LEVELS_INTERVAL)
            now = loop.time()
            due = [self._rooms.tell_levels, self._rooms.expire]
            if now - expired >= EXPIRY_INTERVAL:
                expired = now
                due += [session.expire for session in self._sessions.values()]
            for do in due:
                try:
                    do(now)
                except Exception:
                    logger.exception("what is due in the rooms could not be done")

    def drain(self) -> None:
        """Take no more sockets, and no more messages from those that are open."""
        self._shutting_down = True
        if self._levels is not None:
            self._levels.cancel()
        if self._server is not None:
            self._server.close(close_connections=False)

    async def close(self) -> None:
        """Drain, write what waits, and close every socket (1001)."""
        self.drain()
        if self._server is None:
            return
        for outbox in self._sessions:
            outbox.close(GOING_AWAY, "the server is shutting down")
        self._rooms.end_waiting(Reason.SHUTDOWN)
        # Browsers connect ahead of need, and scanners ask for nothing: neither is waited for.
        for socket in tuple(self._sockets):
            socket.cut_off_unless_open()
        await self._server.wait_closed()
        if self._levels is not None:
            await asyncio.gather(self._levels, return_exceptions=True)

    def _create_connection(self, *arguments: Any, **options: Any) -> ServerConnection:
        """A connection that is known here before it has asked for anything."""
        socket = Socket(self._gate, self._tls, *arguments, **options)
        self._sockets.add(socket)
        return socket

    async def _process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        try:
            return await self._answer(cast(Socket, connection), request)
        finally:
            # The library sends the answer before the event loop has its turn.
            connection.loop.call_soon(cast(Socket, connection).read_on)

    async def _answer(self, socket: Socket, request: Request) -> Response | None:
        refusal = self._identify(socket, request)
        if refusal is not None:
            return response(refusal, request.method)
        path = request.path.partition("?")[0]
        if path == WEBSOCKET_PATH and request.method in METHODS:
            if self._shutting_down:  # the library would say so without our headers
                return response(refusal_page(HTTPStatus.SERVICE_UNAVAILABLE), request.method)
            return self._admit_page(request)  # a WebSocket handshake, or 426 for what is none
        if self._api is not None and self._api.handles(path):
            authorization = ", ".join(request.headers.get_all("Authorization"))
            page = await self._api.respond(request.method, request.path, authorization or None)
        else:
            page = self._site.respond(
                request.method, request.path, ", ".join(request.headers.get_all("If-None-Match"))
            )
        return response(page, request.method)

    def _identify(self, socket: Socket, request: Request) -> Page | None:
        if socket.arrival is None:  # cannot be: who was refused has no request
            return refusal_page(STATUS[Refusal.SERVER_SOCKETS], RETRY_AFTER)
        forwarded = request.headers.get_all("X-Forwarded-For")
        refusal = self._gate.identify(socket.arrival, forwarded, socket.loop.time())
        if refusal is None:
            return None
        return refusal_page(STATUS[refusal], RETRY_AFTER)

    def _admit_page(self, request: Request) -> Response | None:
        origins, hosts = (request.headers.get_all(name) for name in ("Origin", "Host"))
        refusal = self._gate.admit_page(origins, hosts)
        if refusal is None:
            return None
        self._tell_once(
            "a page of another origin was refused a WebSocket; allow it by --allow-origin, or let the proxy"
            " pass Host on"
        )
        logger.debug("refused: origin %s, host %s", origins, hosts)
        return response(refusal_page(STATUS[refusal]), request.method)

    def _tell_once(self, sentence: str) -> None:
        """Log what would be logged by everybody who likes."""
        if sentence not in self._told:
            self._told.add(sentence)
            logger.warning(sentence)

    async def _serve(self, connection: ServerConnection) -> None:
        socket = cast(Socket, connection)
        outbox = Outbox(lambda payload: socket.send(payload, text=True))
        session = Session(
            self._rooms,
            outbox,
            socket.loop.time(),
            None if socket.arrival is None else self._gate.visitor(socket.arrival),
            self._refusals,
            self._join_timeout,
        )
        self._sessions[outbox] = session
        socket.flooded.add_done_callback(lambda _: session.give_up())
        reader = asyncio.create_task(self._read(socket, session, outbox))
        writer = asyncio.create_task(outbox.run())
        try:
            ends: set[asyncio.Future[Any]] = {reader, outbox.closed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._sessions[outbox]
            self._end(session, self._reason(socket, outbox))
            writer.cancel()
            if socket.flooded.done():
                reader.cancel()  # what came is no message to anybody any more
            if outbox.closed.done():
                closing = outbox.closed.result()
                if closing.code == TRY_AGAIN_LATER:
                    self._refusals.count(Refusal.SLOW_READER)
                    logger.info("a socket was given up: %s", closing.reason)
                await _close(socket, closing)
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _read(self, socket: ServerConnection, session: Session, outbox: Outbox) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionClosed):
            async for frame in socket:
                if self._shutting_down:
                    continue
                if isinstance(frame, str):
                    session.receive(frame, loop.time())
                else:
                    session.end(Reason.DISCONNECTED)
                    self._refusals.count(Refusal.NOT_TEXT)
                    outbox.close(UNSUPPORTED_DATA, "expected a text frame with a JSON object")
                # Frames that came together are handed out without a pause; media goes in between.
                await asyncio.sleep(0)

    def _end(self, session: Session, reason: Reason) -> None:
        if reason is Reason.DISCONNECTED:
            session.lose(asyncio.get_running_loop().time())
        else:
            session.end(reason)

    def _reason(self, socket: ServerConnection, outbox: Outbox) -> Reason:
        """Why the participant goes."""
        if self._shutting_down:
            return Reason.SHUTDOWN
        if not outbox.closed.done() and socket.close_code in _LEFT_CODES:
            return Reason.LEFT
        return Reason.DISCONNECTED


def _process_response(
    connection: ServerConnection, request: Request, answer: Response
) -> Response | None:
    """The library answers by itself what is no proper handshake."""
    return secured(answer)


def _reason(error: OSError | ValueError) -> str:
    """Why there is no listening, in the system's words where it has any."""
    if isinstance(error, ValueError):
        return "not a host name"  # IDNA has no form of it, or it holds a zero byte
    # asyncio puts a sentence of its own around the system's words; a name that cannot be resolved has a
    # number that is none of the system's.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


async def _close(socket: ServerConnection, closing: Closing) -> None:
    # The library waits for the close frame to be written before its own timeout runs, which a reader that
    # does not read puts off for ever.
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await socket.close(closing.code, closing.reason)
    except TimeoutError:
        socket.transport.abort()
