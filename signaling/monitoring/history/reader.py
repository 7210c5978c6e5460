"""Questions to the history, off the event loop: a thread of its own, a connection that can change
nothing, and bounds on time and on how many wait."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from signaling.monitoring.history.store import connect_to_read, is_broken

T = TypeVar("T")

TIME_LIMIT = 4.0
"""Seconds that a question may take."""

MAX_WAITING = 8
"""Questions that wait for the thread; one more is refused."""

STEPS = 10_000
"""Instructions of SQLite's between two looks at the clock, about a millisecond."""


class Busy(Exception):
    """Too many questions, or one that took too long."""


class Unavailable(Exception):
    """The file cannot be read: there is none (yet), or it is broken."""


class Question:
    """What a question runs with. database: to read from."""

    def __init__(self, database: sqlite3.Connection, deadline: float) -> None:
        self.database = database
        self._deadline = deadline
        database.set_progress_handler(self._is_late, STEPS)

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline

    def check(self) -> None:
        """To be called in loops that take long. Raises Busy."""
        if self._is_late():
            raise Busy


class Reader:
    """Asks. path: of the file. broken: called, on the event loop, when it turns out to be broken."""

    def __init__(self, path: Path, broken: Callable[[], None]) -> None:
        self._path = path
        self._broken = broken
        self._executor = ThreadPoolExecutor(1, "history-reader")
        self._waiting = 0

    def close(self) -> None:
        """End; a question that runs is not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def ask(self, question: Callable[[Question], T]) -> T:
        """Run a question on the thread. Raises Busy and Unavailable, and what the question raises."""
        if self._waiting >= MAX_WAITING:
            raise Busy
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._run, question)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") in ("SQLITE_INTERRUPT", "SQLITE_BUSY"):
                raise Busy from error
            if is_broken(error):
                self._broken()
            raise Unavailable from error
        finally:
            self._waiting -= 1

    def _run(self, question: Callable[[Question], T]) -> T:
        database = connect_to_read(self._path)
        try:
            return question(Question(database, time.monotonic() + TIME_LIMIT))
        finally:
            database.close()
