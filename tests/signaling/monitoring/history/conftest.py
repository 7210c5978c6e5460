"""A history in a file of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signaling.monitoring.history import History, writer
from tests.signaling.monitoring.history.course import BEGIN, Feeder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits to be written is not kept waiting, and a fault is soon tried again."""
    monkeypatch.setattr(writer, "LINGER", 0.01)
    monkeypatch.setattr(writer, "RETRY_INTERVAL", 0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.db"


@pytest.fixture
async def history(path: Path) -> AsyncIterator[History]:
    history = History(path, 30, 64, lambda: BEGIN + 3600)
    history.start()
    yield history
    await history.close()


@pytest.fixture
def feeder(history: History) -> Feeder:
    return Feeder(history)
