"""What happened is there afterwards: rooms, people, curves, events; and after a restart, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signaling import events
from signaling.monitoring.archive import Archive
from signaling.monitoring.history import Busy, History, exports, investigation, queries
from signaling.monitoring.history.reader import Question
from signaling.monitoring.parameters import ApiError, Parameters
from tests.signaling.monitoring.history.course import (
    BEGIN,
    Feeder,
    conversation,
    farewell,
    load,
    quality,
    sample,
    talk,
)


async def test_a_conversation_is_in_the_list(feeder: Feeder) -> None:
    session = await talk(feeder)
    found = await feeder.history.ask(lambda ask: queries.rooms(ask, 0, 1e11, None, 10, None))

    assert found["next"] is None
    (room,) = found["rooms"]
    assert room["session_id"] == session
    assert room["room"] == "a"
    assert room["started_at"] == BEGIN
    assert room["ended_at"] == BEGIN + 71
    assert room["participations"] == 2
    assert room["score"] == pytest.approx((4.4 + 4.3 + 4.4 + 1.8) / 4, abs=0.02)
    assert room["worst_score"] == pytest.approx((4.4 + 1.8) / 2, abs=0.02)
    assert room["lowest_score"] == pytest.approx(1.8, abs=0.02)
    assert feeder.history.session("a") is None


async def test_a_room_with_its_people_events_and_curve(feeder: Feeder) -> None:
    session = await talk(feeder)
    room = await feeder.history.ask(lambda ask: queries.room(ask, session))

    assert room is not None
    ada, bob = room["participations"]
    assert (ada["name"], ada["joined_at"], ada["reason"]) == ("Ada", BEGIN, "left")
    assert (bob["left_at"], bob["reason"]) == (BEGIN + 70, "disconnected")
    assert bob["sent_score"] == pytest.approx(4.4, abs=0.01)
    assert bob["heard_score"] == pytest.approx(1.8, abs=0.01)
    assert bob["worst_score"] == pytest.approx(1.8, abs=0.01)
    assert [(event["at"] - BEGIN, event["kind"]) for event in room["events"]] == [
        (0, "joined"),
        (1, "publishing"),
        (5, "joined"),
        (6, "publishing"),
        (70, "published"),
        (70, "left"),
        (71, "published"),
        (71, "left"),
    ]
    assert [point["at"] - BEGIN for point in room["curve"]] == [20, 30, 40, 50, 60]
    assert {point["participants"] for point in room["curve"]} == {2}
    assert room["curve"][0]["loss_down"] == pytest.approx(0.1, abs=0.001)
    assert room["curve"][0]["worst_score"] == pytest.approx(1.8, abs=0.01)
    assert room["truncated"] is False
    assert await feeder.history.ask(lambda ask: queries.room(ask, "nothing")) is None


async def test_nothing_ends_before_it_began_when_the_clock_is_set_back(feeder: Feeder) -> None:
    feeder.events(*conversation())
    session = feeder.history.session("a")
    assert session is not None
    feeder.events(*farewell(at=BEGIN - 3600))
    await feeder.everything_written()
    room = await feeder.history.ask(lambda ask: queries.room(ask, session))

    assert room is not None
    times = {one["name"]: (one["joined_at"], one["left_at"]) for one in room["participations"]}
    assert times == {"Ada": (BEGIN, BEGIN), "Bob": (BEGIN + 5, BEGIN + 5)}
    assert (room["started_at"], room["ended_at"]) == (BEGIN, BEGIN + 5)
    spans = await feeder.history.ask(
        lambda ask: ask.database.execute(
            "SELECT min(ended_at - started_at) FROM connections"
        ).fetchall()
    )
    assert [span for (span,) in spans] == [0]


async def test_everybody_in_a_room_as_a_strip(
    feeder: Feeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "STRIP_POINTS", 4)
    feeder.events(*conversation())
    session = feeder.history.session("a")
    assert session is not None
    for number, score in enumerate((4.4, 2.0, 4.4, None, 4.4, 4.4, 4.4, 4.4), 1):
        now = BEGIN + 10 * number
        people = [sample("a", "ada", quality(now, score))] if score else []
        feeder.window(now, *people)
    await feeder.everything_written()
    room = await feeder.history.ask(lambda ask: queries.room(ask, session))

    assert room is not None
    ada, bob = room["participations"]
    assert [(at - BEGIN, score and round(score, 1)) for at, score in ada["strip"]] == [
        (0, 2.0),
        (20, 4.4),
        (30, None),
        (40, 4.4),
        (60, 4.4),
    ]
    assert bob["strip"] == []


async def test_somebody_is_found_by_name(feeder: Feeder) -> None:
    for room, at in (("a", BEGIN), ("b", BEGIN + 500)):
        feeder.events(
            events.RoomStarted(room, at=at),
            events.ParticipantJoined(room, f"{room}1", "Ada Ö", "ada@example.org", at=at),
            events.ParticipantJoined(room, f"{room}2", "Bob %", at=at),
            events.ParticipantLeft(room, f"{room}1", "left", at=at + 100),
        )
    await feeder.everything_written()

    async def found(name: str, begin: float = 0, limit: int = 10) -> list[str]:
        answer = await feeder.history.ask(
            lambda ask: queries.named_participations(ask, name, begin, 1e11, limit)
        )
        assert answer["truncated"] is (limit == 1)
        return [
            f"{each['participation_id']} in {each['room']}" for each in answer["participations"]
        ]

    assert await found("aDa") == ["b1 in b", "a1 in a"]
    assert await found("EXAMPLE.org", begin=BEGIN + 300) == ["b1 in b"]
    assert await found("%") == ["b2 in b", "a2 in a"]
    assert await found("a", limit=1) == ["b1 in b"]
    assert await found("' OR 1") == []


async def test_a_participation_connection_by_connection(feeder: Feeder) -> None:
    session = await talk(feeder)
    bob = await feeder.history.ask(lambda ask: queries.participation(ask, "bob"))

    assert bob is not None
    assert (bob["participation_id"], bob["session_id"], bob["room"]) == ("bob", session, "a")
    up, down = bob["connections"]
    assert (up["direction"], up["speaker_id"], up["connection_id"]) == ("up", "bob", "bob-up")
    assert (down["direction"], down["speaker_id"], down["speaker_name"]) == ("down", "ada", "Ada")
    assert len(up["curve"]) == len(down["curve"]) == 5
    assert down["curve"][0]["loss"] == pytest.approx(0.2, abs=1e-4)
    assert down["curve"][0]["packets"] == 500
    assert "hearing" in [event["kind"] for event in bob["events"]]


async def test_events_of_a_call(feeder: Feeder) -> None:
    feeder.events(
        *conversation(),
        events.MuteChanged("a", "ada", True, at=BEGIN + 10),
        events.MuteChanged("a", "ada", False, at=BEGIN + 11),
        events.ParticipantResumed("a", "ada", 2.5, at=BEGIN + 12),
        events.NetworkChanged("a", "ada", "ada-up", "restart", at=BEGIN + 13),
        events.NetworkChanged("a", "ada", "ada-up", "address", at=BEGIN + 14),
        events.QualityFell("a", "ada", "ada-bob", 2.2, 3.1, at=BEGIN + 15),
    )
    await feeder.everything_written()
    ada = await feeder.history.ask(lambda ask: queries.participation(ask, "ada"))

    assert ada is not None
    happened = {event["kind"]: event for event in ada["events"]}
    assert happened["resumed"]["gap"] == 2.5
    assert happened["restarted"]["connection_id"] == "ada-up"
    assert happened["address_changed"]["at"] == BEGIN + 14
    assert happened["quality_fell"]["score"] == 2.2
    assert {"muted", "unmuted"} <= set(happened)


async def test_pages_of_a_long_list(feeder: Feeder) -> None:
    for number in range(5):
        await talk(feeder, f"room-{number}", BEGIN + 1000 * (number // 2), windows=1)
    names: list[str] = []
    cursor = None
    for _ in range(3):

        def ask(question: Question, cursor: str | None = cursor) -> queries.Json:
            return queries.rooms(question, 0, 1e11, None, 2, cursor)

        page = await feeder.history.ask(ask)
        names += [room["room"] for room in page["rooms"]]
        cursor = page["next"]
    assert cursor is None
    assert names == ["room-4", "room-3", "room-2", "room-1", "room-0"]


async def test_periods_and_names(feeder: Feeder) -> None:
    await talk(feeder, "early", BEGIN)
    await talk(feeder, "late", BEGIN + 1000)

    async def found(begin: float, end: float, name: str | None = None) -> list[str]:
        page = await feeder.history.ask(lambda ask: queries.rooms(ask, begin, end, name, 10, None))
        return [room["room"] for room in page["rooms"]]

    assert await found(0, BEGIN + 500) == ["early"]
    assert await found(BEGIN + 70, BEGIN + 2000) == ["late", "early"]
    assert await found(BEGIN + 100, BEGIN + 900) == []
    assert await found(0, 1e11, "late") == ["late"]


async def test_a_time_line_in_buckets(feeder: Feeder) -> None:
    await talk(feeder, windows=4)
    busy = load(BEGIN + 200, busiest_thread=0.9, drops={"rtp_muted": 3, "inbox_full": 4}, sent=77)
    feeder.window(BEGIN + 200, busy=busy, rooms=0)
    await feeder.everything_written()
    found = await feeder.history.ask(lambda ask: queries.timeline(ask, BEGIN, BEGIN + 300, 60.0))

    first, last = found["points"]
    assert (first["at"], last["at"]) == (BEGIN, BEGIN + 180)
    assert (first["rooms"], first["participants"]) == (1, 2)
    assert first["packets_forwarded"] == 4000
    assert first["score"] == pytest.approx((4.4 + 4.3 + 4.4 + 1.8) / 4, abs=0.02)
    assert first["worst_score"] == pytest.approx(1.8, abs=0.01)
    assert (last["busiest_thread"], last["packets_dropped"], last["score"]) == (0.9, 7, None)


async def test_long_curves_are_thinned(feeder: Feeder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_POINTS", 10)
    session = await talk(feeder, windows=30)
    bob = await feeder.history.ask(lambda ask: queries.participation(ask, "bob"))
    room = await feeder.history.ask(lambda ask: queries.room(ask, session))

    assert bob is not None
    assert room is not None
    curves = [connection["curve"] for connection in bob["connections"]]
    assert sum(map(len, curves)) <= 10
    assert sum(point["packets"] for point in curves[0]) == 30 * 500
    assert curves[1][0]["loss"] == pytest.approx(0.2, abs=1e-4)
    assert len(room["curve"]) <= 10
    assert {point["participants"] for point in room["curve"]} == {2}


async def test_a_room_of_more_points_than_are_read_is_cut(
    feeder: Feeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await talk(feeder)
    whole = await feeder.history.ask(lambda ask: queries.room(ask, session))
    monkeypatch.setattr(queries, "MAX_WINDOWS", 7)
    room = await feeder.history.ask(lambda ask: queries.room(ask, session))

    assert whole is not None
    assert room is not None
    assert whole["truncated"] is False
    assert sum(point["participants"] for point in whole["curve"]) == 10
    assert room["truncated"] is True
    assert sum(point["participants"] for point in room["curve"]) == 7
    assert len(room["participations"]) == 2


async def test_tables(feeder: Feeder) -> None:
    session = await talk(feeder)
    table = await feeder.history.ask(lambda ask: exports.room(ask, session))

    assert table is not None
    body, truncated = table
    lines = body.decode().splitlines()
    assert not truncated
    assert lines[0].startswith(
        "participation_id,name,connection_id,direction,speaker_id,speaker_name,at"
    )
    assert len(lines) == 1 + 4 * 5
    assert await feeder.history.ask(lambda ask: exports.room(ask, "nothing")) is None
    assert await feeder.history.ask(lambda ask: exports.participation(ask, "nobody")) is None


async def test_tables_are_cut(feeder: Feeder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_ROWS", 3)
    await talk(feeder)
    table = await feeder.history.ask(lambda ask: exports.participation(ask, "bob"))

    assert table is not None
    assert len(table[0].decode().splitlines()) == 1 + 3
    assert table[1]


async def test_the_likely_cause(feeder: Feeder) -> None:
    session = await talk(feeder)
    bob = await feeder.history.ask(lambda ask: investigation.participation(ask, "bob"))
    room = await feeder.history.ask(lambda ask: investigation.room(ask, session))

    assert bob is not None
    assert room is not None
    assert bob["cause"] == "downlink_loss"
    assert bob["bad_share"] == 1.0
    assert bob["evidence"][0]["figures"]["loss"] == pytest.approx(0.2, abs=1e-3)
    assert "20.0 %" in bob["summary"]
    assert room["cause"] == "downlink_loss"
    assert [each["name"] for each in room["participations"]] == ["Bob", "Ada"]
    assert room["participations"][1]["cause"] == "none"
    json.dumps(room)
    assert await feeder.history.ask(lambda ask: investigation.participation(ask, "x")) is None
    assert await feeder.history.ask(lambda ask: investigation.room(ask, "x")) is None


async def test_a_diagnosis_is_bounded(feeder: Feeder, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await talk(feeder, windows=5)
    # Two uplinks are kept, and one person's ten records are looked at besides.
    monkeypatch.setattr(investigation, "MAX_RECORDS", 20)
    assert await feeder.history.ask(lambda ask: investigation.room(ask, session)) is not None
    monkeypatch.setattr(investigation, "MAX_RECORDS", 19)
    with pytest.raises(Busy):
        await feeder.history.ask(lambda ask: investigation.room(ask, session))
    monkeypatch.setattr(investigation, "MAX_RECORDS", 9)
    with pytest.raises(Busy):
        await feeder.history.ask(lambda ask: investigation.participation(ask, "bob"))
    assert await feeder.history.ask(lambda ask: exports.room(ask, session)) is not None


async def test_a_speakers_own_loss_is_found_at_who_hears_it(feeder: Feeder) -> None:
    feeder.events(*conversation())
    for number in range(1, 6):
        at = BEGIN + 10 + 10 * number
        feeder.window(
            at,
            sample("a", "ada", quality(at, 2.0, 0.15), bob=quality(at)),
            # A little earlier, as the sampler comes by.
            sample("a", "bob", quality(at - 0.4), ada=quality(at - 0.4, 2.0, 0.0)),
        )
    await feeder.everything_written()
    for person, who in (("bob", "Bob heard Ada badly"), ("ada", "The others heard Ada badly")):

        def ask(question: Question, person: str = person) -> queries.Json | None:
            return investigation.participation(question, person)

        found = await feeder.history.ask(ask)
        assert found is not None
        assert found["cause"] == "uplink_loss"
        assert found["summary"].startswith(who)


async def test_a_lost_connection_is_a_change_of_network(feeder: Feeder) -> None:
    feeder.events(
        *conversation(),
        events.ConsumerStopped("a", "bob", "bob-ada", "ada-up", "failed", at=BEGIN + 100),
        events.ConsumerStarted("a", "bob", "again", "ada-up", at=BEGIN + 125),
    )
    feeder.window(BEGIN + 90, sample("a", "bob", quality(BEGIN + 90), ada=quality(BEGIN + 90)))
    await feeder.everything_written()
    found = await feeder.history.ask(lambda ask: investigation.participation(ask, "bob"))

    assert found is not None
    assert found["cause"] == "network_change"
    assert found["evidence"][0]["figures"]["silence"] == 25


async def test_the_archive_answers(feeder: Feeder) -> None:
    session = await talk(feeder)
    archive = Archive(feeder.history, lambda: BEGIN + 600)

    async def ask(path: str) -> tuple[str, bytes]:
        parameters = Parameters(f"/api/v1/history/{path}")
        handler = archive.route(parameters.path[3:])
        assert handler is not None
        page = await handler(parameters)
        return dict(page.headers)["Content-Type"], page.body

    for path in (
        "rooms",
        f"rooms/{session}",
        f"rooms/{session}/diagnosis",
        "participations?name=bo",
        "participations/bob",
        "participations/bob/diagnosis",
        "timeline",
    ):
        kind, body = await ask(path)
        assert kind == "application/json"
        assert json.loads(body)
    for path in ("rooms", f"rooms/{session}", "participations/bob", "timeline"):
        kind, body = await ask(f"{path}?format=csv")
        assert kind.startswith("text/csv")
        assert body.count(b"\r\n") > 1
    for path, code in (
        ("rooms/nothing", "not_found"),
        ("rooms/..%2f", "not_found"),
        ("participations/nobody/diagnosis", "not_found"),
        ("participations", "bad_request"),
        ("rooms?cursor=x", "bad_request"),
        ("rooms?cursor=nan~1", "bad_request"),
        (f"rooms?cursor=1~{'9' * 30}", "bad_request"),
        ("timeline?from=0&to=1e10&bucket=10", "bad_request"),
        ("timeline?bucket=1", "bad_request"),
    ):
        with pytest.raises(ApiError) as caught:
            await ask(path)
        assert caught.value.code == code
    assert archive.route(("nothing",)) is None


async def test_who_was_there_at_the_end_of_a_life_is_lost(path: Path, feeder: Feeder) -> None:
    feeder.events(*conversation())
    feeder.window(BEGIN + 20, sample("a", "ada", quality(BEGIN + 20)))
    feeder.window(BEGIN + 30, sample("a", "ada", quality(BEGIN + 30)))
    await feeder.everything_written()
    await feeder.history.close()

    again = History(path, 30, 64, lambda: BEGIN + 3600)
    again.start()
    after = Feeder(again)
    await talk(after, "b", BEGIN + 500)
    page = await again.ask(lambda ask: queries.rooms(ask, 0, 1e11, "a", 10, None))
    await again.close()

    (room,) = page["rooms"]
    assert room["ended_at"] == BEGIN + 30
