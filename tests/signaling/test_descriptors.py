"""A server that has no file descriptors left: it says so once, serves on, and recovers."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from signaling.descriptors import QUIET_SECONDS, ExhaustionHandler, raise_limit
from tests.browser.server import HOST, RelayServer
from tests.browser.waiting import eventually

SPARE = 8
"""Descriptors that the server may still open."""

CONNECTIONS = 4 * SPARE


def test_the_limit_is_raised_to_what_may_be_had() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1, before[1]))
        assert raise_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Loop:
    def __init__(self) -> None:
        self.passed_on: list[dict[str, Any]] = []

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.passed_on.append(context)


def test_it_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    handler, loop = ExhaustionHandler(lambda: now), Loop()
    context = {
        "message": "socket.accept() out of system resource",
        "exception": OSError(errno.EMFILE, "Too many open files"),
    }
    with caplog.at_level(logging.WARNING):
        for _ in range(59):
            handler(loop, context)  # type: ignore[arg-type]
            now += 1.0
        assert len(caplog.records) == 1
        now = QUIET_SECONDS
        handler(loop, context)  # type: ignore[arg-type]
    assert len(caplog.records) == 2
    assert handler.count == 60
    assert loop.passed_on == []


@pytest.mark.parametrize(
    "context",
    [
        {"message": "Task exception was never retrieved", "exception": ValueError()},
        {"message": "Task exception", "exception": OSError(errno.EMFILE, "Too many open files")},
        {"message": "socket.accept() failed", "exception": OSError(errno.EPERM, "no")},
        {"message": "accept"},
    ],
)
def test_everything_else_is_passed_on(context: dict[str, Any]) -> None:
    handler, loop = ExhaustionHandler(lambda: 0.0), Loop()
    handler(loop, context)  # type: ignore[arg-type]
    assert loop.passed_on == [context]
    assert handler.count == 0


async def test_a_server_that_stops_before_it_could_accept_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    handler = ExhaustionHandler(loop.time)
    loop.set_exception_handler(handler)
    server = await asyncio.start_server(lambda reader, writer: None, HOST, 0)

    async def handler_has_counted() -> bool:
        return handler.count > 0

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as client:
        client.setblocking(False)
        next_one = os.dup(client.fileno())
        os.close(next_one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_one, before[1]))
        try:
            await loop.sock_connect(client, server.sockets[0].getsockname())
            await eventually(handler_has_counted, what="a connection that is not accepted")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        server.close()
        await server.wait_closed()
        await asyncio.sleep(1.1)  # asyncio tries again after a second
    assert "Traceback" not in caplog.text
    assert all(record.levelno < logging.ERROR for record in caplog.records)


async def test_a_server_without_descriptors(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    server = RelayServer(log)
    await server.start()
    used = len(os.listdir(f"/proc/{server.pid}/fd"))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + SPARE, used + SPARE))
    with contextlib.ExitStack() as stack:
        for number in range(CONNECTIONS):
            one = stack.enter_context(socket.socket())
            one.bind((f"127.0.1.{number + 1}", 0))
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect((HOST, server.port))
        said = "no connection can be accepted: Too many open files"

        async def was_said() -> bool:
            return said in log.read_text()

        await eventually(was_said, what="the sentence in the log")
        await asyncio.sleep(1.5)  # asyncio tries again every second
    await eventually(lambda: _answers(server), what="an answer, once the others have gone")
    assert (await server.health())["refusals"]["no_descriptor"] > 0
    await server.stop()
    text = log.read_text()
    assert text.count("no connection can be accepted") == 1
    assert "Traceback" not in text


async def _answers(server: RelayServer) -> bool:
    with contextlib.suppress(OSError):
        return bool((await server.health())["status"] == "ok")
    return False
