"""Reads every connection every ten seconds, and every two while somebody looks on.

Off the hot path: it asks the media plane for counters, a few connections at a time, and lets the event
loop go on in between.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from relay import ConnectionState, RelayStats
from signaling.monitoring.load import Load, LoadMeter
from signaling.monitoring.meters import DownlinkMeter, Quality, UplinkMeter
from signaling.participant import Participant
from signaling.rooms import Rooms

logger = logging.getLogger(__name__)

INTERVAL = 10.0
"""Seconds of one point of the history."""

LIVE_INTERVAL = 2.0
"""Seconds of what is shown live."""

WATCHED_FOR = 10.0
"""Seconds for which a look at the live state keeps it fresh."""

LATENESS_INTERVAL = 0.5
"""Seconds between two looks at how late the event loop is."""

CHUNK = 50
"""Connections that are read before the event loop has its turn: about half a millisecond."""


@dataclass(frozen=True, slots=True)
class ParticipantSample:
    """What one participant's connections did in an interval. uplinks, downlinks: by publisher and consumer
    id; a connection that was read for the first time is not among them."""

    room: str
    participant_id: str
    uplinks: dict[str, Quality] = field(default_factory=dict)
    downlinks: dict[str, Quality] = field(default_factory=dict)


class Readings:
    """The meters of all connections, for one length of interval. latest: by connection id. clock: Unix
    seconds; steady: seconds of a clock that nobody sets."""

    def __init__(
        self,
        rooms: Rooms,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.latest: dict[str, Quality] = {}
        self._rooms = rooms
        self._clock = clock
        self._steady = steady
        self._uplinks: dict[str, UplinkMeter] = {}
        self._downlinks: dict[str, DownlinkMeter] = {}
        self._done = 0

    async def read(self) -> list[ParticipantSample]:
        """Read every connection: what everybody's did since the last time. The meters of those that are
        gone go, too."""
        latest: dict[str, Quality] = {}
        await self._read_uplinks(latest)  # first: a listener's score needs the speaker's
        samples = await self._read_downlinks(latest)
        self.latest = latest
        return samples

    def forget(self) -> None:
        """The next reading is a first one again."""
        self.latest, self._uplinks, self._downlinks = {}, {}, {}

    async def _read_uplinks(self, latest: dict[str, Quality]) -> None:
        meters: dict[str, UplinkMeter] = {}
        for _, participant in self._everybody():
            publication = participant.publication
            if publication is None or publication.media.state is not ConnectionState.CONNECTED:
                continue
            id, stats, at = publication.id, publication.media.stats(), self._steady()
            meter = self._uplinks.get(id)
            if meter is None:
                meters[id] = UplinkMeter(stats, at)
            else:
                quality = meter.read(stats, at, muted=participant.muted)
                latest[id] = quality._replace(at=self._clock())
                meters[id] = meter
            self._done += 1
            if self._done % CHUNK == 0:
                await asyncio.sleep(0)
        self._uplinks = meters

    async def _read_downlinks(self, latest: dict[str, Quality]) -> list[ParticipantSample]:
        meters: dict[str, DownlinkMeter] = {}
        samples = []
        for room, participant in self._everybody():
            sample = ParticipantSample(room, participant.id)
            publication = participant.publication
            if publication is not None and publication.id in latest:
                sample.uplinks[publication.id] = latest[publication.id]
            for subscription in tuple(participant.subscriptions.values()):
                if subscription.media.state is not ConnectionState.CONNECTED:
                    continue
                id, stats, at = subscription.id, subscription.media.stats(), self._steady()
                meter = self._downlinks.get(id)
                if meter is None:
                    meters[id] = DownlinkMeter(stats, at)
                else:
                    uplink = latest.get(subscription.publication.id)
                    quality = meter.read(stats, at, uplink)._replace(at=self._clock())
                    sample.downlinks[id] = latest[id] = quality
                    meters[id] = meter
                self._done += 1
                if self._done % CHUNK == 0:
                    await asyncio.sleep(0)
            samples.append(sample)
        self._downlinks = meters
        return samples

    def _everybody(self) -> Iterator[tuple[str, Participant]]:
        """Everyone, and the name of their room. They come and go between two chunks."""
        for room in self._rooms.all():
            for participant in tuple(room.participants.values()):
                if participant.id in room.participants:
                    yield room.name, participant


class Sampler:
    """Reads on time. take: gets what everybody's connections did in ten seconds, and how busy the server
    was. stats: of the relay; clock: Unix seconds."""

    def __init__(
        self,
        rooms: Rooms,
        stats: Callable[[], RelayStats],
        take: Callable[[list[ParticipantSample], Load], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._take = take
        self._recorded = Readings(rooms, clock)
        self._live = Readings(rooms, clock)
        self._load = LoadMeter(stats, clock)
        self._live_load = LoadMeter(stats, clock)
        self._last_load = self._load.read()
        self._watched_at = -math.inf
        self._tasks: list[asyncio.Task[None]] = []
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._tasks += [asyncio.create_task(self._record()), asyncio.create_task(self._be_late())]

    async def close(self) -> None:
        """End."""
        tasks = [task for task in (*self._tasks, self._watch) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def load(self) -> Load:
        """How busy the server was last."""
        return self._last_load

    def latest(self, connection_id: str) -> Quality | None:
        """What a connection did last: in two seconds where somebody looked on, else in ten."""
        return self._live.latest.get(connection_id) or self._recorded.latest.get(connection_id)

    def look(self) -> None:
        """Somebody looks on: read more often for a while."""
        self._watched_at = asyncio.get_running_loop().time()
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._read_live())

    async def _record(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            try:
                samples = await self._recorded.read()
                load = self._load.read()
                if self._watch is None or self._watch.done():
                    self._last_load = load
                self._take(samples, load)
            except Exception:
                logger.exception("the connections could not be read")
            due = max(due + INTERVAL, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _read_live(self) -> None:
        loop = asyncio.get_running_loop()
        self._live_load.read()
        try:
            while loop.time() - self._watched_at < WATCHED_FOR:
                await self._live.read()
                await asyncio.sleep(LIVE_INTERVAL)
                self._last_load = self._live_load.read()
        except Exception:
            logger.exception("the connections could not be read")
        finally:
            self._live.forget()

    async def _be_late(self) -> None:
        """Measure how late the event loop comes to what is due."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LATENESS_INTERVAL
            await asyncio.sleep(LATENESS_INTERVAL)
            late = max(0.0, loop.time() - due)
            self._load.add_delay(late)
            self._live_load.add_delay(late)
