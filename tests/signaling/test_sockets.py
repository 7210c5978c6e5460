"""TCP connections before they are WebSockets, and frames that are no messages: what they may cost. On a
real server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signaling import server, sockets
from signaling.gate import Gate
from signaling.limits import Addresses, AddressLimits, Visitor
from signaling.refusals import Refusal, Refusals
from signaling.sockets import FRAME_BURST, MAX_PARTS, OWN_READS, PART_COST
from tests.signaling.certificates import write_certificate
from tests.signaling.sockets import Service, client, running, until

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CONT, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
MUCH = 50_000_000
"""Bytes; more than the system takes from one end and keeps for the other."""

PARTS = int(FRAME_BURST / PART_COST)
"""Pings, pongs and fragments that may come at once."""


def _frame(opcode: int, data: bytes = b"", fin: bool = True) -> bytes:
    """A frame that is masked by zeros."""
    return bytes((fin << 7 | opcode, 0x80 | len(data), 0, 0, 0, 0)) + data


@contextlib.asynccontextmanager
async def _socket(
    service: Service, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A WebSocket of which the test writes every byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port, ssl=tls)
    writer.write(HANDSHAKE)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


class _Guarded:
    """A gate, and what was refused."""

    def __init__(self, limits: AddressLimits | None = None) -> None:
        self.refusals = Refusals()
        self.addresses = Addresses(limits or AddressLimits(), self.refusals)
        self.gate = Gate(self.addresses, self.refusals)

    def serving(
        self, tls: ssl.SSLContext | None = None
    ) -> contextlib.AbstractAsyncContextManager[Service]:
        return running(gate=self.gate, refusals=self.refusals, tls=tls)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's, with a certificate that nobody checks here."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(cert, key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


# Frames.

FLOODS = {
    "pings": _frame(PING, b"x" * 125),
    "empty pings": _frame(PING),
    "pongs": _frame(PONG),
    "messages": _frame(TEXT, b"{}"),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who floods does not answer a close frame either."""
    monkeypatch.setattr(server, "CLOSE_TIMEOUT", 0.2)


async def _flood(writer: asyncio.StreamWriter, frames: bytes) -> None:
    """Send them until the socket is closed, and read nothing of what comes."""
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(frames)
            await writer.drain()


@pytest.mark.parametrize("kind", FLOODS)
async def test_who_sends_frames_without_end_is_closed(kind: str) -> None:
    guarded = _Guarded()
    async with guarded.serving() as service, client(service) as bob:
        await bob.join(name="Bob")
        async with _socket(service) as (_, writer):
            await _flood(writer, FLOODS[kind] * 1000)
        await until(lambda: guarded.gate.sockets == 1)
        assert (await bob.ask("get_stats"))["type"] == "stats"
    assert guarded.refusals.as_dict().keys() - {"socket_messages"} == {"socket_flood"}
    assert guarded.refusals[Refusal.SOCKET_FLOOD] == 1


async def test_as_many_pings_as_messages_may_come() -> None:
    guarded = _Guarded()
    async with guarded.serving() as service, _socket(service) as (reader, writer):
        writer.write(_frame(PING) * PARTS)
        assert await reader.readexactly(2 * PARTS) == b"\x8a\x00" * PARTS
        writer.write(_frame(PING) * PARTS)
        assert b"messages kept coming too fast" in await reader.read()
    assert guarded.refusals.as_dict() == {"socket_flood": 1}


async def test_pings_count_for_the_address_over_all_its_sockets() -> None:
    guarded = _Guarded(AddressLimits(message_rate=1))  # a minute's worth at once
    async with guarded.serving() as service, _socket(service) as (one, first):
        first.write(_frame(PING) * 60)
        await one.readexactly(2 * 60)
        async with _socket(service) as (other, second):
            second.write(_frame(PING) * (PARTS // 2))  # half of what its socket might send
            assert b"messages kept coming too fast" in await other.read()
    assert guarded.refusals[Refusal.SOCKET_FLOOD] == 1
    assert guarded.refusals[Refusal.ADDRESS_MESSAGES] > 0


async def test_a_message_may_have_so_many_parts_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "FRAME_BURST", 1e9)  # as if they came slowly
    guarded = _Guarded()
    first, part = _frame(TEXT, b"{", fin=False), _frame(CONT, fin=False)
    async with guarded.serving() as service, _socket(service) as (reader, writer):
        writer.write(first + part * (MAX_PARTS - 1) + _frame(CONT, b"}"))
        assert b"bad_message" in await reader.readuntil(b"}")
        writer.write(first + part * MAX_PARTS)
        assert b"messages kept coming too fast" in await reader.read()
    assert guarded.refusals.as_dict() == {"socket_flood": 1}


async def test_who_pings_and_does_not_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "FRAME_BURST", 1e9)  # likewise
    guarded = _Guarded(AddressLimits(message_rate=0))
    async with guarded.serving() as service, _socket(service) as (_, writer):
        await _flood(writer, _frame(PING, b"x" * 125) * 1000)
        await until(lambda: guarded.gate.sockets == 0)
    assert guarded.refusals.as_dict() == {"socket_flood": 1}


# Reads.


def _spend_reads(guarded: _Guarded) -> None:
    """All that the address may have read is read."""
    visitor = Visitor(guarded.addresses, "127.0.0.1")
    while visitor.may_read(asyncio.get_running_loop().time()):
        pass


@pytest.mark.parametrize("kind", FLOODS)
async def test_what_an_address_may_have_read_is_the_same_for_all_its_sockets(kind: str) -> None:
    guarded = _Guarded(AddressLimits(message_rate=1))
    async with guarded.serving() as service, client(service) as bob:
        await bob.join(name="Bob")
        _spend_reads(guarded)
        async with _socket(service) as (reader, writer):
            writer.write(FLOODS[kind] * (OWN_READS + 1))
            assert b"messages kept coming too fast" in await reader.read()
        # Who is there and says little has reads of its own.
        assert (await bob.ask("get_stats"))["type"] == "stats"
    assert guarded.refusals[Refusal.ADDRESS_READS] > 0
    assert guarded.refusals[Refusal.SOCKET_FLOOD] == 1


async def test_a_message_byte_by_byte_costs_as_much_as_many() -> None:
    guarded = _Guarded(AddressLimits(message_rate=1))
    async with guarded.serving() as service, _socket(service) as (reader, writer):
        _spend_reads(guarded)
        with contextlib.suppress(ConnectionError):
            for byte in _frame(TEXT, b" " * 125):
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.002)
            assert b"messages kept coming too fast" in await reader.read()
    assert guarded.refusals[Refusal.SOCKET_FLOOD] == 1


async def test_large_messages_cost_as_much_as_many() -> None:
    guarded = _Guarded(AddressLimits(message_rate=1))
    large = b"\x81\xff" + (60_000).to_bytes(8, "big") + bytes(4) + b" " * 60_000
    async with guarded.serving() as service, _socket(service) as (reader, writer):
        _spend_reads(guarded)
        with contextlib.suppress(ConnectionError):
            writer.write(large * 3)
            assert b"messages kept coming too fast" in await reader.read()
    assert guarded.refusals[Refusal.SOCKET_FLOOD] == 1


@pytest.mark.parametrize("secure", [False, True], ids=["HTTP", "TLS"])
async def test_a_request_byte_by_byte_ends_early(tls: ssl.SSLContext, secure: bool) -> None:
    guarded = _Guarded(AddressLimits(message_rate=1))
    async with guarded.serving(tls if secure else None) as service:
        _spend_reads(guarded)
        address = "127.0.0.1", service.server.port
        reader, writer = await asyncio.open_connection(*address)
        opening = b"\x16\x03\x01\x40\x00" + bytes(200) if secure else b"GET /" + b"x" * 200
        with contextlib.suppress(ConnectionError):
            for byte in opening:
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.002)
            assert await reader.read() == b""
        await until(lambda: guarded.gate.sockets == 0)
        writer.close()
    assert guarded.refusals[Refusal.ADDRESS_READS] > 0


# After the end.

ENDS = {
    "a close frame": (_frame(CLOSE, b"\x03\xe8"), b"\x88\x02\x03\xe8"),
    "a frame that is wrong": (_frame(11), b"\x88\x10\x03\xeainvalid opcode"),
}


@pytest.mark.parametrize("end", ENDS)
async def test_who_was_told_the_end_and_stays_is_waited_for_no_longer_than_that(end: str) -> None:
    frame, answer = ENDS[end]
    guarded = _Guarded()
    async with (
        guarded.serving() as service,
        client(service) as bob,
        _socket(service) as (reader, writer),
    ):
        await bob.join(name="Bob")
        writer.write(_frame(TEXT, b'{"type":"join_room","room":"room","name":"Eve"}'))
        await bob.wait_for(type="participant_joined")
        await reader.readuntil(b"resume_token")
        writer.write(frame)
        assert answer in await reader.read()
        await until(lambda: guarded.gate.sockets == 1)
        await bob.wait_for(type="participant_left")


@pytest.mark.parametrize(
    "end", [_frame(CLOSE), _frame(11), None], ids=["close", "wrong frame", "page"]
)
async def test_what_comes_after_the_end_is_hardly_read(
    end: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CLOSE_TIMEOUT", 3)
    guarded = _Guarded()
    async with guarded.serving() as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        if end is None:
            writer.write(b"POST /healthz HTTP/1.1\r\n\r\n")
        else:
            writer.write(HANDSHAKE + end)
        await reader.read()
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while sent < MUCH:
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                    sent += 100_000
        writer.transport.abort()
    assert sent < MUCH


# Requests.


async def test_a_request_without_an_end_is_not_kept() -> None:
    guarded = _Guarded()
    async with guarded.serving() as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        writer.write(b"GET / HTTP/1.1\r\n" + (b"X: " + b"x" * 8000 + b"\r\n") * 5)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(sockets.REQUEST_TIMEOUT / 2):
                assert await reader.read() == b""
        await until(lambda: guarded.gate.sockets == 0)
        writer.close()


# TLS.


async def test_tls_connections_count_before_tls_is_agreed_on(tls: ssl.SSLContext) -> None:
    guarded = _Guarded(AddressLimits(sockets=2))
    async with guarded.serving(tls) as service:
        address = "127.0.0.1", service.server.port
        silent = [await asyncio.open_connection(*address) for _ in range(2)]
        await until(lambda: guarded.gate.sockets == 2)
        reader, writer = await asyncio.open_connection(*address)
        assert await reader.read() == b""
        assert guarded.refusals.as_dict() == {"address_sockets": 1}
        writer.close()
        for _, each in silent:
            each.close()
        await until(lambda: guarded.gate.sockets == 0)
        async with _socket(service, _trusting()):
            assert guarded.gate.sockets == 1
        await until(lambda: guarded.gate.sockets == 0)


async def test_a_request_with_a_body_is_answered_over_tls(tls: ssl.SSLContext) -> None:
    guarded = _Guarded()
    async with guarded.serving(tls) as service:
        address = "127.0.0.1", service.server.port
        reader, writer = await asyncio.open_connection(*address, ssl=_trusting())
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
        assert (await reader.read()).startswith(b"HTTP/1.1 405 ")
        writer.close()
        await until(lambda: guarded.gate.sockets == 0)


async def test_who_never_agrees_on_tls_goes(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "TLS_TIMEOUT", 0.1)
    guarded = _Guarded()
    async with guarded.serving(tls) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        writer.write(b"\x16\x03\x01")
        assert await reader.read() == b""
        writer.close()
        await until(lambda: guarded.gate.sockets == 0)


async def test_shutdown_does_not_wait_for_who_has_not_agreed_on_tls(tls: ssl.SSLContext) -> None:
    guarded = _Guarded()
    async with guarded.serving(tls) as service:
        _, silent = await asyncio.open_connection("127.0.0.1", service.server.port)
        await until(lambda: guarded.gate.sockets == 1)
        async with asyncio.timeout(5):
            await service.server.close()
        silent.close()
