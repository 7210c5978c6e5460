"""What is known of a call, gathered from the history for `diagnosis.py`. Runs on the reader's thread."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from signaling.monitoring.diagnosis import Call, Cause, Diagnosis, Point, Strain, diagnose
from signaling.monitoring.history import queries
from signaling.monitoring.history.book import UP
from signaling.monitoring.history.queries import Json, Row
from signaling.monitoring.history.reader import Busy, Question
from signaling.monitoring.meters import Quality
from signaling.monitoring.quality import mouth_to_ear_delay

SAME_TIME = 7.0
"""Seconds between the ends of two intervals that stand for the same ten seconds."""

MAX_RECORDS = 300_000
"""In memory for one question, of ten seconds of one connection each: about a hundred megabytes."""

CHANGES = ("restarted", "address_changed", "resumed")
"""Kinds of events that say that a network changed."""

LONGEST_SILENCE = 60.0
"""Seconds without a connection that count as bad; after that nobody waits any more."""


def participation(question: Question, key: str) -> Json | None:
    """The diagnosis of one participation; None when there is none."""
    row = queries.find_participation(question, key)
    if row is None:
        return None
    return _told(row, diagnose(_Case(question, row["session"]).call(row)))


def room(question: Question, session: str) -> Json | None:
    """The diagnosis of everybody in a session, the worst first; None when there is none."""
    case = _Case(question, session)
    if not case.people:
        return None
    found = [(row, diagnose(case.call(row))) for row in case.people]
    found.sort(key=lambda each: -each[1].bad_share)
    worst = found[0][1]
    return {
        "session_id": session,
        "room": case.people[0]["room"],
        "cause": worst.cause,
        "summary": worst.summary if worst.cause is not Cause.NONE else "Nothing was bad.",
        "participations": [_told(row, diagnosis) for row, diagnosis in found],
    }


class _Case:
    """One session: everybody's uplinks are read once, and kept, since everybody else is judged by them,
    too. Of all the rest one person's is in memory at a time."""

    def __init__(self, question: Question, session: str) -> None:
        self.people = queries.participations(question, session)
        self._question = question
        self._names = {row["key"]: row["name"] for row in self.people}
        self._ids = {row["key"]: row["id"] for row in self.people}
        self._uplinks: dict[str, list[Quality]] = {}
        self._kept = 0  # records of uplinks
        self._own = 0  # records of who is looked at

    def call(self, row: Row) -> Call:
        """All that is known of one person's call. Raises Busy when that is too much."""
        connections = self._question.database.execute(
            "SELECT * FROM connections WHERE participation = ? ORDER BY started_at", (row["id"],)
        ).fetchall()
        self._own = 0
        curves = self._curves(row["id"])
        self._own = sum(map(len, curves.values()))
        points = [
            self._point(connection, quality)
            for connection in connections
            for quality in curves.get(connection["number"], [])
        ]
        end = row["left_at"] or row["seen_at"]
        return Call(
            name=row["name"],
            points=points,
            strains=[
                Strain(
                    at=load["at"],
                    interval=load["interval"],
                    busiest_thread=load["busiest_thread"],
                    dropped=load["overload"],
                    forwarded=load["forwarded"],
                )
                for load in queries.load_between(self._question, row["joined_at"], end)
            ],
            changes=self._changes(row["id"]),
            silences=_silences(connections, end),
        )

    def _point(self, connection: Row, quality: Quality) -> Point:
        own = connection["direction"] == UP
        uplink = quality if own else self._uplink(connection["speaker"], quality.at)
        trips = quality.round_trip_time or 0.0
        jitter = quality.jitter or 0.0
        if uplink is not None and not own:
            trips += uplink.round_trip_time or 0.0
            jitter = max(jitter, uplink.jitter or 0.0)
        return Point(
            at=quality.at,
            interval=quality.interval,
            speaker=self._names.get(connection["speaker"], "somebody"),
            heard=not own,
            score=quality.score,
            loss_up=(uplink.loss or 0.0) if uplink is not None else 0.0,
            loss_down=0.0 if own else quality.loss or 0.0,
            delay=mouth_to_ear_delay(trips / 2, jitter),
        )

    def _uplink(self, speaker: str | None, at: float) -> Quality | None:
        """How a speaker's voice came to the relay at that time."""
        if speaker is None or speaker not in self._ids:
            return None
        curve = self._uplinks.get(speaker)
        if curve is None:
            curve = self._uplinks[speaker] = self._uplink_curve(self._ids[speaker])
        place = bisect_left(curve, at - SAME_TIME, key=lambda quality: quality.at)
        near = curve[place] if place < len(curve) else None
        return near if near is not None and near.at <= at + SAME_TIME else None

    def _uplink_curve(self, id: int) -> list[Quality]:
        numbers = self._question.database.execute(
            "SELECT number FROM connections WHERE participation = ? AND direction = ?", (id, UP)
        ).fetchall()
        curves = self._curves(id, {number for (number,) in numbers})
        found = [quality for curve in curves.values() for quality in curve]
        self._kept += len(found)
        return sorted(found, key=lambda quality: quality.at)

    def _curves(self, id: int, numbers: set[int] | None = None) -> dict[int, list[Quality]]:
        """What a person's connections did, all of them or those of these numbers."""
        curves: dict[int, list[Quality]] = {}
        records = queries.records_of(self._question, id, numbers)
        for count, (number, quality) in enumerate(records, self._kept + self._own + 1):
            if count > MAX_RECORDS:
                raise Busy
            curves.setdefault(number, []).append(quality)
        return curves

    def _changes(self, id: int) -> list[float]:
        marks = ", ".join("?" * len(CHANGES))
        found = self._question.database.execute(
            f"SELECT at FROM events WHERE participation = ? AND kind IN ({marks})", (id, *CHANGES)
        ).fetchall()
        return [row["at"] for row in found]


def _silences(connections: list[Row], end: float) -> list[tuple[float, float]]:
    """From the loss of a connection to the next one for the same voice, or to the end."""
    silences = []
    for place, lost in enumerate(connections):
        if lost["reason"] != "failed" or lost["ended_at"] is None:
            continue
        again = next(
            (
                each["started_at"]
                for each in connections[place + 1 :]
                if (each["direction"], each["speaker"]) == (lost["direction"], lost["speaker"])
            ),
            end,
        )
        until = min(again, lost["ended_at"] + LONGEST_SILENCE)
        if until > lost["ended_at"]:
            silences.append((lost["ended_at"], until))
    return silences


def _told(row: Row, diagnosis: Diagnosis) -> Json:
    evidence: list[dict[str, Any]] = [
        {
            "cause": each.cause,
            "share": round(each.share, 4),
            "from": each.begin,
            "to": each.end,
            "summary": each.summary,
            "figures": each.figures,
        }
        for each in diagnosis.evidence
    ]
    return {
        "participation_id": row["key"],
        "name": row["name"],
        "session_id": row["session"],
        "room": row["room"],
        "score": diagnosis.score,
        "cause": diagnosis.cause,
        "summary": diagnosis.summary,
        "bad_share": round(diagnosis.bad_share, 4),
        "evidence": evidence,
    }
