"""The history as tables. Runs on the reader's thread; bounded by a number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from signaling.monitoring.history import queries
from signaling.monitoring.history.book import UP
from signaling.monitoring.history.queries import Json, Row
from signaling.monitoring.history.reader import Question
from signaling.monitoring.pages import csv_bytes

MAX_ROWS = 100_000
"""Of a table: some 10 MB. What is more is left out, and the answer says so."""

_ROOMS = ("session_id", "room", "started_at", "ended_at", "participations", "score", "worst_score")
_TIMELINE = (
    "at",
    "rooms",
    "participants",
    "score",
    "worst_score",
    "cpu",
    "busiest_thread",
    "loop_delay",
    "packets_forwarded",
    "packets_dropped",
)
_CONNECTION = (
    "participation_id",
    "name",
    "connection_id",
    "direction",
    "speaker_id",
    "speaker_name",
)
_QUALITY = (
    "at",
    "interval",
    "loss",
    "jitter",
    "round_trip_time",
    "bitrate",
    "packets",
    "gaps",
    "score",
)

Table = tuple[bytes, bool]
"""CSV, and whether rows were left out."""


def rooms(found: list[Json]) -> bytes:
    """A list of sessions."""
    return csv_bytes(_ROOMS, ([row[name] for name in _ROOMS] for row in found))


def timeline(points: list[Json]) -> bytes:
    """A time line."""
    return csv_bytes(_TIMELINE, ([row[name] for name in _TIMELINE] for row in points))


def room(question: Question, session: str) -> Table | None:
    """The curves of all connections of a session; None when there is none."""
    people = queries.participations(question, session)
    return _curves(question, people) if people else None


def participation(question: Question, key: str) -> Table | None:
    """The curves of one participation's connections; None when there is none."""
    person = queries.find_participation(question, key)
    return None if person is None else _curves(question, [person])


def _curves(question: Question, people: list[Row]) -> Table:
    rows = list(islice(_rows(question, people), MAX_ROWS + 1))
    body = csv_bytes((*_CONNECTION, *_QUALITY), rows[:MAX_ROWS])
    return body, len(rows) > MAX_ROWS


def _rows(question: Question, people: list[Row]) -> Iterator[list[object]]:
    for person in people:
        curves = queries.curves_of(question, person["id"])
        for connection in queries.connections_of(question, person["id"]):
            question.check()
            head = [
                person["key"],
                person["name"],
                connection["key"],
                "up" if connection["direction"] == UP else "down",
                connection["speaker"],
                connection["speaker_name"],
            ]
            for quality in curves.get(connection["number"], []):
                point = queries.quality_json(quality)
                yield [*head, *(point[name] for name in _QUALITY)]
