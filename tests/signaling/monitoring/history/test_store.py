"""The file gives back what it does not need."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from signaling.monitoring.history import store
from signaling.monitoring.history.store import Store

ROWS = 3000


def _number(path: Path, pragma: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute(f"PRAGMA {pragma}").fetchone()[0])


@pytest.mark.parametrize("rounds", [1, 8])
def test_pages_of_what_is_deleted_are_given_back(
    path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    monkeypatch.setattr(store, "GIVE_BACK_PAGES", 16)
    monkeypatch.setattr(store, "GIVE_BACK_ROUNDS", rounds)
    kept = Store(path, 64 * 2**20)
    try:
        insert = "INSERT INTO load VALUES (:at, 10, 1, 1, 0.5, 0.5, 0.5, 1, 1, 1, 1, 4.4, 4.4)"
        kept.write((insert, {"at": at}) for at in range(ROWS))
        full = _number(path, "page_count")
        kept.prune(ROWS)

        assert full > 40
        given_back = full - _number(path, "page_count")
        free = _number(path, "freelist_count")
        assert (given_back == 16 and free > 0) if rounds == 1 else (given_back > 32 and free == 0)
    finally:
        kept.close()
