"""Requests to the HTTP port: courses of bytes to the whole server, from a connection's first byte to its
answer, over transports without sockets.

Connections come to a relay that is open to everybody, and to one that wants an operator's token. Behind
both are the site, the live state of a room with two people, and a history. `$TOKEN` stands for a token,
`$ROOM` and `$PERSON` for ids of the history.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar, cast

from signaling.access import Access, Grants, Key
from signaling.gate import Gate
from signaling.limits import Addresses, AddressLimits
from signaling.monitoring.api import Api
from signaling.monitoring.archive import Archive
from signaling.monitoring.history import History, Question
from signaling.monitoring.history.store import connect_to_read
from signaling.monitoring.live import Live
from signaling.monitoring.metrics import Metrics
from signaling.monitoring.sampler import Sampler
from signaling.refusals import Refusals
from signaling.server import SignalingServer
from signaling.site import Page, Site
from tests.fuzz.clock import FlyingLoop
from tests.fuzz.course import Step, join, split
from tests.fuzz.target import Target, require
from tests.signaling.lab import Lab
from tests.signaling.monitoring.fixtures import now, relay_stats
from tests.signaling.monitoring.history.course import BEGIN, Feeder, talk

T = TypeVar("T")

_NOW = BEGIN + 3600
_ACCESS = Access(Key.read("correct horse battery staple, twice"))
_TOKEN = _ACCESS.issue(Grants("ada", "*", admin=True, expires=_NOW + 3600))
_PROXY = "198.51.100.7"

OPEN, GUARDED, SEND, END, WAIT, LOSE = range(6)
"""Operations. OPEN, GUARDED: a connection to the one server or the other; its first bytes. SEND: more of
them. END: the other end sends no more. WAIT: as many seconds as the argument has bytes. LOSE: the
connection is gone."""

_ALLOWED = {101, 200, 304, 308, 400, 401, 403, 404, 405, 414, 426, 429, 431, 503, 505}
_HEADER = re.compile(rb"[A-Za-z-]+: [\x20-\x7e]*")


class _Listening:
    """What `create_server` makes, with a socket that is never bound."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sockets: list[socket.socket]) -> None:
        self.sockets = sockets
        self._loop = loop
        self._serving = True

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def is_serving(self) -> bool:
        return self._serving

    def close(self) -> None:
        self._serving = False

    async def wait_closed(self) -> None:
        pass


class _Loop(FlyingLoop):
    """Keeps how connections are made, in place of listening."""

    def __init__(self) -> None:
        super().__init__()
        self._sockets = [socket.socket()]
        self.factories: list[Callable[[], asyncio.Protocol]] = []

    async def create_server(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        self.factories.append(protocol_factory)
        return _Listening(self, self._sockets)


class _Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": (_PROXY, 5000), "sockname": ("192.0.2.1", 8080)})
        self.written = b""
        self._loop = loop
        self._protocol: asyncio.BaseProtocol = protocol
        self._first = protocol
        self._closing = False
        protocol.connection_made(self)

    def receive(self, data: bytes) -> None:
        if data and not self._closing and isinstance(self._protocol, asyncio.Protocol):
            self._protocol.data_received(data)

    def end(self) -> None:
        if not self._closing and isinstance(self._protocol, asyncio.Protocol):
            self._protocol.eof_received()
            self.close()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.written += bytes(data)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


class _Api(Api):
    """Remembers what it answered."""

    answered: list[Page]

    async def respond(self, method: str, target: str, authorization: str | None) -> Page:
        page = await super().respond(method, target, authorization)
        self.answered.append(page)
        return page


class _Past:
    """A history that is read at once: a thread would be waited for on a clock that flies."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="rtp-relay-fuzz-")
        path = Path(self._folder.name) / "history.db"
        asyncio.run(_write(path))
        self._database = connect_to_read(path)
        self.room = self._id("sessions")
        self.person = self._id("participations")

    def _id(self, table: str) -> bytes:
        found: str = self._database.execute(f"SELECT key FROM {table}").fetchone()[0]
        return found.encode()

    async def ask(self, question: Callable[[Question], T]) -> T:
        return question(Question(self._database, float("inf")))


async def _write(path: Path) -> None:
    history = History(path, 30, 64, lambda: _NOW)
    history.start()
    await talk(Feeder(history))
    await history.close()


_LOOP = _Loop()
_SITE = Site(lambda: {"status": "ok"})
_PAST = _Past()
_KNOWN = {b"$TOKEN": _TOKEN.encode(), b"$ROOM": _PAST.room, b"$PERSON": _PAST.person}


class _World:
    def __init__(self) -> None:
        self.lab = Lab()
        publisher = self.lab.joined("Ada").publish()
        self.lab.joined("Bob").consume(publisher)
        self.servers = [_Server(self.lab, Access()), _Server(self.lab, _ACCESS)]
        self.transports: list[tuple[_Server, _Transport]] = []
        self.told = False

    async def start(self) -> None:
        _LOOP.factories.clear()
        for server in self.servers:
            await server.signaling.start()

    async def take(self, step: Step) -> None:
        """Do one step, and look at the rules."""
        operation, argument = step[0] % 6, step[1]
        self.told |= b"$TOKEN" in argument
        data = argument
        for name, value in _KNOWN.items():
            data = data.replace(name, value)
        match operation:
            case 0 | 1:
                transport = _Transport(_LOOP, _LOOP.factories[operation]())
                self.transports.append((self.servers[operation], transport))
                transport.receive(data)
            case 4:
                await asyncio.sleep(min(len(argument), 60))
            case _ if self.transports:
                transport = self.transports[-1][1]
                if operation == SEND:
                    transport.receive(data)
                elif operation == END:
                    transport.end()
                else:
                    transport.abort()
        for _ in range(5):
            await asyncio.sleep(0)
        self._check()

    def _check(self) -> None:
        for server in self.servers:
            for page in server.api.answered:
                require(page.status != HTTPStatus.INTERNAL_SERVER_ERROR, "no fault of our own")
        if not self.told:
            refusals = {401, 403, 405}
            answered = {page.status.value for page in self.servers[GUARDED].api.answered}
            require(answered <= refusals, "without a token nothing is told")
        require(self.lab.rooms.participant_count <= 2 + len(self.transports), "nobody else is in")

    async def close(self) -> None:
        """Every connection goes; nothing is left then."""
        for _, transport in self.transports:
            transport.abort()
        for server in self.servers:
            await server.close()
        for _, transport in self.transports:
            _check_answer(transport.written)
        require(self.lab.rooms.participant_count == 2, "who was connected is gone")
        self.lab.end_all()


class _Server:
    def __init__(self, lab: Lab, access: Access) -> None:
        refusals = Refusals()
        self.gate = Gate(
            Addresses(AddressLimits(), refusals), refusals, proxies=[ip_network(f"{_PROXY}/32")]
        )
        self.sampler = Sampler(lab.rooms, relay_stats, lambda samples, load: None)
        live = Live(
            lab.rooms,
            self.sampler,
            version="1.2.3",
            media_plane="python",
            clock=lambda: _NOW,
            session=lambda room: None,
            history=lambda: "on",
        )
        archive = Archive(cast(History, _PAST), lambda: _NOW)
        self.api = _Api(access, live, archive, Metrics(now), lambda: _NOW)
        self.api.answered = []
        self.signaling = SignalingServer(
            lab.rooms, _SITE, "192.0.2.1", 0, None, self.api, self.gate, refusals, join_timeout=60
        )

    async def close(self) -> None:
        await self.signaling.close()
        await self.sampler.close()
        require(self.gate.sockets == 0, "every connection is counted out")


def _check_answer(written: bytes) -> None:
    """That what was written begins with a response, and is one response if it is no WebSocket's."""
    if not written:
        return
    head, end, body = written.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    found = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]+", status)
    require(end and found, "an answer is one of HTTP")
    assert found is not None
    require(int(found[1]) in _ALLOWED, f"no request is answered by {found[1]!r}")
    require(all(_HEADER.fullmatch(line) for line in lines), "no request writes a header")
    if int(found[1]) == HTTPStatus.SWITCHING_PROTOCOLS:
        return
    headers = {name: value for name, _, value in (line.partition(b": ") for line in lines)}
    length = int(headers.get(b"Content-Length", b"0"))
    require(len(body) in (0, length), "a body is as long as it says")
    if body and headers[b"Content-Type"] == b"application/json":
        json.loads(body)
    require(b"Content-Security-Policy" in headers, "every answer has the policy")


def run(data: bytes) -> None:
    """A course to servers that were just started."""

    async def course() -> None:
        world = _World()
        await world.start()
        try:
            for step in split(data):
                await world.take(step)
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await world.close()

    _LOOP.play(course)


def _request(target: str, *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: relay.example", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def seeds() -> list[bytes]:
    """Every path with every parameter, a WebSocket's handshake, and requests that are none."""
    token = "Authorization: Bearer $TOKEN"
    upgrade = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        "Origin: https://relay.example",
        "X-Forwarded-For: 203.0.113.9, [2001:db8::1]:443",
    )
    history = "/api/v1/history"
    targets = (
        "/",
        "/?room=standup&name=Ada",
        "/js/main.js",
        "/dashboard",
        "/dashboard/",
        "/../../etc/passwd",
        "/healthz",
        "/metrics",
        "/api/v1/live",
        "/api/v1/live?room=room&consumers=worst",
        f"{history}/rooms?from=0&to=1e10&room=a&limit=5&format=csv",
        f"{history}/rooms/x",
        f"{history}/rooms?cursor=1795600100.0~1",
        f"{history}/rooms/$ROOM?format=csv",
        f"{history}/rooms/$ROOM/diagnosis",
        f"{history}/participations?name=ad%61&limit=10",
        f"{history}/participations/$PERSON?format=csv",
        f"{history}/participations/$PERSON/diagnosis",
        f"{history}/timeline?from=1795600000&to=1795603600&bucket=10",
        f"{history}/timeline?from=nan&to=inf&bucket=1e-300",
        "//[/%00?%ff&&;=",
    )
    # A text frame under the mask 0: `{"type":"join_room",...}`.
    text = b'{"type":"join_room","room":"room","name":"Eve"}'
    frame = bytes((0x81, 0x80 | len(text))) + bytes(4) + text
    courses: list[list[Step]] = []
    for target in targets:
        courses.append([(OPEN, _request(target)), (OPEN, _request(target, method="HEAD"))])
        courses.append([(GUARDED, _request(target, token)), (GUARDED, _request(target))])
    courses += [
        [(OPEN, _request("/ws", *upgrade)), (SEND, frame), (SEND, b"\x88\x80\0\0\0\0"), (END, b"")],
        [(GUARDED, _request("/ws", *upgrade)), (SEND, frame), (WAIT, bytes(60)), (LOSE, b"")],
        [(OPEN, _request("/ws", *upgrade[:3])), (OPEN, _request("/ws"))],
        [(OPEN, b"GET / HT"), (SEND, b"TP/1.1\r\nHost: x\r\n"), (WAIT, bytes(11)), (SEND, b"\r\n")],
        [(OPEN, _request("/", 'If-None-Match: W/"x", *')), (OPEN, b"\x16\x03\x01")],
        [(OPEN, _request("/", method="POST")), (OPEN, _request("/api/", method="DELETE"))],
        [(OPEN, _request("/", "Content-Length: 5", method="POST")), (SEND, b"hello"), (END, b"")],
        [(OPEN, _request("/", "Transfer-Encoding: chunked", method="PUT") + b"0\r\n\r\n")],
        [(OPEN, _request("/", "Content-Length: 5")), (OPEN, _request("/", "X: \xe9", " folded"))],
        [(GUARDED, _request("/metrics", "Authorization: Basic YTpi", token)), (END, b"")],
    ]
    return [join(steps) for steps in courses]


TARGET = Target(run, seeds, max_length=6000, course=True)
