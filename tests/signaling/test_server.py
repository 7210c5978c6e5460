"""Sockets: frames, limits, closing, slow readers, shutdown. With real WebSockets and a real relay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import cast

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from signaling import outbox, server, session, sockets
from signaling.errors import StartError
from signaling.outbox import Closing
from signaling.refusals import Refusals
from signaling.rooms import Rooms
from signaling.server import MAX_FRAME_SIZE, SignalingServer
from signaling.site import SECURITY_HEADERS, Site
from tests.signaling.double import Relay
from tests.signaling.lab import CANDIDATE
from tests.signaling.sockets import Client, Service, client, running, until


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running() as service:
        yield service


@contextlib.asynccontextmanager
async def _two(service: Service) -> AsyncIterator[tuple[Client, Client]]:
    async with client(service) as ada, client(service) as bob:
        await ada.join(name="Ada")
        await bob.join(name="Bob")
        await ada.wait_for(type="participant_joined")
        yield ada, bob


async def _get(service: Service, request: str) -> tuple[str, bytes]:
    """The status line and the body of a raw HTTP exchange."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
    writer.write(f"{request}\r\nHost: x\r\n\r\n".encode())
    response = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = response.partition(b"\r\n\r\n")
    return head.decode().split("\r\n")[0], body


async def test_messages_go_through_real_sockets(service: Service) -> None:
    async with _two(service) as (ada, bob):
        created = await ada.ask("create_publisher")
        assert created["offer"]["sdp"].startswith("v=0\r\n")
        await ada.tell(
            "publisher_ice_candidate",
            publisher_id=created["publisher_id"],
            candidate={"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0},
        )
        muted = {"type": "participant_muted", "participant_id": ada.id, "muted": True}
        assert await ada.ask("set_muted", muted=True) == muted
        assert await bob.wait_for(type="participant_muted") == muted
        assert (await ada.ask("get_stats"))["publisher"]["packetsReceived"] == 0
        assert await ada.ask("leave_room") == {"type": "room_left"}
        assert (await bob.wait_for(type="publisher_closed"))["reason"] == "left"
        assert (await bob.wait_for(type="participant_left"))["participant_id"] == ada.id


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, "left"), (1001, "left"), (1002, "disconnected"), (3000, "disconnected")],
)
async def test_how_a_socket_is_closed_says_why_its_participant_goes(
    service: Service, code: int, reason: str
) -> None:
    async with _two(service) as (ada, bob):
        created = await ada.ask("create_publisher")
        await ada.socket.close(code)
        closed = await bob.wait_for(type="publisher_closed")

        assert closed["publisher_id"] == created["publisher_id"]
        assert closed["reason"] == reason
        await bob.wait_for(type="participant_left", participant_id=ada.id)
    await until(service.is_empty)


async def test_a_socket_that_dies_leaves_nothing_behind(service: Service) -> None:
    async with _two(service) as (ada, bob):
        await ada.ask("create_publisher")
        ada.socket.transport.abort()

        assert (await bob.wait_for(type="publisher_closed"))["reason"] == "disconnected"
        await bob.wait_for(type="participant_left", participant_id=ada.id)
        assert service.relay.stats().publishers == 0


async def test_what_is_no_message_gets_an_error_and_the_socket_goes_on(service: Service) -> None:
    async with client(service) as ada:
        for frame in ("no JSON", "[]", '{"type": 5}', "{" * 60_000):
            await ada.socket.send(frame)
            assert (await ada.wait_for(type="error"))["code"] == "bad_message"
        await ada.join()


@pytest.mark.parametrize("behind", [b"", b"\r\n", b"\xf4" * 40, b"x" * 200_000])
async def test_what_follows_a_request_does_not_spoil_its_answer(
    service: Service, behind: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + behind)
    writer.write_eof()
    response = await reader.read()
    writer.close()

    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert response.endswith(b'\r\n\r\n{"status": "ok"}\n')
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_frames_in_one_segment_with_the_handshake_are_read_after_it(service: Service) -> None:
    text = b'{"type":"join_room","room":"room","name":"Ada"}'
    handshake = (
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    frame = bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text
    reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
    # The first segment ends within the head's end.
    for part in (handshake[:-2], handshake[-2:] + frame[:9], frame[9:]):
        writer.write(part)
        await writer.drain()

    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    await reader.readuntil(b'{"type":"room_joined"')
    writer.close()
    await until(service.is_empty)


async def test_a_binary_frame_closes_the_socket(service: Service) -> None:
    async with _two(service) as (ada, bob):
        await ada.socket.send(b'{"type": "leave_room"}')

        assert await ada.closed() == (1003, "expected a text frame with a JSON object")
        await bob.wait_for(type="participant_left", participant_id=ada.id)


async def test_text_that_is_not_utf_8_closes_the_socket(service: Service) -> None:
    async with _two(service) as (ada, bob):
        await ada.socket.send(b"\xff\xfe", text=True)

        assert (await ada.closed())[0] == 1007
        await bob.wait_for(type="participant_left", participant_id=ada.id)


async def test_a_frame_of_the_greatest_size_is_read_and_a_larger_one_closes(
    service: Service,
) -> None:
    async with _two(service) as (ada, bob):
        frame = json.dumps({"type": "get_stats", "id": "large", "x": ""})
        frame = frame.replace('""', '"' + "x" * (MAX_FRAME_SIZE - len(frame)) + '"')
        assert len(frame) == MAX_FRAME_SIZE
        await ada.socket.send(frame)
        await ada.wait_for(type="stats", id="large")

        await ada.socket.send(frame + " ")
        assert (await ada.closed())[0] == 1009
        await bob.wait_for(type="participant_left", participant_id=ada.id)


async def test_a_flood_is_refused_then_closed_and_nobody_else_notices(service: Service) -> None:
    async with _two(service) as (ada, bob):
        codes: list[str] = []

        async def read() -> None:
            while True:
                codes.append(json.loads(await ada.socket.recv())["code"])

        reading = asyncio.create_task(read())
        with contextlib.suppress(ConnectionClosed):
            while True:
                await ada.tell("set_muted", muted="not at all")
        assert await ada.closed() == (1008, "messages kept coming too fast")
        await asyncio.gather(reading, return_exceptions=True)

        assert codes == sorted(codes)  # bad_message while there is a token, then rate_limited
        assert set(codes) == {"bad_message", "rate_limited"}
        assert (await bob.wait_for(type="participant_left"))["participant_id"] == ada.id
        assert bob.inbox == []


async def test_a_reader_that_does_not_read_is_put_out_and_delays_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusals = Refusals()
    async with running(refusals=refusals) as service:
        await _one_reads_nothing(service, monkeypatch)
    assert refusals.as_dict() == {"slow_reader": 1}


async def _one_reads_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_MESSAGES", 100)
    monkeypatch.setattr(session, "MESSAGE_RATE", 1e6)
    monkeypatch.setattr(sockets, "FRAME_RATE", 1e6)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # as little as the system allows
    narrow.connect(("127.0.0.1", service.server.port))
    async with client(service, sock=narrow) as ada, client(service) as bob, client(service) as cyd:
        await ada.join()
        ada.socket.transport.pause_reading()
        await bob.join()
        await cyd.join()
        muted = False
        while not any(item["type"] == "participant_left" for item in bob.inbox):
            bob.inbox.clear()
            cyd.inbox.clear()
            for _ in range(100):
                await ada.tell("x" * 64)  # the error is long
            muted = not muted
            await bob.ask("set_muted", muted=muted)
            await cyd.wait_for(type="participant_muted", participant_id=bob.id, muted=muted)

        assert bob.inbox == [{"type": "participant_left", "participant_id": ada.id}]
        ada.socket.transport.abort()


async def test_a_socket_that_takes_no_close_frame_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stuck:
        """Like a ServerConnection whose other end does not read."""

        def __init__(self) -> None:
            self.transport = self
            self.aborted = False

        async def close(self, code: int, reason: str) -> None:
            await asyncio.Event().wait()

        def abort(self) -> None:
            self.aborted = True

    monkeypatch.setattr(server, "CLOSE_TIMEOUT", 0.01)
    stuck = Stuck()
    await server._close(cast(ServerConnection, stuck), Closing(1013, "too slow"))

    assert stuck.aborted


async def test_shutdown_tells_everyone_and_closes_every_socket() -> None:
    async with running() as service, _two(service) as (ada, bob):
        created = await ada.ask("create_publisher")
        service.server.drain()
        with pytest.raises((ConnectionError, InvalidStatus)):
            await connect(service.url)
        await ada.tell("leave_room")  # too late to be handled
        await service.relay.close()
        await service.server.close()

        for participant in (ada, bob):
            closed = await participant.wait_for(type="publisher_closed")
            assert closed["publisher_id"] == created["publisher_id"]
            assert closed["reason"] == "shutdown"
            assert await participant.closed() == (1001, "the server is shutting down")


async def test_shutdown_does_not_wait_for_sockets_that_ask_for_nothing() -> None:
    async with running() as service:
        address = "127.0.0.1", service.server.port
        _, silent = await asyncio.open_connection(*address)
        _, begun = await asyncio.open_connection(*address)
        begun.write(b"GET /ws HTTP/1.1\r\n")
        await _get(service, "GET /healthz HTTP/1.1")  # the two were accepted before

        async with asyncio.timeout(5):  # a request may take long while nobody is in a hurry
            await service.server.close()

        for writer in (silent, begun):
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def test_a_request_that_does_not_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_TIMEOUT", 0.1)
    async with running() as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_closing_what_never_started_is_fine() -> None:
    await SignalingServer(_no_rooms(), Site(dict), "127.0.0.1", 0).close()


def _no_rooms() -> Rooms:
    return Rooms(Relay(), max_rooms=1, max_participants=1)


# HTTP.


async def test_pages(service: Service) -> None:
    assert await _get(service, "GET /healthz HTTP/1.1") == (
        "HTTP/1.1 200 OK",
        b'{"status": "ok"}\n',
    )
    status, page = await _get(service, "GET /?room=tea HTTP/1.1")
    assert status == "HTTP/1.1 200 OK"
    assert page.lower().startswith(b"<!doctype html>")
    assert await _get(service, "HEAD / HTTP/1.1") == ("HTTP/1.1 200 OK", b"")
    assert (await _get(service, "GET /no HTTP/1.1"))[0] == "HTTP/1.1 404 Not Found"
    assert (await _get(service, "GET /../session.py HTTP/1.1"))[0] == "HTTP/1.1 404 Not Found"
    assert (await _get(service, "POST / HTTP/1.1"))[0] == "HTTP/1.1 405 Method Not Allowed"
    assert (await _get(service, "DELETE /ws HTTP/1.1"))[0] == "HTTP/1.1 405 Method Not Allowed"
    assert (await _get(service, "GET /ws HTTP/1.1"))[0] == "HTTP/1.1 426 Upgrade Required"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET / HTTP/1.1", 200),
        ("GET /no HTTP/1.1", 404),
        ("PUT / HTTP/1.1", 405),
        ("GET /ws HTTP/1.1", 426),
        ("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade", 400),
        ("GET /ws HTTP/1.1\r\nOrigin: null", 403),
        ("GET /" + "x" * 9000 + " HTTP/1.1", 414),
        ("GET /" + "x" * 40_000 + " HTTP/1.1", 414),
        ("GET / HTTP/1.1\r\nX: " + "x" * 9000, 431),
        ("GET / HTTP/1.1" + "\r\nX: x" * 200, 431),
        ("nonsense", 400),
    ],
)
async def test_every_answer_has_the_security_headers(
    service: Service, request_line: str, status: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
    writer.write(f"{request_line}\r\nHost: x\r\n\r\n".encode())
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    writer.close()

    assert first.split()[1] == str(status)
    for name, value in SECURITY_HEADERS:
        assert f"{name}: {value}" in lines


BODIES = {
    "length": b"Content-Length: 5\r\n\r\nhello",
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "never": b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n",
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("request_line", "status"),
    [("POST /", 405), ("PUT /ws", 405), ("GET /", 400), ("HEAD /", 400), ("GET /ws", 400)],
)
async def test_a_request_with_a_body_is_answered_and_ended(
    request_line: str, status: int, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CLOSE_TIMEOUT", 0.1)
    async with running() as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        # In parts: what is asked for is told by the first, what is wrong with it by another.
        for part in (request_line[:3], request_line[3:] + " HTTP/1.1\r\nHost: x\r\n"):
            writer.write(part.encode())
            await asyncio.sleep(0.01)
        writer.write(BODIES[body])
        answer = await reader.read()
        # Who goes on, and does not close, is not waited for.
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.01)
        writer.close()

    head, _, text = answer.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    assert first.split()[1] == str(status)
    assert ("Allow: GET, HEAD" in lines) == (status == 405)
    assert "Connection: close" in lines
    for name, value in SECURITY_HEADERS:
        assert f"{name}: {value}" in lines
    assert bool(text) == (not request_line.startswith("HEAD"))


async def test_a_handshake_that_comes_while_the_server_stops_has_the_security_headers() -> None:
    async with running() as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        writer.write(b"GET /ws HTTP/1.1\r\n")
        await _get(service, "GET /healthz HTTP/1.1")  # the other one was accepted before
        service.server.drain()
        writer.write(
            b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        writer.close()

    assert first == "HTTP/1.1 503 Service Unavailable"
    for name, value in SECURITY_HEADERS:
        assert f"{name}: {value}" in lines


async def test_a_known_file_is_answered_without_its_content(service: Service) -> None:
    etag = dict(Site(dict).respond("GET", "/").headers)["ETag"]
    status, body = await _get(service, f"GET / HTTP/1.1\r\nIf-None-Match: {etag}")
    assert (status, body) == ("HTTP/1.1 304 Not Modified", b"")


async def test_websockets_are_at_one_path_only(service: Service) -> None:
    with pytest.raises(InvalidStatus):
        await connect(service.url.removesuffix("/ws") + "/other")
    async with connect(service.url + "?x=1"):
        pass


async def test_no_compression_is_agreed_on(service: Service) -> None:
    async with client(service) as ada:
        assert ada.socket.response is not None
        assert "Sec-WebSocket-Extensions" not in ada.socket.response.headers


# Starting.


async def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        second = SignalingServer(_no_rooms(), Site(dict), "127.0.0.1", port)
        with pytest.raises(StartError) as caught:
            await second.start()
    assert str(caught.value) == f"cannot listen on 127.0.0.1 port {port}: Address already in use"


async def test_a_host_that_is_not_ours() -> None:
    elsewhere = SignalingServer(_no_rooms(), Site(dict), "host.invalid", 0)
    with pytest.raises(StartError, match=r"cannot listen on host\.invalid port 0: "):
        await elsewhere.start()


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "a\0b"])
async def test_a_host_that_nobody_can_have(host: str) -> None:
    nowhere = SignalingServer(_no_rooms(), Site(dict), host, 0)
    with pytest.raises(StartError, match="port 0: not a host name"):
        await nowhere.start()
