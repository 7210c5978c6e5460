"""Traces of a join in the log: one line when somebody is in, and one for each connection that was set up or
failed, with how long each phase took.

    offer          the connection was made, its offer is on its way                0
    answer         until the browser's answer was here
    ice            until a path was found
    dtls           until the handshake on it was over
    connected      until media could flow
    first_packet   until the first packet came, or went

Neither addresses nor names stand in it, as in the rest of the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from relay import SetupTimes
from signaling import events
from signaling.events import Event
from signaling.rooms import Rooms

logger = logging.getLogger(__name__)

LOOK_INTERVAL = 0.1
"""Seconds between two looks for the first packet."""

PATIENCE = 5.0
"""Seconds until a connection is told of without a first packet: somebody is muted."""

MAX_PENDING = 1000
"""Connections whose first packet is waited for; more are told of at once."""


@dataclass(slots=True)
class _Pending:
    fields: dict[str, object]
    setup: SetupTimes
    packets: Callable[[], int]
    since: float


class Traces:
    """Tells. Everything happens on the event loop."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._pending: list[_Pending] = []
        self._task: asyncio.Task[None] | None = None

    def observe(self, event: Event) -> None:
        """Trace a fact."""
        match event:
            case events.ParticipantJoined():
                joined: dict[str, object] = {
                    "event": "join",
                    "room": event.room,
                    "participant_id": event.participant_id,
                }
                logger.info("joined", extra={"fields": joined})
            case events.PublisherStarted():
                self._started(event, "up", event.publisher_id)
            case events.ConsumerStarted():
                self._started(event, "down", event.consumer_id)
            case events.ConnectionFailed():
                fields = _fields(event, event.direction, event.connection_id)
                _tell(fields, event.setup, None, str(event.reason))

    async def close(self) -> None:
        """End; what waits for its first packet is told of without."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for pending in self._pending:
            _tell(pending.fields, pending.setup, None, "connected")
        self._pending.clear()

    def _started(self, event: events.ParticipantEvent, direction: str, id: str) -> None:
        found = self._find(event, direction, id)
        if found is None:
            return
        setup, packets = found
        fields = _fields(event, direction, id)
        if len(self._pending) >= MAX_PENDING:
            _tell(fields, setup, None, "connected")
            return
        now = asyncio.get_running_loop().time()
        self._pending.append(_Pending(fields, setup, packets, now))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())

    def _find(
        self, event: events.ParticipantEvent, direction: str, id: str
    ) -> tuple[SetupTimes, Callable[[], int]] | None:
        room = self._rooms.get(event.room)
        person = None if room is None else room.participants.get(event.participant_id)
        if person is None:
            return None
        if direction == "up" and person.publication is not None:
            source = person.publication.media
            return source.setup, lambda: source.stats().packets_received
        subscription = person.subscriptions.get(id)
        if subscription is None:
            return None
        sink = subscription.media
        return sink.setup, lambda: sink.stats().packets_sent

    async def _look(self) -> None:
        """Look for first packets while any is waited for."""
        loop = asyncio.get_running_loop()
        while self._pending:
            await asyncio.sleep(LOOK_INTERVAL)
            now = loop.time()
            waiting = []
            for pending in self._pending:
                if pending.packets() or now - pending.since > PATIENCE:
                    first = now - pending.since if pending.packets() else None
                    _tell(pending.fields, pending.setup, first, "connected")
                else:
                    waiting.append(pending)
            self._pending = waiting


def _fields(event: events.ParticipantEvent, direction: str, id: str) -> dict[str, object]:
    return {
        "event": "connection",
        "room": event.room,
        "participant_id": event.participant_id,
        "connection_id": id,
        "direction": direction,
    }


def _tell(
    fields: dict[str, object], setup: SetupTimes, first_packet: float | None, outcome: str
) -> None:
    """first_packet: seconds since it was connected."""
    phases = durations(setup)
    if first_packet is not None:
        phases["first_packet"] = round(first_packet, 4)
    total = round(sum(phases.values()), 4)
    logger.info(
        "connection %s in %.3f s",
        outcome,
        total,
        extra={"fields": {**fields, "outcome": outcome, "phases": phases, "total": total}},
    )


def durations(setup: SetupTimes) -> dict[str, float]:
    """How long each phase took that came to its end, in seconds: since what ended last before it."""
    reached = {
        "answer": setup.answered,
        "ice": setup.ice,
        "dtls": setup.dtls,
        "connected": setup.connected,
    }
    phases, before = {"offer": 0.0}, 0.0
    for name, at in reached.items():
        if at is not None:
            phases[name] = round(max(0.0, at - before), 4)
            before = max(before, at)
    return phases
