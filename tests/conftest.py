"""Rules for every test: what it opened it closes, what it started it ends."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

_tests = itertools.count()

LEAK_PATIENCE = 2.0
"""Seconds for what a test let go of to be gone: transports close one loop iteration later."""


def _open_descriptors() -> set[tuple[int, str]]:
    """Sockets, pipes, epolls and the like of this process; files are left to ResourceWarning."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(Path("/proc/self/fd", name))
        except FileNotFoundError:  # the descriptor of listdir itself
            continue
        if not target.startswith("/"):
            found.add((int(name), target))
    return found


@pytest.fixture(autouse=True)
def state_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers that a test starts keep their history in a folder of the test's, which need not be there,
    and not in the home of who runs the tests."""
    folder = tmp_path_factory.getbasetemp() / "state" / str(next(_tests))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))


@pytest.fixture(autouse=True)
def no_leaked_descriptors() -> Iterator[None]:
    """Fails a test that leaves a socket or a pipe open."""
    before = _open_descriptors()
    yield
    deadline = time.monotonic() + LEAK_PATIENCE
    while leaked := _open_descriptors() - before:
        if time.monotonic() > deadline:
            pytest.fail(f"left open: {sorted(leaked)}")
        gc.collect()
        time.sleep(0.01)


async def leaked_tasks(before: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """The tasks of this event loop that came after `before` and do not end by themselves."""
    leaked = asyncio.all_tasks() - before - {asyncio.current_task()}
    if leaked:
        _, leaked = await asyncio.wait(leaked, timeout=LEAK_PATIENCE)
    return leaked


@pytest.fixture(autouse=True)
async def no_leaked_tasks(no_leaked_descriptors: None) -> AsyncIterator[None]:
    """Fails a test that leaves a task running on the event loop."""
    before = asyncio.all_tasks()
    yield
    if leaked := await leaked_tasks(before):
        pytest.fail(f"left running: {leaked}")
