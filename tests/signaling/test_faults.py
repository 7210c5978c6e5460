"""Full disks, closed pipes, readers that stand still: told once, counted, over when they are over."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator

import pytest

from signaling.faults import MAX_LINES, LogWriter

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
