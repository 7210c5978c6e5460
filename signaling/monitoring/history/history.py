"""The history as the rest of the program sees it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from signaling.events import (
    Event,
    ParticipantJoined,
    ParticipantLeft,
    RoomEnded,
    RoomStarted,
)
from signaling.monitoring.history.reader import Question, Reader
from signaling.monitoring.history.writer import Writer
from signaling.monitoring.load import Load
from signaling.monitoring.sampler import ParticipantSample

T = TypeVar("T")

DAY = 86_400.0
MEBIBYTE = 2**20

CLOSE_PATIENCE = 5.0
"""Seconds for what waits to be written at the end."""


class History:
    """Keeps what happened. path: of the file; days: for which something is kept; mebibytes: of the file at
    most. clock: Unix seconds."""

    def __init__(
        self, path: Path, days: int, mebibytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._writer = Writer(path, mebibytes * MEBIBYTE, days * DAY, clock)
        self._reader = Reader(path, self._writer.report_broken)
        self._sessions: dict[str, str] = {}
        self._participants: set[str] = set()

    @property
    def working(self) -> bool:
        """Whether the file can be written."""
        return self._writer.working

    @property
    def written(self) -> int:
        """Facts that were written."""
        return self._writer.written

    @property
    def dropped(self) -> int:
        """Facts that were not: too much waited, or the file could not be written."""
        return self._writer.dropped

    def start(self) -> None:
        """Begin; never raises: what is wrong with the file is logged."""
        self._writer.start()

    async def close(self) -> None:
        """Write what waits, for some seconds at most."""
        self._reader.close()
        await asyncio.to_thread(self._writer.close, CLOSE_PATIENCE)

    def session(self, room: str) -> str | None:
        """The id of an open room's session."""
        return self._sessions.get(room)

    def observe(self, event: Event) -> None:
        """Note a fact. To be told before whoever asks for `session`; and `forget` after them."""
        if isinstance(event, RoomStarted):
            self._sessions[event.room] = secrets.token_urlsafe(9)
        elif isinstance(event, ParticipantJoined):
            self._participants.add(event.participant_id)
        elif isinstance(event, ParticipantLeft):
            self._participants.discard(event.participant_id)
        session = self._sessions.get(event.room)
        if session is not None:
            self._writer.put_event(session, event)

    def forget(self, event: Event) -> None:
        """A room that has ended has no session any more."""
        if isinstance(event, RoomEnded):
            self._sessions.pop(event.room, None)

    def take(
        self, samples: list[ParticipantSample], load: Load, rooms: int, participants: int
    ) -> None:
        """Note how everybody's connections were."""
        present = self._participants.union(self._sessions.values())
        self._writer.put_window(samples, load, rooms, participants, present)

    async def ask(self, question: Callable[[Question], T]) -> T:
        """Run a question. Raises Busy, Unavailable, and what the question raises."""
        return await self._reader.ask(question)
