"""What the history is asked, as the values that docs/api.md describes. Runs on the reader's thread.

Every answer is bounded: by a limit and a cursor, by the number of points of a curve, by rows of a table.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Container, Iterator
from typing import Any

from signaling.monitoring.history.book import UP
from signaling.monitoring.history.packing import Window, unpack_records, unpack_window
from signaling.monitoring.history.reader import Question
from signaling.monitoring.meters import Quality

MAX_POINTS = 4000
"""Of one curve; more are put together."""

STRIP_POINTS = 120
"""Of one person in a room, over the whole of its time."""

MAX_EVENTS = 5000
MAX_PARTICIPATIONS = 2000
MAX_CONNECTIONS = 2000
MAX_WINDOWS = 300_000
"""In one answer; the rest is left out and `truncated` says so."""

Row = sqlite3.Row
Json = dict[str, Any]

_SCORES = """
    (sent_sum + heard_sum) / NULLIF(sent_count + heard_count, 0) AS score, worst AS worst_score,
    sent_sum / NULLIF(sent_count, 0) AS sent_score, heard_sum / NULLIF(heard_count, 0) AS heard_score
"""
_PARTICIPATION = f"""SELECT p.id, p.key, p.name, p.identity, p.joined_at, p.left_at, p.reason, p.seen_at,
    s.key AS session, s.room, {_SCORES} FROM participations p JOIN sessions s ON s.id = p.session"""


def rooms(
    question: Question, begin: float, end: float, room: str | None, limit: int, cursor: str | None
) -> Json:
    """Sessions that were open in a period, the latest first. cursor: `next` of the answer before. Raises
    ValueError for a cursor that is none."""
    before, below = _read_cursor(cursor)
    found = question.database.execute(
        """SELECT s.id, s.key AS session_id, s.room, s.started_at, s.ended_at,
            count(p.id) AS participations,
            sum(sent_sum + heard_sum) / NULLIF(sum(sent_count + heard_count), 0) AS score,
            min((sent_sum + heard_sum) / NULLIF(sent_count + heard_count, 0)) AS worst_score,
            min(worst) AS lowest_score
        FROM sessions s LEFT JOIN participations p ON p.session = s.id
        WHERE s.started_at <= :end AND (s.ended_at IS NULL OR s.ended_at >= :begin)
            AND (:room IS NULL OR s.room = :room)
            AND (s.started_at < :before OR (s.started_at = :before AND s.id < :below))
        GROUP BY s.id ORDER BY s.started_at DESC, s.id DESC LIMIT :limit""",
        {
            "begin": begin,
            "end": end,
            "room": room,
            "before": before,
            "below": below,
            "limit": limit + 1,
        },
    ).fetchall()
    shown = found[:limit]
    more = len(found) > limit
    return {
        "rooms": [{name: row[name] for name in row.keys()[1:]} for row in shown],
        "next": f"{shown[-1]['started_at']!r}~{shown[-1]['id']}" if more else None,
    }


def room(question: Question, session: str) -> Json | None:
    """One session, with its people, events and curve; None when there is none."""
    found = question.database.execute(
        "SELECT id, key AS session_id, room, started_at, ended_at FROM sessions WHERE key = ?",
        (session,),
    ).fetchone()
    if found is None:
        return None
    people = participations(question, session)
    happened = _events(question, [row["id"] for row in people])
    courses, left = {}, MAX_WINDOWS
    for person in people:
        courses[person["id"]] = windows_of(question, person["id"], left)
        left -= len(courses[person["id"]])
    everything = [window for course in courses.values() for window in course]
    width = _strip_width(everything)
    truncated = (
        len(people) == MAX_PARTICIPATIONS
        or len(happened) > MAX_EVENTS
        or (bool(people) and left <= 0)
    )
    return {
        **{name: found[name] for name in found.keys()[1:]},
        "participations": [
            {**participation_json(row), "strip": _strip(courses[row["id"]], width)}
            for row in people
        ],
        "events": happened[:MAX_EVENTS],
        "curve": _room_curve([(window.at, window) for window in everything]),
        "truncated": truncated,
    }


def participation(question: Question, key: str) -> Json | None:
    """One participation, with its connections and their curves; None when there is none."""
    row = find_participation(question, key)
    if row is None:
        return None
    connections = connections_of(question, row["id"])
    curves = curves_of(question, row["id"])
    thinning = _thinning(sum(map(len, curves.values())))
    happened = _events(question, [row["id"]], consumers=True)
    return {
        **participation_json(row),
        "session_id": row["session"],
        "room": row["room"],
        "connections": [
            _connection_json(each, _thin(curves.get(each["number"], []), thinning))
            for each in connections[:MAX_CONNECTIONS]
        ],
        "events": happened[:MAX_EVENTS],
        "truncated": len(connections) > MAX_CONNECTIONS or len(happened) > MAX_EVENTS,
    }


def participations(question: Question, session: str) -> list[Row]:
    """Who was in a session."""
    return question.database.execute(
        f"{_PARTICIPATION} WHERE s.key = ? ORDER BY p.joined_at LIMIT ?",
        (session, MAX_PARTICIPATIONS),
    ).fetchall()


def named_participations(
    question: Question, name: str, begin: float, end: float, limit: int
) -> Json:
    """Whose name, or identity, has these letters, the latest first."""
    found = question.database.execute(
        f"""{_PARTICIPATION} WHERE p.joined_at <= :end AND (p.left_at IS NULL OR p.left_at >= :begin)
            AND (instr(lower(p.name), lower(:name)) OR instr(lower(p.identity), lower(:name)))
        ORDER BY p.joined_at DESC LIMIT :limit""",
        {"name": name, "begin": begin, "end": end, "limit": limit + 1},
    ).fetchall()
    return {
        "participations": [
            {**participation_json(row), "session_id": row["session"], "room": row["room"]}
            for row in found[:limit]
        ],
        "truncated": len(found) > limit,
    }


def find_participation(question: Question, key: str) -> Row | None:
    """One participation's row."""
    found: Row | None = question.database.execute(
        f"{_PARTICIPATION} WHERE p.key = ?", (key,)
    ).fetchone()
    return found


def participation_json(row: Row) -> Json:
    """What a list shows of a participation."""
    return {
        "participation_id": row["key"],
        "participant_id": row["key"],
        **{name: row[name] for name in ("name", "identity", "joined_at", "left_at", "reason")},
        **{name: row[name] for name in ("score", "worst_score", "sent_score", "heard_score")},
    }


def curves_of(question: Question, participation: int) -> dict[int, list[Quality]]:
    """The curve of each connection of a participation, by its number."""
    curves: dict[int, list[Quality]] = {}
    for number, quality in records_of(question, participation):
        curves.setdefault(number, []).append(quality)
    return curves


def records_of(
    question: Question, participation: int, numbers: Container[int] | None = None
) -> Iterator[tuple[int, Quality]]:
    """The same in the order of time. numbers: of the connections that are wanted, None for all."""
    for row in _windows(question, [participation]):
        yield from unpack_records(row["at"], row["data"], numbers)


def windows_of(question: Question, participation: int, limit: int = -1) -> list[Window]:
    """The curve of a participation as a whole. limit: so many of its first points, -1 for all."""
    rows = _windows(question, [participation], limit)
    return [unpack_window(row["at"], row["data"]) for row in rows]


def timeline(question: Question, begin: float, end: float, bucket: float) -> Json:
    """The server in buckets of so many seconds. Raises ValueError for more than `MAX_POINTS`."""
    if (end - begin) / bucket > MAX_POINTS:
        raise ValueError("too many points")
    found = question.database.execute(
        """SELECT :begin + CAST((at - :begin) / :bucket AS INTEGER) * :bucket AS at, max(rooms) AS rooms,
            max(participants) AS participants, avg(score) AS score, min(worst) AS worst_score,
            max(cpu) AS cpu, max(busiest_thread) AS busiest_thread, max(loop_delay) AS loop_delay,
            sum(forwarded) AS packets_forwarded, sum(dropped) AS packets_dropped
        FROM load WHERE at >= :begin AND at < :end GROUP BY 1 ORDER BY 1""",
        {"begin": begin, "end": end, "bucket": bucket},
    ).fetchall()
    return {
        "from": begin,
        "to": end,
        "bucket": bucket,
        "points": [dict(zip(row.keys(), row, strict=True)) for row in found],
    }


def load_between(question: Question, begin: float, end: float) -> list[Row]:
    """The server's ten seconds in a period."""
    return question.database.execute(
        "SELECT * FROM load WHERE at >= ? AND at <= ? + 10 ORDER BY at", (begin, end)
    ).fetchall()


def _windows(question: Question, ids: list[int], limit: int = -1) -> Iterator[Row]:
    for count, id in enumerate(ids):
        found = question.database.execute(
            "SELECT at, data FROM windows WHERE participation = ? ORDER BY at LIMIT ?", (id, limit)
        )
        for more, row in enumerate(found):
            if (count + more) % 256 == 0:
                question.check()
            yield row


def connections_of(question: Question, participation: int) -> list[Row]:
    """A participation's connections, in the order of their numbers."""
    return question.database.execute(
        """SELECT c.*, p.name AS speaker_name FROM connections c
        LEFT JOIN participations p ON p.key = c.speaker
        WHERE c.participation = ? ORDER BY c.number LIMIT ?""",
        (participation, MAX_CONNECTIONS + 1),
    ).fetchall()


def _connection_json(row: Row, curve: list[Quality]) -> Json:
    return {
        "connection_id": row["key"],
        "direction": "up" if row["direction"] == UP else "down",
        "speaker_id": row["speaker"],
        "speaker_name": row["speaker_name"],
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "reason": row["reason"],
        "curve": [quality_json(quality) for quality in curve],
    }


def quality_json(quality: Quality) -> Json:
    """A point of a connection's curve."""
    names = "at interval loss jitter round_trip_time bitrate packets gaps score"
    return {name: _rounded(getattr(quality, name)) for name in names.split()}


def _events(question: Question, ids: list[int], *, consumers: bool = False) -> list[Json]:
    """What happened to some participations, in order of time. consumers: with what each listener heard."""
    found: list[Json] = []
    for id in ids:
        question.check()
        found += _events_of(question, id, consumers)
        if len(found) > 2 * MAX_EVENTS:
            break
    found.sort(key=lambda event: event["at"])
    return found


def _events_of(question: Question, id: int, consumers: bool) -> Iterator[Json]:
    execute = question.database.execute
    person = execute(
        "SELECT key, name, joined_at, left_at, reason FROM participations WHERE id = ?", (id,)
    ).fetchone()

    def event(at: float, kind: str, **detail: Any) -> Json:
        return {"at": at, "kind": kind, "participation_id": person["key"], **detail}

    yield event(person["joined_at"], "joined", name=person["name"])
    connections = "SELECT * FROM connections WHERE participation = ? AND direction <= ? LIMIT ?"
    for row in execute(connections, (id, int(consumers), MAX_EVENTS)):
        detail = {"connection_id": row["key"]}
        began, ended = "publishing", "published"
        if row["direction"] != UP:
            detail["speaker_id"] = row["speaker"]
            began, ended = "hearing", "heard"
        yield event(row["started_at"], began, **detail)
        if row["ended_at"] is not None:
            yield event(row["ended_at"], ended, **detail, reason=row["reason"])
    for row in execute("SELECT at, kind, detail FROM events WHERE participation = ?", (id,)):
        yield event(row["at"], row["kind"], **json.loads(row["detail"]))
    if person["left_at"] is not None:
        yield event(person["left_at"], "left", reason=person["reason"])


def _strip_width(windows: list[Window]) -> float:
    """Seconds of a point in the strips of a room."""
    times = [window.at for window in windows]
    span = max(times) - min(times) + 10 if times else 10
    return 10.0 * math.ceil(span / 10 / STRIP_POINTS)


def _strip(windows: list[Window], width: float) -> list[list[float | None]]:
    """How somebody fared, in few points: since when, and the lowest score in it. One without a score stands
    where nothing was measured after the last."""
    points: list[list[float | None]] = []
    end = -math.inf
    for window in windows:
        begin = window.at - window.interval
        start = points[-1][0] if points else None
        if start is None or begin > end + 1 or begin >= start + width:
            if points and begin > end + 1:
                points.append([end, None])
            points.append([begin, window.worst])
        elif window.worst is not None:
            known = points[-1][1]
            points[-1][1] = window.worst if known is None else min(known, window.worst)
        end = window.at
    return [[at, _rounded(score)] for at, score in points]


def _room_curve(windows: list[tuple[float, Window]]) -> list[Json]:
    """The curve of a room out of those of its people: their windows fall into the same ten seconds."""
    if not windows:
        return []
    begin = min(at for at, _ in windows)
    width = 10.0 * _thinning(int((max(at for at, _ in windows) - begin) / 10) + 1)
    points: dict[int, list[Window]] = {}
    for at, window in windows:
        points.setdefault(int((at - begin) / width), []).append(window)
    return [
        {
            "at": begin + place * width,
            "interval": width,
            "participants": math.ceil(len(each) * 10 / width),
            "score": _mean([w.sent_score for w in each] + [w.heard_score for w in each]),
            "worst_score": min((w.worst for w in each if w.worst is not None), default=None),
            "loss_up": _mean([w.loss_up for w in each]),
            "loss_down": _mean([w.loss_down for w in each]),
        }
        for place, each in sorted(points.items())
    ]


def _thinning(points: int) -> int:
    """How many points are to be put together."""
    return max(1, math.ceil(points / MAX_POINTS))


def _thin(curve: list[Quality], by: int) -> list[Quality]:
    if by == 1:
        return curve
    return [_together(curve[place : place + by]) for place in range(0, len(curve), by)]


def _together(points: list[Quality]) -> Quality:
    gaps = [point.gaps for point in points if point.gaps is not None]
    return Quality(
        at=points[-1].at,
        interval=sum(point.interval for point in points),
        loss=_mean([point.loss for point in points]),
        jitter=_mean([point.jitter for point in points]),
        round_trip_time=_mean([point.round_trip_time for point in points]),
        bitrate=_mean([point.bitrate for point in points]) or 0.0,
        packets=sum(point.packets for point in points),
        gaps=sum(gaps) if gaps else None,
        score=_mean([point.score for point in points]),
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _rounded(value: float | None) -> float | None:
    """Without digits that nothing stands behind."""
    return round(value, 5) if isinstance(value, float) else value


def _read_cursor(cursor: str | None) -> tuple[float, int]:
    if cursor is None:
        return math.inf, 2**62
    started, _, id = cursor.partition("~")
    before = float(started)
    if not math.isfinite(before) or not id.isdecimal() or len(id) > 18:
        raise ValueError("not a cursor")
    return before, int(id)
