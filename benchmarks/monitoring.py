"""What it costs to watch: reading every connection, scoring it and writing it down, per forwarded packet.

Rooms whose connections are a real plane's sources and sinks, so that their counters cost what they
cost, with packets added that nobody sent. Every round stands for ten seconds of speech: the sampler
reads, the history writes, metrics count. CPU time is of the whole process, the history's thread
included; the share is that of forwarding one packet of a room of a hundred by the native plane,
measured in the same run.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from relay import ConnectionState, ConsumerStats, ForwardLatency, PublisherStats, RelayStats
from relay.address import Address
from relay.address import Path as NetworkPath
from relay.plane import Sink, Source
from signaling import events
from signaling.events import Event
from signaling.monitoring.history import History
from signaling.monitoring.live import Live
from signaling.monitoring.load import LoadMeter
from signaling.monitoring.metrics import Metrics, Now
from signaling.monitoring.sampler import INTERVAL, LIVE_INTERVAL, Readings, Sampler
from signaling.monitoring.watch import Watch
from signaling.participant import Participant, Publication, Subscription
from signaling.rooms import Rooms

from .case import PLANES, Case, Effort, Figures, Group, Unit
from .fanout import fan_out
from .fixture import LOCALHOST, Wiring, open_wiring, random_keys

PACKET_RATE = 50
"""Packets a second of a voice."""

HOUR = 3600.0

AT_ONCE = 10
"""Rounds after which the history's thread is waited for: it gathers what comes for a quarter second."""


@dataclass(eq=False)
class _Connection:
    """What monitoring sees of a publisher or a consumer. counted: readings so far."""

    id: str
    counters: Source | Sink
    state: ConnectionState = ConnectionState.CONNECTED
    counted: int = 0

    def stats(self) -> PublisherStats | ConsumerStats:
        """Counters as they come from the plane, plus speech until the next reading."""
        self.counters.counters()
        packets = int(PACKET_RATE * INTERVAL) * self.counted
        self.counted += 1
        if self.id.endswith("up"):
            return PublisherStats(packets, 80 * packets, packets // 200, 0, 0.001, 0.02)
        return ConsumerStats(
            packets, 80 * packets, packets // 100, 0.001, 0.02, packets, packets // 200
        )


@dataclass
class _Room:
    name: str
    participants: dict[str, Participant] = field(default_factory=dict)


class _Server:
    """Rooms of a size, as `Rooms` shows them."""

    def __init__(self, wiring: Wiring, count: int, size: int) -> None:
        self._wiring = wiring
        self._rooms = tuple(self._room(f"room-{number}", size) for number in range(count))
        self.participant_count = count * size
        self.waiting_count = 0

    def __len__(self) -> int:
        return len(self._rooms)

    def all(self) -> tuple[_Room, ...]:
        """Every room."""
        return self._rooms

    def is_away(self, participant: Participant) -> bool:
        """Nobody is."""
        return False

    def events(self, at: float) -> list[Event]:
        """How they came to be."""
        told: list[Event] = []
        for room in self._rooms:
            told.append(events.RoomStarted(room.name, at=at))
            for person in room.participants.values():
                told.append(events.ParticipantJoined(room.name, person.id, person.name, at=at))
                assert person.publication is not None
                told.append(
                    events.PublisherStarted(room.name, person.id, person.publication.id, at=at)
                )
            for person in room.participants.values():
                told += [
                    events.ConsumerStarted(
                        room.name, person.id, each.id, each.publication.id, at=at
                    )
                    for each in person.subscriptions.values()
                ]
        return told

    def _room(self, name: str, size: int) -> _Room:
        room = _Room(name)
        now, path = time.monotonic(), NetworkPath(self._wiring.local[0], Address(LOCALHOST, 9))
        plane = self._wiring.plane
        for number in range(size):
            person = Participant(f"Person {number}", lambda message: None)
            source = plane.source(random_keys(), path, now)
            media = _Connection(f"{person.id}-up", source)
            person.publication = Publication(person, cast(Any, media))
            room.participants[person.id] = person
        for person in room.participants.values():
            for speaker in room.participants.values():
                if speaker is person or speaker.publication is None:
                    continue
                sink = plane.sink(random_keys(), 1, path, 0, 0)
                media = _Connection(f"{person.id}-{speaker.id}"[:22], sink)
                person.subscriptions[media.id] = Subscription(
                    person, speaker.publication, cast(Any, media)
                )
        return room


class _Watching:
    """Everything that watches, driven by hand."""

    def __init__(self, server: _Server, path: Path) -> None:
        self.now = 1_800_000_000.0
        self._server = server
        self.history = History(path, 30, 4096, self._clock)
        self.history.start()
        self._readings = Readings(cast(Rooms, server), self._clock)
        self._live_readings = Readings(cast(Rooms, server), self._clock)
        self._load = LoadMeter(_relay_stats, self._clock)
        self._watch = Watch()
        sampler = Sampler(cast(Rooms, server), _relay_stats, lambda samples, load: None)
        self._live = Live(
            cast(Rooms, server),
            sampler,
            version="",
            media_plane="native",
            clock=self._clock,
            session=self.history.session,
            history=lambda: "on",
        )
        sampler.look = lambda: None  # type: ignore[method-assign]
        self.metrics = Metrics(
            lambda: Now("", "native", 0, 0, 0, _relay_stats(), sampler.load, {}, {})
        )
        self._fed = 0

    def _clock(self) -> float:
        return self.now

    async def begin(self) -> None:
        """Everybody joins, and is read for the first time."""
        for event in self._server.events(self.now):
            self.history.observe(event)
            self._live.observe(event)
            self._fed += 1
        await self._readings.read()
        await self._live_readings.read()
        await self.written()

    async def round(self) -> None:
        """Ten seconds."""
        self.now += INTERVAL
        samples, load = await self._readings.read(), self._load.read()
        self.metrics.take(samples)
        self._watch.take(samples)
        self.history.take(samples, load, len(self._server), self._server.participant_count)
        self._fed += 1

    async def look(self) -> None:
        """Two seconds of somebody who looks on."""
        await self._live_readings.read()
        await self._live.json()

    async def written(self) -> None:
        """Wait for the history's thread."""
        while self.history.written < self._fed:
            if self.history.dropped:
                raise RuntimeError("the history could not be written")
            await asyncio.sleep(0.1)


def watching(count: int, size: int, effort: Effort) -> Figures:
    """So many rooms of a size."""
    forward = fan_out(PLANES[0], 10 if effort.quick else 100, effort)["cpu"]
    return asyncio.run(_watching(count, size, effort, forward))


async def _watching(count: int, size: int, effort: Effort, forward: float) -> Figures:
    rounds = 6 if effort.quick else int(HOUR / INTERVAL)
    consumers = count * size * (size - 1)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "history.db"
        async with open_wiring(PLANES[0]) as wiring:
            watching = _Watching(_Server(wiring, count, size), path)
            await watching.begin()
            before = time.process_time()
            for number in range(rounds):
                await watching.round()
                if number % AT_ONCE == AT_ONCE - 1:
                    await watching.written()
            await watching.written()
            recorded = (time.process_time() - before) / rounds
            looks = max(2, rounds // 10)
            before = time.process_time()
            for _ in range(looks):
                await watching.look()
            looked = (time.process_time() - before) / looks
            before = time.process_time()
            watching.metrics.text()
            scraped = time.process_time() - before
        await watching.history.close()
        hours = count * size * rounds * INTERVAL / HOUR
        kept = path.stat().st_size / hours
    per_packet = recorded / (consumers * PACKET_RATE * INTERVAL)
    watched = looked / (consumers * PACKET_RATE * LIVE_INTERVAL)
    return {
        "round": recorded * 1e3,
        "cpu": per_packet * 1e9,
        "share": per_packet * 1e6 / forward,
        "watched": (per_packet + watched) * 1e6 / forward,
        "scrape": scraped * 1e3,
        "history": kept / 1024,
    }


def _relay_stats() -> RelayStats:
    return RelayStats(0, 0, 0, 0, 0, 0, ForwardLatency(0, 0.0, 0.0, 0.0, 0.0))


def _cases(quick: bool) -> list[Case]:
    shapes = ((2, 3),) if quick else ((100, 2), (30, 5), (10, 10), (1, 30))
    return [
        Case(f"{count} x room of {size}", partial(watching, count, size), PLANES[0])
        for count, size in shapes
    ]


MONITORING = Group(
    key="monitoring",
    title="Watching: quality, history and metrics, per forwarded packet",
    note="A round is ten seconds of everybody; share: of forwarding; watched: with a dashboard open;"
    " history: of one participant-hour.",
    columns={
        "round": Unit.MILLISECONDS,
        "cpu": Unit.NANOSECONDS,
        "share": Unit.RATIO,
        "watched": Unit.RATIO,
        "scrape": Unit.MILLISECONDS,
        "history": Unit.KIBIBYTES,
    },
    cases=_cases,
    seconds=25,
)
