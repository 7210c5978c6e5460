"""What watches the rooms, put together: it starts and ends with the service."""

from __future__ import annotations

import asyncio
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
from signaling.monitoring.metrics import Metrics, Now
from signaling.monitoring.sampler import ParticipantSample, Sampler
from signaling.monitoring.settings import Settings, history_path
from signaling.monitoring.traces import Traces
from signaling.monitoring.watch import Watch
from signaling.monitoring.webhooks import Webhooks
from signaling.rooms import Rooms

WEBHOOKS_PATIENCE = 5.0
"""Seconds for webhooks that wait at the end."""


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
        settings = settings or Settings()
        self._relay = relay
        self._rooms = rooms
        self._observers = observers
        self._version = version
        self._sampler = Sampler(rooms, relay.stats, self._take, clock)
        self._history = _history(settings, clock)
        self._watch = Watch()
        self._metrics = Metrics(self._now)
        self._webhooks: Webhooks | None = None
        if settings.webhook is not None:
            self._webhooks = Webhooks(
                settings.webhook, settings.webhook_secret, version, self._session, clock
            )
        self._traces = Traces(rooms) if settings.traces else None
        live = Live(
            rooms,
            self._sampler,
            version=version,
            media_plane=relay.plane,
            clock=clock,
            session=self._session,
            history=self._history_state,
        )
        # The history first and last: it knows the session's id, which webhooks tell.
        for part in (self._history, live, self._metrics, self._webhooks, self._traces):
            if part is not None:
                observers.add(part.observe)
        if self._history is not None:
            observers.add(self._history.forget)
        self.api = Api(access, live, Archive(self._history, clock), self._metrics, clock)

    def start(self) -> None:
        """Begin, on the running event loop."""
        for part in (self._history, self._webhooks, self._sampler):
            if part is not None:
                part.start()

    async def close(self) -> None:
        """End; what is still to be written and sent is, within some seconds."""
        await self._sampler.close()
        if self._traces is not None:
            await self._traces.close()
        if self._webhooks is not None:
            await asyncio.to_thread(self._webhooks.close, WEBHOOKS_PATIENCE)
        if self._history is not None:
            await self._history.close()

    def _take(self, samples: list[ParticipantSample], load: Load) -> None:
        self._metrics.take(samples)
        if self._history is not None:
            rooms, participants = len(self._rooms), self._rooms.participant_count
            self._history.take(samples, load, rooms, participants)
        for fallen in self._watch.take(samples):
            self._observers.tell(fallen)

    def _now(self) -> Now:
        history, webhooks = self._history, self._webhooks
        return Now(
            version=self._version,
            media_plane=self._relay.plane,
            rooms=len(self._rooms),
            participants=self._rooms.participant_count,
            waiting=self._rooms.waiting_count,
            relay=self._relay.stats(),
            load=self._sampler.load,
            history={}
            if history is None
            else {
                "history_written": history.written,
                "history_dropped": history.dropped,
                "history_working": history.working,
            },
            webhooks={}
            if webhooks is None
            else {
                "webhooks_sent": webhooks.sent,
                "webhooks_failed": webhooks.failed,
                "webhooks_dropped": webhooks.dropped,
                "webhooks_waiting": webhooks.waiting,
            },
        )

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
