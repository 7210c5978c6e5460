"""What waits to be written is bounded, and what matters less gives way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from signaling import events
from signaling.monitoring.history import History, writer
from signaling.monitoring.history.book import Book
from tests.signaling.monitoring.history.course import BEGIN, Feeder, hears, load

MINOR = [
    hears("a", "ada", "bob", BEGIN),
    events.ConsumerStopped("a", "ada", "ada-bob", "bob-up", "closed", at=BEGIN),
    events.MuteChanged("a", "ada", True, at=BEGIN),
    events.NetworkChanged("a", "ada", "ada-up", "restart", at=BEGIN),
]


@pytest.fixture
def waiting(path: Path, monkeypatch: pytest.MonkeyPatch) -> writer.Writer:
    """One that has not begun to write."""
    monkeypatch.setattr(writer, "MAX_WAITING", 8)
    return writer.Writer(path, 2**26, 1e9)


def test_minor_facts_give_way_to_those_of_rooms_and_people(waiting: writer.Writer) -> None:
    for event in MINOR:
        waiting.put_event("s", event)
    assert waiting.dropped == 0
    for event in MINOR:
        waiting.put_event("s", event)
    assert waiting.dropped == 4
    for _ in range(4):
        waiting.put_event("s", events.ParticipantLeft("a", "ada", "left", at=BEGIN))
    assert waiting.dropped == 4
    waiting.put_event("s", events.RoomEnded("a", at=BEGIN))
    assert waiting.dropped == 5


def test_few_windows_wait(waiting: writer.Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_WINDOWS", 3)
    for number in range(5):
        waiting.put_window([], load(BEGIN + number), 1, 0, {"s"})
    assert waiting.dropped == 2
    waiting.put_event("s", events.RoomStarted("a", at=BEGIN))
    assert waiting.dropped == 2


async def test_windows_that_are_written_make_room(
    history: History, feeder: Feeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_WINDOWS", 3)
    for round in range(4):
        for number in range(3):
            feeder.window(BEGIN + 10 * round + number)
        await feeder.everything_written()
    assert history.written == 12


def test_who_has_left_speaks_no_more_though_it_was_not_told_that_the_voice_ended() -> None:
    book = Book()
    for event in (
        events.RoomStarted("a", at=BEGIN),
        events.ParticipantJoined("a", "ada", "Ada", at=BEGIN),
        events.ParticipantJoined("a", "bob", "Bob", at=BEGIN),
        events.PublisherStarted("a", "bob", "bob-up", at=BEGIN),
    ):
        book.write("s", event)
    ((_, heard),) = book.write("s", hears("a", "ada", "bob", BEGIN))
    assert heard["speaker"] == "bob"

    book.write("s", events.ParticipantLeft("a", "bob", "left", at=BEGIN))

    again = events.ConsumerStarted("a", "ada", "ada-bob-2", "bob-up", at=BEGIN)
    ((_, heard),) = book.write("s", again)
    assert heard["speaker"] is None


async def test_what_ended_while_too_much_waited_is_ended_by_the_next_window(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING", 8)
    history = History(path, 7, 64)
    feeder = Feeder(history)
    feeder.events(
        events.RoomStarted("a", at=BEGIN),
        events.ParticipantJoined("a", "ada", "Ada", at=BEGIN),
        events.RoomStarted("b", at=BEGIN),
        events.ParticipantJoined("b", "bob", "Bob", at=BEGIN),
        events.ParticipantJoined("b", "eve", "Eve", at=BEGIN),
        *[events.ParticipantResumed("b", "bob", 1.0, at=BEGIN)] * 3,
        events.ParticipantLeft("a", "ada", "left", at=BEGIN + 5),
        events.RoomEnded("a", at=BEGIN + 5),
        events.ParticipantLeft("b", "eve", "left", at=BEGIN + 5),
    )
    assert history.dropped == 3
    history.start()
    await feeder.settled()
    book = history._writer._book
    assert set(book._sessions) == {"a", "b"}

    feeder.window(BEGIN + 10)
    await feeder.settled()

    assert set(book._sessions) == {"b"}
    assert set(book._sessions["b"].participations) == {"bob"}
    with sqlite3.connect(path) as database:
        ends = database.execute("SELECT key, left_at, reason FROM participations").fetchall()
        assert sorted(ends) == [
            ("ada", BEGIN + 10, "lost"),
            ("bob", None, None),
            ("eve", BEGIN + 10, "lost"),
        ]
        rooms = database.execute("SELECT room, ended_at FROM sessions").fetchall()
        assert sorted(rooms) == [("a", BEGIN + 10), ("b", None)]
    await history.close()
