"""Full disks, closed pipes, no file descriptors: told once, counted, and over when they are over."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import resource
import time
from collections.abc import Iterator

import pytest

from signaling import faults
from signaling.faults import MAX_LINES, AcceptFaults, LogWriter, raise_descriptor_limit
from signaling.refusals import Refusal, Refusals

PATIENCE = 20.0


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """A pipe; what the test closes it sets to -1."""
    ends = list(os.pipe())
    yield ends
    for end in ends:
        if end >= 0:
            os.close(end)


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord("test", logging.INFO, "", 0, text, None, None)


def _wait_lost(log: LogWriter, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while log.lost < count and time.monotonic() < deadline:
        time.sleep(0.005)
    assert log.lost >= count


def test_lines_arrive_in_order(pipe: list[int]) -> None:
    log = LogWriter(pipe[1], lambda line: pytest.fail(line))
    for word in ("one", "two", "d\ud800rei"):
        log.handle(_record(word))
    log.close()
    assert os.read(pipe[0], 1000) == b"one\ntwo\nd\\ud800rei\n"
    assert log.lost == 0


def test_a_full_disk_is_told_once_and_counted() -> None:
    complaints: list[str] = []
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        log = LogWriter(full, complaints.append)
        for _ in range(100):
            log.handle(_record("a line"))
        _wait_lost(log, 100)
        log.close()
    finally:
        os.close(full)
    assert log.lost == 100
    assert complaints == [
        "Warning: the log cannot be written: No space left on device; /healthz counts its lines"
    ]


def test_a_closed_pipe_is_told_once(pipe: list[int]) -> None:
    complaints: list[str] = []
    os.close(pipe[0])
    pipe[0] = -1
    log = LogWriter(pipe[1], complaints.append)
    for _ in range(10):
        log.handle(_record("a line"))
    _wait_lost(log, 10)
    log.close()
    assert len(complaints) == 1


def test_a_reader_that_stands_still_stops_nobody(pipe: list[int]) -> None:
    log = LogWriter(pipe[1], lambda line: pytest.fail(line))
    record = _record("x" * 200)
    for _ in range(MAX_LINES + 2000):  # does not return if anything waits
        log.handle(record)
    assert log.lost > 0

    text = b""
    while text.count(b"\n") < MAX_LINES:
        text += os.read(pipe[0], 1 << 20)
    log.handle(_record("the last one"))
    while b"the last one" not in text:
        text += os.read(pipe[0], 1 << 20)
    log.close()
    told = re.findall(rb"([0-9]+) lines of the log were lost before this one", text)
    assert sum(map(int, told)) == log.lost


def test_a_record_that_makes_no_line(pipe: list[int]) -> None:
    log = LogWriter(pipe[1], lambda line: pytest.fail(line))
    log.handle(logging.LogRecord("test", logging.INFO, "", 0, "%d", ("x",), None))
    log.close()
    assert log.lost == 1


# File descriptors.


async def test_no_descriptors_are_told_once_and_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "RECOVERY", 0.05)
    caplog.set_level(logging.INFO)
    loop, refusals = asyncio.get_running_loop(), Refusals()
    watch = AcceptFaults(refusals)
    watch.watch(loop)
    try:
        for _ in range(100):
            loop.call_exception_handler(
                {
                    "message": "socket.accept() out of system resource",
                    "exception": OSError(errno.EMFILE, "Too many open files"),
                }
            )
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert refusals[Refusal.NO_DESCRIPTOR] == 1
        async with asyncio.timeout(PATIENCE):
            while len(caplog.records) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert caplog.records[1].message == "new connections are taken again"
    finally:
        watch.stop()
    assert loop.get_exception_handler() is None


async def test_other_faults_go_where_they_went(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    seen: list[object] = []
    watch = AcceptFaults(Refusals())
    watch.watch(loop)
    loop.call_exception_handler({"message": "something else"})
    watch.stop()
    assert "something else" in caplog.text

    loop.set_exception_handler(lambda _, context: seen.append(context["message"]))
    watch.watch(loop)
    loop.call_exception_handler({"message": "another", "exception": OSError(errno.EMFILE, "")})
    watch.stop()
    loop.set_exception_handler(None)
    assert seen == ["another"]


def test_the_limit_is_raised_as_far_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    for limits in (
        (1024, 4096),
        (1024, resource.RLIM_INFINITY),
        (1024, 500_000),
        (100_000, 500_000),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limits=limits: limits)
        raise_descriptor_limit(10_000)
    assert asked == [(4096, 4096), (11_024, resource.RLIM_INFINITY), (11_024, 500_000)]
