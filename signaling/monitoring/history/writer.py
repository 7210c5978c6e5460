"""The thread that writes the history: a bounded queue before it, and no fault behind it that gets out.

The event loop puts facts in and goes on. When the queue is full, what comes is dropped and counted;
what matters less, and what is large, gives way before.
When the file cannot be written (a full disk, a lost folder), it is tried again now and then; who is in
a room by then is entered anew, so that only what happened in between is missing.
"""

from __future__ import annotations

import logging
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from signaling import events
from signaling.events import Event
from signaling.monitoring.history.book import Book, Row
from signaling.monitoring.history.store import Store, Unusable, is_broken
from signaling.monitoring.load import Load
from signaling.monitoring.sampler import ParticipantSample

logger = logging.getLogger(__name__)

MAX_WAITING = 20_000
"""Facts that wait to be written: minutes of a busy server."""

MAX_WINDOWS = 30
"""Windows among them, five minutes: each may have megabytes."""

MINOR = (
    events.ConsumerStarted,
    events.ConsumerStopped,
    events.MuteChanged,
    events.NetworkChanged,
)
"""Facts that give way when the queue is half full, so that who was there, and when, is not lost."""

MAX_BATCH = 2000
"""Facts in one transaction."""

LINGER = 0.25
"""Seconds for which facts are gathered; what a killed process loses."""

RETRY_INTERVAL = 10.0
"""Seconds until a file that could not be written is tried again."""

PRUNE_INTERVAL = 600.0
"""Seconds between two looks at what is too old or too much."""

OVERLOAD = ("send_buffer_full", "control_queue_full", "inbox_full")
"""Drop reasons that say that the relay could not keep up."""

_LOAD = """INSERT OR REPLACE INTO load (at, interval, rooms, participants, cpu, busiest_thread, loop_delay,
    received, forwarded, dropped, overload, score, worst)
    VALUES (:at, :interval, :rooms, :participants, :cpu, :busiest_thread, :loop_delay,
    :received, :forwarded, :dropped, :overload, :score, :worst)"""


class _Work(NamedTuple):
    """What waits. rows: makes what is to be written."""

    rows: Callable[[], list[Row]]
    is_window: bool = False


class Writer:
    """Writes. path, max_bytes: of the file; max_age: seconds that something is kept. clock: Unix seconds.

    written: facts so far, by when they were put in. working: False while the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        max_age: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.written = 0
        self.working = True
        self._path = path
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._clock = clock
        self._queue: queue.Queue[_Work | None] = queue.Queue(MAX_WAITING)
        self._book = Book()
        self._store: Store | None = None
        # Each is counted by one thread only.
        self._refused = 0
        self._lost = 0
        self._windows_put = 0
        self._windows_done = 0
        self._behind = False  # rows were lost: enter everybody anew
        self._broken = threading.Event()
        self._retry_at = 0.0
        self._prune_at = -math.inf
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._started = False

    @property
    def dropped(self) -> int:
        """Facts that were not written: too much waited, or the file could not be written."""
        return self._refused + self._lost

    def start(self) -> None:
        """Begin; the file is opened on the thread."""
        self._started = True
        self._thread.start()

    def close(self, patience: float) -> None:
        """Write what waits, and end. Waits for it, for some seconds at most."""
        if not self._started:
            return
        try:
            self._queue.put(None, timeout=patience)
        except queue.Full:
            return  # the disk hangs; the thread ends with the process
        self._thread.join(patience)

    def put_event(self, session: str, event: Event) -> None:
        """Write a fact of the session with this key; drops it when too much waits."""
        if isinstance(event, MINOR) and self._queue.qsize() >= self._queue.maxsize // 2:
            self._refused += 1
            return
        self._put(_Work(lambda: self._book.write(session, event)))

    def put_window(
        self,
        samples: list[ParticipantSample],
        load: Load,
        rooms: int,
        participants: int,
        present: set[str],
    ) -> None:
        """Write ten seconds of everybody and of the server; drops them when too much waits. present: the
        keys of the sessions and participations that are open."""
        if self._windows_put - self._windows_done >= MAX_WINDOWS:
            self._refused += 1
            return

        def work() -> list[Row]:
            ended = self._book.end_all_but(present, load.at)
            rows = list(self._book.window(samples, load.at))
            return [*ended, *rows, _load_row(self._book.scores, load, rooms, participants)]

        if self._put(_Work(work, is_window=True)):
            self._windows_put += 1

    def report_broken(self) -> None:
        """A reader found that the file is broken."""
        self._broken.set()

    def _put(self, work: _Work) -> bool:
        try:
            self._queue.put_nowait(work)
        except queue.Full:
            self._refused += 1
            return False
        return True

    # From here on, on the thread.

    def _run(self) -> None:
        try:
            going = True
            self._commit([])
            while going:
                batch = [self._queue.get()]
                if batch[0] is not None:
                    time.sleep(LINGER)
                while len(batch) < MAX_BATCH and not self._queue.empty():
                    batch.append(self._queue.get())
                going = None not in batch
                works = [work for work in batch if work is not None]
                done = self._commit([row for work in works for row in self._rows(work)])
                self._windows_done += sum(work.is_window for work in works)
                # Last: who waits for it sees the rest.
                if done:
                    self.written += len(works)
                else:
                    self._lost += len(works)
        finally:
            if self._store is not None:
                self._store.close()

    def _rows(self, work: _Work) -> list[Row]:
        try:
            return work.rows()
        except Exception:
            logger.exception("a fact could not be entered into the history")
            return []

    def _commit(self, rows: list[Row]) -> bool:
        """Write rows; False when they are lost."""
        if self._store is None and time.monotonic() < self._retry_at:
            return False
        try:
            self._write(rows)
        except (sqlite3.Error, OSError, Unusable) as error:
            if self.working:
                logger.error(
                    "the history cannot be written: %s; calls go on, it is tried again", error
                )
        except Exception:
            # A row that cannot be bound, and what else is our own fault: the thread goes on.
            logger.exception("the history cannot be written; calls go on, it is tried again")
        else:
            if not self.working:
                logger.warning("the history is written again")
            self.working = True
            return True
        self._behind, self.working = True, False
        self._retry_at = time.monotonic() + RETRY_INTERVAL
        self._let_go()
        return False

    def _write(self, rows: list[Row]) -> None:
        if self._store is None:
            self._store = Store(self._path, self._max_bytes)
        if self._broken.is_set():
            self._broken.clear()
            self._begin_anew(self._store, "a reader met broken pages")
        if time.monotonic() >= self._prune_at:  # the clock of the day may be set back
            self._prune(self._store)
        try:
            self._write_all(self._store, rows)
        except sqlite3.Error as error:
            if is_broken(error):
                self._begin_anew(self._store, str(error))
            elif getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
                self._prune(self._store)
            else:
                raise
            self._write_all(self._store, rows)

    def _write_all(self, store: Store, rows: list[Row]) -> None:
        if self._behind:
            store.write([*self._book.everything_open(), *rows])
        else:
            store.write(rows)
        self._behind = False

    def _begin_anew(self, store: Store, why: str) -> None:
        logger.error("the history in %s is broken (%s) and is begun anew", self._path, why)
        store.set_aside()
        self._behind = True

    def _prune(self, store: Store) -> None:
        self._prune_at = time.monotonic() + PRUNE_INTERVAL
        store.prune(self._clock() - self._max_age)

    def _let_go(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            try:
                store.close()
            except sqlite3.Error:
                logger.debug("the history's file could not be closed", exc_info=True)


def _load_row(scores: list[float], load: Load, rooms: int, participants: int) -> Row:
    parameters: dict[str, Any] = {
        "at": round(load.at),
        "interval": load.interval,
        "rooms": rooms,
        "participants": participants,
        "cpu": load.cpu,
        "busiest_thread": load.busiest_thread,
        "loop_delay": load.loop_delay,
        "received": load.received,
        "forwarded": load.forwarded,
        "dropped": sum(load.drops.values()),
        "overload": load.missed + sum(load.drops.get(reason, 0) for reason in OVERLOAD),
        "score": sum(scores) / len(scores) if scores else None,
        "worst": min(scores, default=None),
    }
    return _LOAD, parameters
