"""A TCP connection until it is a WebSocket, and what it may cost then. With `server.py` the home of
websockets.

    connection_made    counted by the gate, or refused: before TLS, before a byte is read
    (TLS)              whoever takes too long for it goes
    data_received      the request, neither for too long nor too large; then frames, a piece at a time, for
                       as long as not too many come

What a frame means is for `session.py`, which limits messages. But the library answers pings by itself, and
takes pongs and the parts of a message one by one, some 10 µs each: who sends nothing else says nothing that
a session could refuse. So each frame, and each read that brings none, costs a token: a few are the socket's
own, which is enough for who is in a room; for more, the address has some. Sockets are closed for what they
do, and others opened: only what belongs to the address bounds what it costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from asyncio.sslproto import SSLProtocol
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, cast

from websockets import Frame, Headers, Opcode, Request, Response, State
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import HeaderLineTooLong, RequestLineTooLong, TooManyHeaders
from websockets.frames import DATA_OPCODES

from signaling.gate import RETRY_AFTER, STATUS, Arrival, Gate
from signaling.ratelimit import TokenBucket
from signaling.refusals import Refusal
from signaling.session import CANDIDATE_COST, MAX_DEBT, MESSAGE_BURST, MESSAGE_RATE, REFUSED_RATE
from signaling.site import METHODS, SECURITY_HEADERS, Page, method_page, refusal_page

REQUEST_TIMEOUT = 30
"""Seconds until a request must have come whole. Where a fifth of all packets is lost, TCP needs more than
ten for one request in a few hundred, and a page is some forty of them. nginx gives 60."""

MAX_REQUEST_SIZE = 32 * 1024
"""Bytes of a request that has not come whole, as in nginx. A browser's has two KiB; the library would keep
a MiB."""

TLS_TIMEOUT = REQUEST_TIMEOUT
"""Seconds that TLS may take to be agreed on."""

TLS_BUFFER = 16 * 1024
"""Bytes that a TLS connection reads into, a record (RFC 8446 §5.1). asyncio would keep 256 KiB for each,
however little comes."""

PIECE = 512
"""Bytes that are taken apart at once: some 85 of the smallest frames, in 0.7 ms."""

READ_SIZE = 4 * PIECE
"""Bytes of a read; more of them at once count as several."""

OWN_READS = 30
OWN_READ_RATE = 10.0
"""Frames, and reads that bring none, that cost the address nothing: at once, and a second."""

FRAME_RATE = MESSAGE_RATE / CANDIDATE_COST
FRAME_BURST = (MESSAGE_BURST + MAX_DEBT) / CANDIDATE_COST
"""Frames a second, and at once. Never fewer than the messages that a session lets pass."""

PART_COST = 1 / CANDIDATE_COST
"""Frames that a ping, a pong or a part of a message counts as: so many of them as of messages."""

REFUSED_PART_COST = FRAME_RATE / REFUSED_RATE
"""The same for one that the address may not send."""

MAX_PARTS = 256
"""Of one message. Each is kept until the last one is there, in some 400 bytes beside its own."""

MAX_UNREAD = 256 * 1024
"""Bytes that may wait for who sends pings and does not read: nobody waits for pongs to be written."""

MAX_IGNORED = 64 * 1024
"""Bytes that are read of who goes on after the end: as much as may have been on its way."""

_HEAD_END = b"\r\n\r\n"
"""What a request ends by; the library knows no other end, and no body."""

_METHOD = re.compile(rb"([A-Z-]+) ")
_MAX_METHOD = 32
"""Bytes that are kept of a request, to know its method; no registered one has as many."""


class Socket(ServerConnection):
    """The library's own connection, behind the gate. tls: to be agreed on first, None for none. arrival:
    None for one that was refused. flooded: done when more frames came than may; nothing is read from then
    on. reads: of bytes that are no TLS.

    Who was sent the end of everything, be it an answer or a close frame, has to close the TCP connection.
    The library by itself would wait for that for up to 45 s, and read all that comes meanwhile.

    Nothing is read between a request and its answer. The library takes what follows a request for
    frames at once, and the end of the stream for their end; if they are wrong, as any byte too many is, it
    can send no answer any more, and logs a fault of its own.

    A request that the library cannot read never becomes one. It would answer some of these without our
    headers, all others, as those with a body, not at all, and wait for the request's time to be over.
    """

    def __init__(
        self, gate: Gate, tls: ssl.SSLContext | None, *arguments: Any, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._gate = gate
        self._tls = tls
        self._tcp: asyncio.Transport | None = None
        self.arrival: Arrival | None = None
        self.flooded: asyncio.Future[None] = self.loop.create_future()
        self._frames = TokenBucket(FRAME_RATE, FRAME_BURST, self.loop.time())
        self._own = TokenBucket(OWN_READ_RATE, OWN_READS, self.loop.time())
        self._events = 0
        self.reads = 0
        self._asked = 0
        self._begin = b""
        self._tail = b""
        self._held = b""
        self._parts = 0
        self._ignored = 0
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.arrival is not None:
            super().connection_made(transport)  # TLS is agreed on
            return
        tcp = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        arrived = self._gate.arrive(peer[0] if peer else "", self.loop.time())
        if isinstance(arrived, Refusal):
            # The library never hears of it: it would wait for a request, and read it.
            _refuse(tcp, None if self._tls else arrived)
            return
        self.arrival, self._tcp = arrived, tcp
        if self._tls is None:
            super().connection_made(transport)
            return
        secured = _Tls(self, self._tls, self.loop)
        tcp.set_protocol(secured)
        secured.connection_made(tcp)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._tls is None:
            self.tcp_lost()
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def tcp_lost(self) -> None:
        """The TCP connection is gone, whether it ever was more than that or not."""
        if self.arrival is not None:
            self._gate.leave(self.arrival)

    def cut_off_unless_open(self) -> None:
        """Wait no longer for who has asked for nothing yet."""
        if self.state is State.CONNECTING and self._tcp is not None:
            self._tcp.abort()

    def data_received(self, data: bytes) -> None:
        if self.protocol.eof_sent:
            self._ignore(len(data))
            return
        self.reads += 1
        events = self._events
        if self.request is not None:
            self._take_apart(data)
        else:
            self._read_request(data)
        if self._events == events:
            self.count_fruitless_read()

    def count_fruitless_read(self) -> None:
        """Something came, and it was no whole frame."""
        if not self._may_read():
            self._end_flood()

    def _may_read(self) -> bool:
        now = self.loop.time()
        if self._own.spend(now):
            return True
        arrival = self.arrival
        if arrival is None or arrival.group is None:
            return False
        return self._gate.visitor(arrival).may_read(now)

    def _end_flood(self) -> None:
        """Hear no more; a session says why."""
        self.cut_off_unless_open()
        if not self.flooded.done():
            self.flooded.set_result(None)

    def _read_request(self, data: bytes) -> None:
        self._begin = (self._begin + data[:_MAX_METHOD])[:_MAX_METHOD]
        found = (self._tail + data).find(_HEAD_END)
        if found < 0:
            self._asked += len(data)
            self._tail = (self._tail + data)[1 - len(_HEAD_END) :]
            super().data_received(data)
            if self._asked > MAX_REQUEST_SIZE and not self.protocol.eof_sent:
                self.transport.abort()
            return
        end = found + len(_HEAD_END) - len(self._tail)
        super().data_received(data[:end])
        if self.request is not None:
            self._held = data[end:]
            self.transport.pause_reading()
        else:
            self._ignore(len(data) - end)

    def read_on(self) -> None:
        """The request is answered."""
        held, self._held = self._held, b""
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._take_apart(held)

    def _take_apart(self, data: bytes) -> None:
        for begin in range(0, len(data), PIECE):
            if self.flooded.done():
                # What is left of it goes nowhere: the socket is being closed.
                self.transport.pause_reading()
                return
            if self.protocol.eof_sent:
                self._ignore(len(data) - begin)
                return
            if begin and begin % READ_SIZE == 0:
                self.count_fruitless_read()
            super().data_received(data[begin : begin + PIECE])

    def send_data(self) -> None:
        if self.request is None and self._begin and self._patience is None:
            self._refuse_request()
            return
        super().send_data()
        ended = self.protocol.eof_sent and self.state is State.CLOSING
        if ended and self._patience is None and self.close_timeout is not None:
            self._patience = self.loop.call_later(self.close_timeout, self.transport.abort)

    def _refuse_request(self) -> None:
        """Answer what the library could not read, if it is at that, and end."""
        if self.protocol.handshake_exc is None:
            return
        self.protocol.data_to_send()  # the library's own answer
        method = _METHOD.match(self._begin)
        name = method[1].decode() if method else ""
        match self.protocol.handshake_exc:
            case RequestLineTooLong():
                page = refusal_page(HTTPStatus.REQUEST_URI_TOO_LONG)
            case HeaderLineTooLong() | TooManyHeaders():
                page = refusal_page(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            case _ if name and name not in METHODS:
                page = method_page()
            case _:  # no HTTP, or one of METHODS with a body
                page = refusal_page(HTTPStatus.BAD_REQUEST)
        self.transport.write(response(page, name).serialize())
        if self.transport.can_write_eof():
            with contextlib.suppress(OSError):  # the other end is gone
                self.transport.write_eof()
        else:
            self.transport.close()
        self._patience = self.loop.call_later(self.close_timeout or 0, self.transport.abort)

    def _ignore(self, size: int) -> None:
        """Drop what came after the end."""
        self._ignored += max(size, PIECE)
        if self._ignored > MAX_IGNORED:
            self.transport.pause_reading()

    def process_event(self, event: Frame | Request | Response) -> None:
        super().process_event(event)
        self._events += 1
        if isinstance(event, Frame) and not (self._may_read() and self._may_come(event)):
            self._end_flood()

    def _may_come(self, frame: Frame) -> bool:
        now = self.loop.time()
        if frame.opcode in DATA_OPCODES:
            self._parts = 0 if frame.fin else self._parts + 1
            if frame.fin and frame.opcode is not Opcode.CONT:
                return self._frames.take(now)  # the session asks whether the address may send that
        allowed = self.arrival is not None and self._gate.visitor(self.arrival).may_send(now)
        return (
            self._frames.take(now, PART_COST if allowed else REFUSED_PART_COST)
            and self._parts <= MAX_PARTS
            and self.transport.get_write_buffer_size() <= MAX_UNREAD
        )


class _Tls(SSLProtocol):
    """TLS between a TCP connection that is counted and its socket."""

    max_size = TLS_BUFFER

    def __init__(
        self, socket: Socket, context: ssl.SSLContext, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(
            loop,
            socket,
            context,
            cast(Any, None),  # nobody waits for it
            server_side=True,
            ssl_handshake_timeout=TLS_TIMEOUT,
        )
        self._socket = socket

    def buffer_updated(self, nbytes: int) -> None:
        reads = self._socket.reads
        super().buffer_updated(nbytes)
        if self._socket.reads == reads:
            self._socket.count_fruitless_read()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._socket.tcp_lost()


def response(page: Page, method: str) -> Response:
    """A page as the library's response."""
    headers = Headers(page.headers)
    headers["Date"] = formatdate(usegmt=True)
    headers["Connection"] = "close"
    if page.status is not HTTPStatus.NOT_MODIFIED:
        headers["Content-Length"] = str(len(page.body))
    body = b"" if method == "HEAD" else page.body
    return secured(Response(page.status.value, page.status.phrase, headers, body))


def secured(answer: Response) -> Response:
    """The same response, with the security headers that it has not."""
    for name, value in SECURITY_HEADERS:
        if name not in answer.headers:
            answer.headers[name] = value
    return answer


def _refuse(transport: asyncio.Transport, refusal: Refusal | None) -> None:
    """Answer a request that nobody has read, and close. None: without an answer, which TLS would have to
    carry."""
    transport.set_protocol(asyncio.Protocol())
    if refusal is not None:
        page = refusal_page(STATUS[refusal], RETRY_AFTER)
        transport.write(response(page, "GET").serialize())
    transport.close()
