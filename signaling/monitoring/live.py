"""What goes on now, as JSON: rooms, people, their connections, and the server itself."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from enum import Enum
from typing import Any

from signaling import events
from signaling.events import Event
from signaling.monitoring.meters import Quality
from signaling.monitoring.sampler import Sampler
from signaling.participant import Participant, Publication, Subscription
from signaling.room import Room
from signaling.rooms import Rooms

MAX_CONNECTIONS = 5000
"""In one answer: about a megabyte."""

CHUNK = 100
"""Connections that are written before the event loop has its turn."""

_FIGURES = (
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


class Consumers(Enum):
    """Which consumers of each participant are told: a room of n has n (n - 1) of them."""

    ALL = "true"
    NONE = "false"
    WORST = "worst"

    @property
    def most(self) -> float:
        """How many of one participant."""
        return {Consumers.ALL: math.inf, Consumers.NONE: 0, Consumers.WORST: 1}[self]


class Live:
    """Puts the live state together. version, media_plane: as in `/healthz`. clock: Unix seconds.
    session: the id of an open room's history, or None; history: `on`, `off` or `failing`."""

    def __init__(
        self,
        rooms: Rooms,
        sampler: Sampler,
        *,
        version: str,
        media_plane: str,
        clock: Callable[[], float],
        session: Callable[[str], str | None],
        history: Callable[[], str],
    ) -> None:
        self._rooms = rooms
        self._sampler = sampler
        self._version = version
        self._media_plane = media_plane
        self._clock = clock
        self._session = session
        self._history = history
        self._started_at, self._began = clock(), time.monotonic()
        self._room_started: dict[str, float] = {}
        self._joined: dict[str, events.ParticipantJoined] = {}

    def observe(self, event: Event) -> None:
        """Note since when rooms and people are there."""
        match event:
            case events.RoomStarted():
                self._room_started[event.room] = event.at
            case events.RoomEnded():
                self._room_started.pop(event.room, None)
            case events.ParticipantJoined():
                self._joined[event.participant_id] = event
            case events.ParticipantLeft():
                self._joined.pop(event.participant_id, None)

    async def json(self, *, room: str | None = None, consumers: Consumers = Consumers.ALL) -> bytes:
        """The state, of one room or all. It is written piece by piece, so that no piece holds the event
        loop up."""
        self._sampler.look()
        rooms, count, since = [], 0, 0
        truncated = False
        for each in self._rooms.all():
            if room is not None and each.name != room:
                continue
            people = []
            for participant in tuple(each.participants.values()):
                subscriptions = len(participant.subscriptions)
                size = 1 + min(subscriptions, consumers.most)
                if count + size > MAX_CONNECTIONS:
                    truncated = True
                    break
                count += int(size)
                since += 1 + subscriptions * (consumers is not Consumers.NONE)
                people.append(_dump(self._participant(participant, consumers)))
                if since >= CHUNK:
                    since = 0
                    await asyncio.sleep(0)
            head = _dump(self._room(each))
            rooms.append(f'{head[:-1]},"participants":[{",".join(people)}]}}')
        top = _dump({"at": self._clock(), "server": self._server(), "truncated": truncated})
        return f'{top[:-1]},"rooms":[{",".join(rooms)}]}}\n'.encode()

    def _server(self) -> dict[str, Any]:
        load = self._sampler.load
        stats = load.stats
        rate = 1 / load.interval
        return {
            "version": self._version,
            "started_at": self._started_at,
            "uptime": time.monotonic() - self._began,
            "media_plane": self._media_plane,
            "cpu": load.cpu,
            "busiest_thread": load.busiest_thread,
            "loop_delay": load.loop_delay,
            "rooms": len(self._rooms),
            "participants": self._rooms.participant_count,
            "publishers": stats.publishers,
            "consumers": stats.consumers,
            "packets_received": stats.rtp_packets_received,
            "packets_received_per_second": load.received * rate,
            "packets_forwarded": stats.packets_forwarded,
            "packets_forwarded_per_second": load.forwarded * rate,
            "forward_latency": asdict(stats.forward_latency),
            "datagrams_missed": {
                "total": stats.datagrams_missed,
                "per_second": load.missed * rate,
            },
            "drops": {
                str(reason): {"total": total, "per_second": load.drops.get(str(reason), 0) * rate}
                for reason, total in stats.drops.items()
            },
            "history": self._history(),
        }

    def _room(self, room: Room) -> dict[str, Any]:
        return {
            "room": room.name,
            "session_id": self._session(room.name),
            "started_at": self._room_started.get(room.name),
        }

    def _participant(self, participant: Participant, consumers: Consumers) -> dict[str, Any]:
        joined = self._joined.get(participant.id)
        publication = participant.publication
        speech = None if publication is None else publication.speech
        told: dict[str, Any] = {
            "participant_id": participant.id,
            "name": participant.name,
            "identity": None if joined is None else joined.identity,
            "muted": participant.muted,
            "away": self._rooms.is_away(participant),
            "joined_at": None if joined is None else joined.at,
            "level": None if speech is None else speech.level,
            "speaking": speech is not None and speech.speaking,
            "publisher": None if publication is None else self._publisher(publication),
        }
        if consumers is Consumers.ALL:
            told["consumers"] = [
                self._consumer(each) for each in participant.subscriptions.values()
            ]
        elif consumers is Consumers.WORST:
            told["consumers"] = [self._consumer(each) for each in self._worst(participant)]
        return told

    def _worst(self, participant: Participant) -> list[Subscription]:
        """The one subscription that sounds worst, if there are any."""

        def rank(subscription: Subscription) -> tuple[float, float]:
            quality = self._sampler.latest(subscription.id)
            if quality is None or quality.score is None:
                return math.inf, 0
            return quality.score, -(quality.loss or 0)

        worst = min(participant.subscriptions.values(), key=rank, default=None)
        return [] if worst is None else [worst]

    def _publisher(self, publication: Publication) -> dict[str, Any]:
        figures = _figures(self._sampler.latest(publication.id))
        return {"publisher_id": publication.id, "state": publication.media.state, **figures}

    def _consumer(self, subscription: Subscription) -> dict[str, Any]:
        return {
            "consumer_id": subscription.id,
            "publisher_id": subscription.publication.id,
            "speaker_id": subscription.publication.owner.id,
            "state": subscription.media.state,
            **_figures(self._sampler.latest(subscription.id)),
        }


def _figures(quality: Quality | None) -> dict[str, Any]:
    return {name: None if quality is None else getattr(quality, name) for name in _FIGURES}


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
