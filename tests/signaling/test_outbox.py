"""What waits to be written, with a socket that the test reads or does not read."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from signaling import outbox as module
from signaling.errors import ErrorCode
from signaling.messages import Error, RoomLeft
from signaling.outbox import MAX_BYTES, MAX_MESSAGES, Closing, Outbox

SMALL = RoomLeft()
LARGE = Error(code=ErrorCode.INTERNAL, message="x" * (MAX_BYTES // 4))


class Socket:
    """Takes frames while `reading` is set."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.reading = asyncio.Event()
        self.waiting = asyncio.Event()

    async def write(self, payload: bytes) -> None:
        self.waiting.set()
        await self.reading.wait()
        self.frames.append(payload)


@contextlib.asynccontextmanager
async def _running(outbox: Outbox) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def socket() -> Socket:
    return Socket()


async def test_messages_are_written_in_order_then_it_closes(socket: Socket) -> None:
    outbox = Outbox(socket.write)
    socket.reading.set()
    async with _running(outbox):
        for number in range(5):
            outbox.send(Error(code=ErrorCode.INTERNAL, message=str(number)))
        outbox.close(1001, "the end")
        outbox.close(1008, "too late")
        outbox.send(SMALL)
        assert await outbox.closed == Closing(1001, "the end")

    assert [json.loads(frame)["message"] for frame in socket.frames] == list("01234")


async def test_what_is_sent_before_it_runs_is_written_too(socket: Socket) -> None:
    outbox = Outbox(socket.write)
    outbox.send(SMALL)
    outbox.close(1000, "")
    socket.reading.set()
    async with _running(outbox):
        await outbox.closed

    assert socket.frames == [b'{"type":"room_left"}']


@pytest.mark.parametrize(("message", "fits"), [(SMALL, MAX_MESSAGES), (LARGE, 3)])
async def test_a_reader_that_falls_behind_is_given_up_at_once(
    socket: Socket, message: RoomLeft | Error, fits: int
) -> None:
    outbox = Outbox(socket.write)
    async with _running(outbox):
        outbox.send(SMALL)
        await socket.waiting.wait()
        for _ in range(fits):
            outbox.send(message)
        assert not outbox.closed.done()
        outbox.send(message)
        assert outbox.closed.result() == Closing(1013, "messages are read too slowly")
        outbox.send(message)
        outbox.close(1001, "too late")
        socket.reading.set()

    assert outbox.closed.result().code == 1013
    assert len(socket.frames) <= 1


async def test_a_reader_that_takes_nothing_is_given_up_in_time(
    socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEND_TIMEOUT", 0.01)
    outbox = Outbox(socket.write)
    async with _running(outbox):
        outbox.send(SMALL)
        outbox.send(SMALL)
        assert await outbox.closed == Closing(1013, "messages are not read")

    assert socket.frames == []


async def test_what_is_queued_has_some_seconds_when_it_closes(
    socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_PATIENCE", 0.01)
    outbox = Outbox(socket.write)
    async with _running(outbox):
        outbox.send(SMALL)
        outbox.send(SMALL)
        await socket.waiting.wait()
        outbox.close(1001, "the end")
        assert await outbox.closed == Closing(1001, "the end")

    assert socket.frames == []
