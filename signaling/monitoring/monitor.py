"""What watches the rooms, put together: it starts and ends with the service."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from relay import Relay
from signaling.access import Access
from signaling.events import Observers
from signaling.monitoring.api import Api
from signaling.monitoring.archive import Archive
from signaling.monitoring.history import History
from signaling.monitoring.live import Live
from signaling.monitoring.load import Load
from signaling.monitoring.sampler import ParticipantSample, Sampler
from signaling.monitoring.settings import Settings, history_path
from signaling.rooms import Rooms


class Monitor:
    """Watches. api: answers requests. clock: Unix seconds."""

    def __init__(
        self,
        relay: Relay,
        rooms: Rooms,
        observers: Observers,
        access: Access,
        version: str,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rooms = rooms
        self._sampler = Sampler(rooms, relay.stats, self._take, clock)
        self._history = _history(settings or Settings(), clock)
        live = Live(
            rooms,
            self._sampler,
            version=version,
            media_plane=relay.plane,
            clock=clock,
            session=self._session,
            history=self._history_state,
        )
        observers.add(live.observe)
        if self._history is not None:
            observers.add(self._history.observe)
        self.api = Api(access, live, Archive(self._history, clock), clock)

    def start(self) -> None:
        """Begin, on the running event loop."""
        if self._history is not None:
            self._history.start()
        self._sampler.start()

    async def close(self) -> None:
        """End; what is still to be written is written."""
        await self._sampler.close()
        if self._history is not None:
            await self._history.close()

    def _take(self, samples: list[ParticipantSample], load: Load) -> None:
        if self._history is not None:
            rooms, participants = len(self._rooms), self._rooms.participant_count
            self._history.take(samples, load, rooms, participants)

    def _session(self, room: str) -> str | None:
        return None if self._history is None else self._history.session(room)

    def _history_state(self) -> str:
        if self._history is None:
            return "off"
        return "on" if self._history.working else "failing"


def _history(settings: Settings, clock: Callable[[], float]) -> History | None:
    if settings.history_days == 0:
        return None
    path = settings.history or history_path(os.environ)
    return History(path, settings.history_days, settings.history_size, clock)
