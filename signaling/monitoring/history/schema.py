"""The tables of the history. Text only.

    sessions         a room, from its first participant to its last
    participations   somebody in it; sums of scores, so that lists need not read curves
    connections      a voice to the relay (direction 0), or from it to somebody (1)
    events           what happened, of those that are not a start or an end of the above
    windows          ten seconds of one participation (`packing.py`)
    load             ten seconds of the server

`key` is the id that the rest of the program knows. `seen_at` is the last sign of life, which becomes
the end of what was open when the program was killed. Rows go with what they belong to.
"""

from __future__ import annotations

APPLICATION_ID = 0x7274_7072  # "rtpr"
VERSION = 1

STATEMENTS = (
    """CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, room TEXT NOT NULL,
        started_at REAL NOT NULL, ended_at REAL, seen_at REAL NOT NULL
    )""",
    "CREATE INDEX sessions_by_start ON sessions (started_at)",
    """CREATE TABLE participations (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
        session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        name TEXT NOT NULL, identity TEXT, joined_at REAL NOT NULL, left_at REAL, reason TEXT,
        seen_at REAL NOT NULL,
        sent_sum REAL NOT NULL DEFAULT 0, sent_count INTEGER NOT NULL DEFAULT 0,
        heard_sum REAL NOT NULL DEFAULT 0, heard_count INTEGER NOT NULL DEFAULT 0, worst REAL
    )""",
    "CREATE INDEX participations_by_session ON participations (session)",
    "CREATE INDEX participations_by_end ON participations (left_at)",
    """CREATE TABLE connections (
        id INTEGER PRIMARY KEY,
        participation INTEGER NOT NULL REFERENCES participations ON DELETE CASCADE,
        key TEXT NOT NULL, number INTEGER NOT NULL, direction INTEGER NOT NULL, speaker TEXT,
        started_at REAL NOT NULL, ended_at REAL, reason TEXT,
        UNIQUE (participation, number)
    )""",
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        participation INTEGER REFERENCES participations ON DELETE CASCADE,
        at REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL
    )""",
    "CREATE INDEX events_by_session ON events (session)",
    "CREATE INDEX events_by_participation ON events (participation)",
    """CREATE TABLE windows (
        participation INTEGER NOT NULL REFERENCES participations ON DELETE CASCADE,
        at INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (participation, at)
    ) WITHOUT ROWID""",
    """CREATE TABLE load (
        at INTEGER PRIMARY KEY, interval REAL NOT NULL, rooms INTEGER NOT NULL,
        participants INTEGER NOT NULL, cpu REAL NOT NULL, busiest_thread REAL NOT NULL,
        loop_delay REAL NOT NULL, received INTEGER NOT NULL, forwarded INTEGER NOT NULL,
        dropped INTEGER NOT NULL, overload INTEGER NOT NULL, score REAL, worst REAL
    )""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
"""load: `overload` are packets that the relay dropped because it could not keep up."""

CLOSE_WHAT_WAS_OPEN = (
    "UPDATE participations SET seen_at = max(seen_at, COALESCE("
    "(SELECT max(at) FROM windows w WHERE w.participation = participations.id), 0))"
    " WHERE left_at IS NULL",
    "UPDATE sessions SET seen_at = max(seen_at, COALESCE("
    "(SELECT max(seen_at) FROM participations p WHERE p.session = sessions.id), 0))"
    " WHERE ended_at IS NULL",
    "UPDATE connections SET ended_at = (SELECT seen_at FROM participations p WHERE p.id = participation),"
    " reason = 'lost' WHERE ended_at IS NULL",
    "UPDATE participations SET left_at = seen_at, reason = 'lost' WHERE left_at IS NULL",
    "UPDATE sessions SET ended_at = seen_at WHERE ended_at IS NULL",
)
"""After a start: nobody of a life before is there any more."""
