"""The history's file: opened, written, kept within bounds. All of it on the writer's thread.

SQLite with a write-ahead log: a process that is killed loses what was not committed, a few seconds, and
never the file. A file that is broken is put aside and begun anew.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from signaling.monitoring.history.book import Row
from signaling.monitoring.history.schema import (
    APPLICATION_ID,
    CLOSE_WHAT_WAS_OPEN,
    STATEMENTS,
    VERSION,
)

logger = logging.getLogger(__name__)

PAGE_SIZE = 4096
FULL, LOW = 0.9, 0.8
"""Shares of the size limit: at the one the oldest is deleted, down to the other. The rest is room for the
write-ahead log."""

MAX_LOG_SIZE = 4 * 2**20
"""Bytes of the write-ahead log that stay after a checkpoint."""

SIZE_PART = 20
"""The oldest twentieth of all participations goes at once when there is no room."""

GIVE_BACK_PAGES, GIVE_BACK_ROUNDS = 512, 8
"""Free pages that go back to the disk in one transaction, which the write-ahead log has to hold, and
transactions of that kind in a row."""


class Unusable(Exception):
    """A file that cannot be used, and not because it is broken: another process has it, or there is no
    such folder. Its text says which."""


class Store:
    """An open file. path: where; max_bytes: of it, with its log. Raises Unusable, sqlite3.Error,
    OSError."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max(max_bytes, 64 * PAGE_SIZE + MAX_LOG_SIZE)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(path)
        try:
            self._database = self._open_or_begin_anew()
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Write the log back, and close."""
        self._database.close()
        os.close(self._lock)

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows in one transaction: all or none. Raises sqlite3.Error."""
        with self._database:
            self._database.execute("BEGIN")
            for statement, parameters in rows:
                self._database.execute(statement, parameters)

    def set_aside(self) -> None:
        """The file turned out to be broken: begin a new one. Raises like the constructor."""
        self._database.close()
        _put_aside(self.path)
        self._database = self._open()

    def size(self) -> int:
        """Bytes that the file's content takes."""
        pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        return pages * PAGE_SIZE

    def prune(self, before: float) -> None:
        """Delete what ended before a time (Unix seconds), and as much more as the size limit asks for."""
        self._delete_before(before)
        room = self._max_bytes - MAX_LOG_SIZE
        if self.size() > FULL * room:
            while self.size() > LOW * room and self._delete_oldest():
                pass
        self._give_back()

    def _give_back(self) -> None:
        """Give free pages back to the disk, some megabytes at most: the rest is for the next time."""
        for _ in range(GIVE_BACK_ROUNDS):
            pages = min(self._number("PRAGMA freelist_count"), GIVE_BACK_PAGES)
            if not pages:
                return
            with self._database:
                self._database.execute("BEGIN")
                for _ in range(pages):
                    # One at a time: Python steps once through a statement that has no columns, and each
                    # step frees one page.
                    self._database.execute("PRAGMA incremental_vacuum(1)").fetchall()

    def _delete_oldest(self) -> bool:
        """Delete the oldest part; False where there is nothing to delete."""
        ended = self._number("SELECT count(*) FROM participations WHERE left_at IS NOT NULL")
        if ended:
            query = (
                "SELECT left_at FROM participations WHERE left_at IS NOT NULL"
                " ORDER BY left_at LIMIT 1 OFFSET ?"
            )
            (cut,) = self._database.execute(query, (ended // SIZE_PART,)).fetchone()
        else:
            query = "SELECT min(at), max(at) FROM windows"
            first, last = self._database.execute(query).fetchone()
            if first is None or first == last:
                return False
            cut = first + (last - first) / SIZE_PART
        before = self.size()
        # The one at the cut goes, too, so that each round deletes something.
        self._delete_before(float(cut) + 1)
        return self.size() < before

    def _delete_before(self, time: float) -> None:
        with self._database:
            self._database.execute("BEGIN")
            for statement in (
                "DELETE FROM participations WHERE left_at < :time",
                "DELETE FROM sessions WHERE ended_at < :time",
                # Who has been there for longer than that loses the beginning.
                "DELETE FROM windows WHERE at < :time AND participation IN"
                " (SELECT id FROM participations WHERE left_at IS NULL AND joined_at < :time)",
                "DELETE FROM load WHERE at < :time",
            ):
                self._database.execute(statement, {"time": time})

    def _number(self, query: str) -> int:
        (number,) = self._database.execute(query).fetchone()
        return int(number)

    def _open_or_begin_anew(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            logger.error("the history in %s is broken (%s) and is begun anew", self.path, error)
        _put_aside(self.path)
        return self._open()

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # names of people are in it
        database = sqlite3.connect(self.path, isolation_level=None, timeout=5)
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        def number(query: str) -> int:
            return int(database.execute(query).fetchone()[0])

        if number("PRAGMA page_count") == 0:
            database.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("PRAGMA journal_mode = WAL")
        for setting in (
            "synchronous = NORMAL",  # a power cut may cost the last seconds, not the file
            f"journal_size_limit = {MAX_LOG_SIZE}",
            f"max_page_count = {(self._max_bytes - MAX_LOG_SIZE) // PAGE_SIZE}",
            "foreign_keys = ON",
            "temp_store = MEMORY",
        ):
            database.execute(f"PRAGMA {setting}")
        application, version = number("PRAGMA application_id"), number("PRAGMA user_version")
        tables = number("SELECT count(*) FROM sqlite_schema")
        if tables and (application, version) != (APPLICATION_ID, VERSION):
            raise Unusable(f"{self.path} is not a history of this version")
        with database:
            database.execute("BEGIN IMMEDIATE")
            for statement in CLOSE_WHAT_WAS_OPEN if tables else STATEMENTS:
                database.execute(statement)


def is_broken(error: sqlite3.Error) -> bool:
    """Whether an error says that the file itself is of no use, rather than the disk or a lock."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _lock(path: Path) -> int:
    """Hold the file against another process; it is let go with the process, whatever ends that."""
    descriptor = os.open(f"{path}-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Unusable(f"another process writes {path}") from None
    return descriptor


def _put_aside(path: Path) -> None:
    """Keep a broken file for whoever wants to look at it; the one from the last time goes."""
    for suffix in ("", "-wal", "-shm"):
        source = Path(f"{path}{suffix}")
        if source.exists():
            os.replace(source, f"{path}.broken{suffix}")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that can change nothing. Raises sqlite3.Error."""
    database = sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True, timeout=1)
    database.execute("PRAGMA query_only = ON")
    database.row_factory = sqlite3.Row
    return database
