"""What is open now, and by which keys: facts go in, rows to be written come out. No I/O.

It is kept whatever becomes of the file, so that a history that could not be written for a while, or is
begun anew, goes on with everybody who is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from signaling import events
from signaling.events import Event
from signaling.monitoring.history.packing import Window, pack, summarize
from signaling.monitoring.sampler import ParticipantSample

MAX_EVENTS = 1000
"""Of one participation that are kept: a client that mutes all day shall not push others out."""

MAX_CONNECTIONS = 0xFFFF
"""Of one participation, likewise; the number has 16 bits."""

SUMS_EVERY = 6
"""Intervals after which the sums of scores are written: a minute. A list may be so much behind."""

UP, DOWN = 0, 1

Row = tuple[str, dict[str, Any]]
"""An SQL statement and its parameters. What it refers to is named by key: a row that was lost takes with it
what hangs on it."""

_SESSION = """INSERT OR IGNORE INTO sessions (key, room, started_at, seen_at)
    VALUES (:session, :room, :at, :at)"""
# Ends are not before their starts: the clock may have been set back in between.
_SESSION_END = """UPDATE sessions SET seen_at = max(started_at, :at), ended_at = max(started_at, :at,
    COALESCE((SELECT max(left_at) FROM participations WHERE session = sessions.id), 0))
    WHERE key = :session"""
_PARTICIPATION = """INSERT OR IGNORE INTO participations (key, session, name, identity, joined_at, seen_at)
    SELECT :participation, id, :name, :identity, :at, :at FROM sessions WHERE key = :session"""
_PARTICIPATION_END = """UPDATE participations SET
    left_at = max(joined_at, :at), seen_at = max(joined_at, :at), reason = :reason
    WHERE key = :participation"""
_CONNECTION = """INSERT OR IGNORE INTO connections
        (participation, key, number, direction, speaker, started_at)
    SELECT id, :connection, :number, :direction, :speaker, :at FROM participations
    WHERE key = :participation"""
_CONNECTION_END = """UPDATE connections SET ended_at = max(started_at, :at), reason = :reason
    WHERE number = :number
    AND participation = (SELECT id FROM participations WHERE key = :participation)"""
_EVENT = """INSERT INTO events (session, participation, at, kind, detail)
    SELECT session, id, :at, :kind, :detail FROM participations WHERE key = :participation"""
_WINDOW = """INSERT OR REPLACE INTO windows (participation, at, data)
    SELECT id, :at, :data FROM participations WHERE key = :participation"""
_WINDOW_SUMS = """UPDATE participations SET seen_at = max(joined_at, :at),
    sent_sum = sent_sum + :sent, sent_count = sent_count + :sent_count,
    heard_sum = heard_sum + :heard, heard_count = heard_count + :heard_count,
    worst = CASE WHEN worst IS NULL OR :worst < worst THEN COALESCE(:worst, worst) ELSE worst END
    WHERE key = :participation"""
_SEEN = "UPDATE sessions SET seen_at = max(started_at, :at) WHERE key = :session"


@dataclass(slots=True)
class _Connection:
    number: int
    start: Row


@dataclass(slots=True)
class _Sums:
    """Scores that are not in the participation's row yet."""

    at: float = 0.0
    sent: float = 0.0
    sent_count: int = 0
    heard: float = 0.0
    heard_count: int = 0
    worst: float | None = None

    def add(self, window: Window) -> None:
        self.at = window.at
        if window.sent_score is not None:
            self.sent += window.sent_score
            self.sent_count += 1
        if window.heard_score is not None:
            self.heard += window.heard_score
            self.heard_count += 1
        worst = window.worst
        if worst is not None and (self.worst is None or worst < self.worst):
            self.worst = worst

    def row(self, participation: str) -> Row:
        """The row; the sums begin anew."""
        parameters = {name: getattr(self, name) for name in self.__slots__}
        self.__init__()  # type: ignore[misc]
        return _WINDOW_SUMS, {"participation": participation, **parameters}


@dataclass(slots=True)
class _Participation:
    start: Row
    sums: _Sums = field(default_factory=_Sums)
    connections: dict[str, _Connection] = field(default_factory=dict)
    numbers: int = 0
    events: int = 0


@dataclass(slots=True)
class _Session:
    key: str
    start: Row
    participations: dict[str, _Participation] = field(default_factory=dict)
    speakers: dict[str, str] = field(default_factory=dict)  # participation by publisher id


class Book:
    """Keeps what is open. Sessions are by the room's name, which is unique among those that are open.
    scores: everybody's in the last interval, what they sent and what they heard."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._windows = 0
        self.scores: list[float] = []

    def write(self, session: str, event: Event) -> list[Row]:
        """The rows of a fact. session: the key of its room's."""
        handler = _HANDLERS.get(type(event))
        return [] if handler is None else handler(self, session, event)

    def window(self, samples: list[ParticipantSample], at: float) -> Iterator[Row]:
        """The rows of ten seconds of everybody. at: Unix seconds."""
        self._windows += 1
        flush = self._windows % SUMS_EVERY == 0
        self.scores = []
        for sample in samples:
            session = self._sessions.get(sample.room)
            open_ = None if session is None else session.participations.get(sample.participant_id)
            window = summarize(sample)
            if open_ is None or window is None:
                continue
            connections = open_.connections

            def number(id: str, connections: dict[str, _Connection] = connections) -> int | None:
                connection = connections.get(id)
                return None if connection is None else connection.number

            key = {"participation": sample.participant_id}
            yield _WINDOW, key | {"at": round(window.at), "data": pack(window, sample, number)}
            open_.sums.add(window)
            self.scores += (s for s in (window.sent_score, window.heard_score) if s is not None)
            if flush:
                yield open_.sums.row(sample.participant_id)
        if flush:
            for session in self._sessions.values():
                yield _SEEN, {"session": session.key, "at": at}

    def end_all_but(self, present: set[str], at: float) -> list[Row]:
        """The rows of what has ended, though its end never came: too much waited then. present: the keys of
        the sessions and participations that are open. at: Unix seconds."""
        rows: list[Row] = []
        for room, session in list(self._sessions.items()):
            for id in session.participations.keys() - present:
                rows += self._left(session.key, events.ParticipantLeft(room, id, "lost", at=at))
            if session.key not in present:
                rows += self._room_ended(session.key, events.RoomEnded(room, at=at))
        return rows

    def everything_open(self) -> Iterator[Row]:
        """The starts of all that is open: to be written again where they may be missing."""
        for session in self._sessions.values():
            yield session.start
            for participation in session.participations.values():
                yield participation.start
                for connection in participation.connections.values():
                    yield connection.start

    # One for each kind of fact.

    def _room_started(self, session: str, event: events.RoomStarted) -> list[Row]:
        row = _SESSION, {"session": session, "room": event.room, "at": event.at}
        self._sessions[event.room] = _Session(session, row)
        return [row]

    def _room_ended(self, session: str, event: events.RoomEnded) -> list[Row]:
        self._sessions.pop(event.room, None)
        return [(_SESSION_END, {"session": session, "at": event.at})]

    def _joined(self, session: str, event: events.ParticipantJoined) -> list[Row]:
        row = (
            _PARTICIPATION,
            {
                "session": session,
                "participation": event.participant_id,
                "name": event.name,
                "identity": event.identity,
                "at": event.at,
            },
        )
        if event.room in self._sessions:
            self._sessions[event.room].participations[event.participant_id] = _Participation(row)
        return [row]

    def _left(self, session: str, event: events.ParticipantLeft) -> list[Row]:
        sums = []
        if event.room in self._sessions:
            room = self._sessions[event.room]
            gone = room.participations.pop(event.participant_id, None)
            # That a publisher stopped may have given way to more important facts.
            for id in [id for id, who in room.speakers.items() if who == event.participant_id]:
                del room.speakers[id]
            if gone is not None and gone.sums.at:
                sums.append(gone.sums.row(event.participant_id))
        parameters = {
            "participation": event.participant_id,
            "at": event.at,
            "reason": str(event.reason),
        }
        return [*sums, (_PARTICIPATION_END, parameters)]

    def _publisher_started(self, session: str, event: events.PublisherStarted) -> list[Row]:
        if event.room in self._sessions:
            self._sessions[event.room].speakers[event.publisher_id] = event.participant_id
        return self._connection_started(event, event.publisher_id, UP, event.participant_id)

    def _publisher_stopped(self, session: str, event: events.PublisherStopped) -> list[Row]:
        if event.room in self._sessions:
            self._sessions[event.room].speakers.pop(event.publisher_id, None)
        return self._connection_stopped(event, event.publisher_id, event.reason)

    def _consumer_started(self, session: str, event: events.ConsumerStarted) -> list[Row]:
        room = self._sessions.get(event.room)
        speaker = None if room is None else room.speakers.get(event.publisher_id)
        return self._connection_started(event, event.consumer_id, DOWN, speaker)

    def _consumer_stopped(self, session: str, event: events.ConsumerStopped) -> list[Row]:
        return self._connection_stopped(event, event.consumer_id, event.reason)

    def _muted(self, session: str, event: events.MuteChanged) -> list[Row]:
        return self._event(event, "muted" if event.muted else "unmuted")

    def _resumed(self, session: str, event: events.ParticipantResumed) -> list[Row]:
        return self._event(event, "resumed", gap=event.gap_seconds)

    def _network_changed(self, session: str, event: events.NetworkChanged) -> list[Row]:
        kind = "restarted" if event.how == "restart" else "address_changed"
        return self._event(event, kind, connection_id=event.connection_id)

    def _failed(self, session: str, event: events.ConnectionFailed) -> list[Row]:
        return self._event(
            event, "failed", connection_id=event.connection_id, reason=str(event.reason)
        )

    def _quality_fell(self, session: str, event: events.QualityFell) -> list[Row]:
        return self._event(
            event, "quality_fell", connection_id=event.connection_id, score=event.score
        )

    # What several of them do.

    def _find(self, event: events.ParticipantEvent) -> _Participation | None:
        session = self._sessions.get(event.room)
        return None if session is None else session.participations.get(event.participant_id)

    def _connection_started(
        self, event: events.ParticipantEvent, id: str, direction: int, speaker: str | None
    ) -> list[Row]:
        participation = self._find(event)
        if participation is None or participation.numbers > MAX_CONNECTIONS:
            return []
        row = (
            _CONNECTION,
            {
                "participation": event.participant_id,
                "connection": id,
                "number": participation.numbers,
                "direction": direction,
                "speaker": speaker,
                "at": event.at,
            },
        )
        participation.connections[id] = _Connection(participation.numbers, row)
        participation.numbers += 1
        return [row]

    def _connection_stopped(
        self, event: events.ParticipantEvent, id: str, reason: str
    ) -> list[Row]:
        participation = self._find(event)
        connection = None if participation is None else participation.connections.pop(id, None)
        if connection is None:
            return []
        parameters = {
            "participation": event.participant_id,
            "number": connection.number,
            "at": event.at,
            "reason": str(reason),
        }
        return [(_CONNECTION_END, parameters)]

    def _event(self, event: events.ParticipantEvent, kind: str, **detail: object) -> list[Row]:
        participation = self._find(event)
        if participation is None or participation.events >= MAX_EVENTS:
            return []
        participation.events += 1
        parameters = {
            "participation": event.participant_id,
            "at": event.at,
            "kind": kind,
            "detail": json.dumps(detail),
        }
        return [(_EVENT, parameters)]


_HANDLERS: dict[type, Callable[[Book, str, Any], list[Row]]] = {
    events.RoomStarted: Book._room_started,
    events.RoomEnded: Book._room_ended,
    events.ParticipantJoined: Book._joined,
    events.ParticipantLeft: Book._left,
    events.ParticipantResumed: Book._resumed,
    events.MuteChanged: Book._muted,
    events.PublisherStarted: Book._publisher_started,
    events.PublisherStopped: Book._publisher_stopped,
    events.ConsumerStarted: Book._consumer_started,
    events.ConsumerStopped: Book._consumer_stopped,
    events.NetworkChanged: Book._network_changed,
    events.ConnectionFailed: Book._failed,
    events.QualityFell: Book._quality_fell,
}
