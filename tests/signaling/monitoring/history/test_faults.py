"""A killed process, a full disk, a broken file, a flood: calls go on, and the history after it."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from signaling.events import ParticipantJoined, ParticipantLeft, RoomEnded, RoomStarted
from signaling.monitoring.history import Busy, History, Unavailable, queries, reader, writer
from signaling.monitoring.history.reader import Question
from tests.signaling.monitoring.fixtures import until
from tests.signaling.monitoring.history.course import (
    BEGIN,
    Feeder,
    conversation,
    farewell,
    joined,
    left,
    quality,
    sample,
    talk,
)

TALKS_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from signaling.monitoring.history import History
from tests.signaling.monitoring.history.course import BEGIN, Feeder, conversation, quality, sample

async def main():
    history = History(Path(sys.argv[1]), 30, 64, lambda: BEGIN)
    history.start()
    feeder = Feeder(history)
    feeder.events(*conversation())
    print(history.session("a"), flush=True)
    number = 0
    while True:
        number += 1
        at = BEGIN + 10 * number
        feeder.window(at, sample("a", "ada", quality(at), bob=quality(at)), sample("a", "bob", quality(at)))
        await asyncio.sleep(0.002)
        print(history.written, flush=True)

asyncio.run(main())
"""


@asynccontextmanager
async def _opened(path: Path, mebibytes: int = 64, days: int = 30) -> AsyncIterator[Feeder]:
    history = History(path, days, mebibytes, lambda: BEGIN + 3600)
    history.start()
    try:
        yield Feeder(history)
    finally:
        await history.close()


async def _rooms(history: History) -> list[queries.Json]:
    found = await history.ask(lambda ask: queries.rooms(ask, 0, 1e11, None, 100, None))
    rooms: list[queries.Json] = found["rooms"]
    return rooms


def _talk_until_killed(path: Path) -> tuple[str, int]:
    """Another process talks and is killed in the middle of it: the session, and how many facts it had
    written by its own account."""
    process = subprocess.Popen(
        [sys.executable, "-c", TALKS_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        session = process.stdout.readline().strip()
        written = 0
        while written < 300:
            written = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    return session, written


async def test_a_killed_process_loses_seconds_and_who_was_there_is_lost(path: Path) -> None:
    session, written = _talk_until_killed(path)

    async with _opened(path) as feeder:
        feeder.events(*conversation("b", BEGIN + 1e6)[:1])
        await feeder.everything_written()
        room = await feeder.history.ask(lambda ask: queries.room(ask, session))
        assert room is not None
        last = BEGIN + 10 * (written - len(conversation()))
        assert room["ended_at"] >= last
        seconds = sum(point["interval"] for point in room["curve"])
        assert seconds >= 10 * (written - len(conversation()))
        assert [person["reason"] for person in room["participations"]] == ["lost", "lost"]
        assert all(person["left_at"] >= last for person in room["participations"])
        ada = await feeder.history.ask(lambda ask: queries.participation(ask, "ada"))
        assert ada is not None
        assert {each["reason"] for each in ada["connections"]} == {"lost"}


@contextmanager
def _full_disk(size: int) -> Iterator[None]:
    """No file of this process can grow beyond a size; SIGXFSZ is ignored by Python."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_costs_what_happens_meanwhile_and_no_more(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_INTERVAL", 0.0)
    async with _opened(path) as feeder:
        await talk(feeder, "a", windows=1)
        history = feeder.history
        caplog.clear()
        with _full_disk(8192):
            feeder.events(*conversation("b", BEGIN + 100))
            at = BEGIN + 120
            feeder.window(at, sample("b", "ada", quality(at)))
            await feeder.settled()
            assert not history.working
            assert (dropped := history.dropped) > 0
            feeder.window(at + 10)
            await feeder.settled()
            assert history.dropped == dropped + 1
            # Reading what was there goes on where the system lets it.
        at = BEGIN + 140
        session = history.session("b")
        assert session is not None

        def again() -> bool:
            feeder.window(at, sample("b", "ada", quality(at)))
            return history.working

        await until(again)
        await feeder.settled()
        feeder.events(*farewell("b", BEGIN + 200))
        await feeder.settled()
        room = await history.ask(lambda ask: queries.room(ask, session))

    assert room is not None
    assert room["ended_at"] == BEGIN + 201
    faults = [record for record in caplog.records if "cannot be written" in record.message]
    assert [record.exc_info for record in faults] == [None]  # one line, whatever is tried again
    assert "the history is written again" in caplog.text


@pytest.mark.parametrize("kind", ["garbage", "pages"])
async def test_a_broken_file_is_set_aside_and_begun_anew(
    path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    async with _opened(path) as feeder:
        for number in range(20):
            await talk(feeder, f"room-{number}", BEGIN + 100 * number, windows=3)
    _break(path, 0 if kind == "garbage" else 1)  # the first page may be whole
    caplog.clear()
    async with _opened(path) as feeder:
        session = await talk(feeder, "after", BEGIN + 5000)
        room = await feeder.history.ask(lambda ask: queries.room(ask, session))
        assert [each["room"] for each in await _rooms(feeder.history)] == ["after"]

    assert room is not None
    assert len(room["curve"]) == 5
    assert _stored(Path(f"{path}.broken"))
    assert caplog.text.count("is broken") == 1


async def test_pages_that_break_while_it_runs(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Noticed by a reader: the writer only appends."""
    async with _opened(path) as feeder:
        sessions = [
            await talk(feeder, f"room-{number}", BEGIN + 100 * number, windows=3)
            for number in range(20)
        ]
    async with _opened(path) as feeder:
        feeder.events(*conversation("b", BEGIN + 3000))
        await feeder.settled()
        _break(path, 1)
        with pytest.raises(Unavailable):
            await feeder.history.ask(lambda ask: queries.room(ask, sessions[0]))
        at = BEGIN + 3050
        feeder.window(at, sample("b", "ada", quality(at)))
        await feeder.settled()
        feeder.events(*farewell("b", BEGIN + 3100))
        await feeder.settled()
        (room,) = await _rooms(feeder.history)
        assert (room["room"], room["started_at"], room["participations"]) == ("b", BEGIN + 3000, 2)
    assert "a reader met broken pages" in caplog.text


def _break(path: Path, page: int) -> None:
    """Overwrite a file from a page on; the first has the number 0."""
    with path.open("r+b") as file:
        file.seek(4096 * page)
        file.write(os.urandom(path.stat().st_size - 4096 * page))


def _folder_of(path: Path) -> None:
    path.parent.mkdir(parents=True)


def _stored(path: Path) -> bytes:
    return path.read_bytes()


async def test_a_file_of_something_else_is_left_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _folder_of(path)
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE diary (entry TEXT)")
    database.commit()
    database.close()
    before = _stored(path)
    async with _opened(path) as feeder:
        feeder.events(*conversation())
        await feeder.settled()
        assert not feeder.history.working

    assert "not a history of this version" in caplog.text
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM diary").fetchone() == (0,)
    database.close()
    assert len(before) == len(_stored(path))


async def test_a_file_of_another_process_is_left_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with _opened(path) as first:
        await talk(first)
        async with _opened(path) as second:
            second.events(*conversation("b"))
            await second.settled()
            assert not second.history.working
        assert "another process writes" in caplog.text
        await talk(first, "c", BEGIN + 1000)
        assert {each["room"] for each in await _rooms(first.history)} == {"a", "c"}


async def test_a_place_that_cannot_be_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.close(os.open(tmp_path / "file", os.O_CREAT))  # no folder
    async with _opened(tmp_path / "file" / "history.db") as feeder:
        feeder.events(*conversation())
        await feeder.settled()
        assert not feeder.history.working
        with pytest.raises(Unavailable):
            await _rooms(feeder.history)

    assert caplog.text.count("the history cannot be written") == 1


async def test_a_flood_is_dropped_and_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING", 10)
    monkeypatch.setattr(writer, "LINGER", 0.2)
    async with _opened(path) as feeder:
        feeder.events(*conversation()[:3])
        await feeder.everything_written()
        for number in range(500):
            at = BEGIN + number
            feeder.window(at, sample("a", "ada", quality(at)))
        await feeder.settled()
        assert feeder.history.dropped >= 400
        assert feeder.history.working


async def test_a_fact_that_cannot_be_bound_does_not_end_the_thread(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with _opened(path) as feeder:
        feeder.events(RoomStarted("a", at=BEGIN))
        feeder.events(ParticipantJoined("a", "ada", "Ada\ud83d", at=BEGIN))
        await feeder.settled()
        assert feeder.history.dropped > 0
        feeder.events(ParticipantLeft("a", "ada", "left", at=BEGIN))
        await feeder.settled()
        assert "UnicodeEncodeError" in caplog.text
        at = BEGIN + 20

        def again() -> bool:
            feeder.window(at, sample("a", "bob", quality(at)))
            return feeder.history.working

        await until(again)
        await feeder.settled()
        feeder.events(*conversation("b", BEGIN + 30))
        await feeder.settled()
        assert {each["room"] for each in await _rooms(feeder.history)} == {"a", "b"}


async def test_the_file_is_for_its_owner_only(path: Path, feeder: Feeder) -> None:
    await talk(feeder)

    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(f"{path}-wal").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700


async def test_what_is_old_goes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = 86_400.0
    async with _opened(path) as feeder:
        await talk(feeder, "old", BEGIN - 40 * day)
        await talk(feeder, "young", BEGIN - day)
    monkeypatch.setattr(writer, "PRUNE_INTERVAL", 0.0)
    async with _opened(path) as feeder:
        await talk(feeder, "now", BEGIN)
        assert [each["room"] for each in await _rooms(feeder.history)] == ["now", "young"]

        def old(ask: Question) -> list[int]:
            before = (BEGIN - 30 * day,)
            tables = ("windows", "load", "events")
            execute = ask.database.execute
            counts = [execute(f"SELECT count(*) FROM {t} WHERE at < ?", before) for t in tables]
            return [cursor.fetchone()[0] for cursor in counts]

        assert await feeder.history.ask(old) == [0, 0, 0]


async def test_what_is_old_goes_after_the_clock_was_set_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    year = 365 * 86_400.0
    times = [BEGIN + year]
    monkeypatch.setattr(writer, "PRUNE_INTERVAL", 0.0)
    history = History(path, 30, 64, lambda: times[-1])
    history.start()
    feeder = Feeder(history)
    try:
        feeder.window(BEGIN + year)
        await feeder.everything_written()
        times.append(BEGIN + 3600)
        await talk(feeder, "old", BEGIN - year)
        feeder.window(BEGIN)  # what is written after it takes it away
        await feeder.everything_written()
        assert await _rooms(history) == []
    finally:
        await history.close()


async def test_the_file_stays_within_its_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mebibytes = 5  # of which four are for the log
    monkeypatch.setattr(writer, "PRUNE_INTERVAL", 1e9)  # by what does not fit, not by the clock
    async with _opened(path, mebibytes) as feeder:
        for number in range(30):
            room, at = f"room-{number}", BEGIN + 1000 * number
            people = [f"p{number}-{place}" for place in range(20)]
            feeder.events(*conversation(room, at)[:1])
            for person in people:
                feeder.events(*joined(room, person, at))
            for window in range(60):
                now = at + 10 * window
                feeder.window(now, *(sample(room, person, quality(now)) for person in people))
                if window % writer.MAX_WINDOWS == writer.MAX_WINDOWS - 1:
                    await feeder.settled()
            for person in people:
                feeder.events(*left(room, person, at + 700))
            feeder.events(RoomEnded(room, at=at + 700))
            await feeder.settled()
        rooms = await _rooms(feeder.history)
        assert feeder.history.working
        assert feeder.history.dropped == 0

    assert rooms[0]["room"] == "room-29"
    assert rooms[0]["participations"] == 20
    assert 1 < len(rooms) < 30
    assert len(_stored(path)) <= mebibytes * 2**20


async def test_questions_are_bounded_in_time_and_number(
    feeder: Feeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(feeder)
    monkeypatch.setattr(reader, "TIME_LIMIT", 0.05)

    def for_ever(ask: Question) -> object:
        query = (
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )
        return ask.database.execute(query).fetchall()

    with pytest.raises(Busy):
        await feeder.history.ask(for_ever)
    monkeypatch.setattr(reader, "MAX_WAITING", 0)
    with pytest.raises(Busy):
        await feeder.history.ask(lambda ask: None)


async def test_questions_change_nothing(feeder: Feeder) -> None:
    await talk(feeder)
    with pytest.raises(Unavailable):
        await feeder.history.ask(lambda ask: ask.database.execute("DELETE FROM sessions"))
    assert len(await _rooms(feeder.history)) == 1
