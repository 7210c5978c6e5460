"""A plausible yesterday in a history's file, for pictures: seven rooms, two bad links."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from signaling import events
from signaling.events import Event
from signaling.monitoring.history import History
from signaling.monitoring.load import Load
from signaling.monitoring.meters import Quality
from signaling.monitoring.quality import mouth_to_ear_delay, score
from signaling.monitoring.sampler import ParticipantSample
from tests.signaling.monitoring.fixtures import relay_stats
from tests.signaling.monitoring.history.course import Feeder, hears, joined, left

STEP = 10.0
HOUR = 3_600.0
DAY = 24 * HOUR

NAMES = (
    *("Ada", "Grace", "Alan", "Hedy", "Katherine", "Claude"),
    *("Radia", "Vint", "Barbara", "Edsger", "Tim", "Frances"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A room of yesterday. begin, end: hours of the day. bad: whose link was bad, which way, since when and
    until when, and the share that it lost."""

    room: str
    begin: float
    end: float
    people: int
    bad: tuple[int, str, float, float, float] | None = None


CALLS = (
    Call("night-shift", 1.0, 2.4, 2),
    Call("support", 7.5, 11.9, 3),
    Call("standup", 9.0, 9.5, 4, (3, "down", 9.14, 9.28, 0.09)),
    Call("design-review", 10.0, 11.3, 5, (4, "up", 10.6, 10.72, 0.07)),
    Call("support", 12.9, 17.6, 3),
    Call("planning", 14.0, 15.4, 6),
    Call("all-hands", 16.0, 16.8, 12),
)


async def write_yesterday(path: Path, midnight: float) -> None:
    """path: a history's file. midnight: the end of that day, Unix seconds."""
    history = History(path, 30, 64, lambda: midnight + HOUR)
    history.start()
    feeder = Feeder(history)
    day = Day(midnight - DAY)
    for step in range(int(DAY / STEP)):
        now = day.begin + step * STEP
        feeder.events(*day.happened(now))
        samples = day.samples(now + STEP)
        if samples or step % 6 == 0:
            rooms = len({sample.room for sample in samples})
            feeder.window(
                now + STEP, *samples, busy=day.load(now + STEP, len(samples)), rooms=rooms
            )
        if step % 500 == 0:
            await feeder.everything_written()
    await feeder.everything_written()
    await history.close()


class Day:
    """begin: its first instant, Unix seconds."""

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self._chance = random.Random(1)

    def happened(self, now: float) -> Iterator[Event]:
        """In the ten seconds from then on."""
        for number, call in enumerate(CALLS):
            begin, end = self._span(call)
            if now <= begin < now + STEP:
                yield from _begin(call.room, _people(number, call), begin)
            if now <= end < now + STEP:
                yield from _end(call.room, _people(number, call), end)
            if call.bad and call.bad[1] == "down":
                yield from self._restart(number, call, now)

    def _restart(self, number: int, call: Call, now: float) -> Iterator[Event]:
        assert call.bad is not None
        person = _people(number, call)[call.bad[0]]
        fell = self.begin + HOUR * call.bad[2] + 40
        back = self.begin + HOUR * call.bad[3]
        if now <= fell < now + STEP:
            connection = f"{person}-{_people(number, call)[0]}"
            yield events.QualityFell(call.room, person, connection, 2.3, 3.1, at=fell)
        if now <= back < now + STEP:
            yield events.ParticipantResumed(call.room, person, 6.2, at=back)
            yield events.NetworkChanged(call.room, person, f"{person}-up", "restart", at=back + 1)

    def samples(self, now: float) -> list[ParticipantSample]:
        """Of everybody who was there in the ten seconds until then."""
        found: list[ParticipantSample] = []
        for number, call in enumerate(CALLS):
            begin, end = self._span(call)
            if begin + STEP < now <= end:
                found += self._room(call, _people(number, call), now)
        return found

    def _room(self, call: Call, people: list[str], now: float) -> Iterator[ParticipantSample]:
        way, whom, loss = "", "", 0.0
        if call.bad and self.begin + HOUR * call.bad[2] < now <= self.begin + HOUR * call.bad[3]:
            whom, way, loss = people[call.bad[0]], call.bad[1], call.bad[4]
        sent = {each: self._loss(loss if (each, way) == (whom, "up") else 0) for each in people}
        for place, person in enumerate(people):
            own = self._loss(loss if (person, way) == (whom, "down") else 0)
            trip = 0.018 + 0.012 * place + 0.003 * math.sin(now / 97 + place)
            up = self._quality(now, sent[person], sent[person], trip)
            down = {
                f"{person}-{other}": self._quality(
                    now, own, 1 - (1 - own) * (1 - sent[other]), trip
                )
                for other in people
                if other != person
            }
            yield ParticipantSample(call.room, person, {f"{person}-up": up}, down)

    def _loss(self, loss: float) -> float:
        usual = self._chance.choice((0.0, 0.0, 0.0, 0.002))
        return loss * self._chance.uniform(0.6, 1.4) + usual if loss else usual

    def _quality(self, now: float, own: float, whole: float, trip: float) -> Quality:
        jitter = self._chance.uniform(0.001, 0.004) + 0.1 * own
        heard = score(whole, mouth_to_ear_delay(trip / 2, jitter))
        return Quality(now, STEP, own, jitter, trip, 31_800.0, 500, 0, heard)

    def load(self, now: float, people: int) -> Load:
        """Of the server."""
        busy = 0.012 + 0.011 * people + self._chance.uniform(0, 0.01)
        sent = 500 * people * max(0, people // 3)
        return Load(now, STEP, busy, busy * 0.8, 0.001, 500 * people, sent, {}, relay_stats())

    def _span(self, call: Call) -> tuple[float, float]:
        return self.begin + HOUR * call.begin, self.begin + HOUR * call.end


def _people(number: int, call: Call) -> list[str]:
    """Ids, which begin with the name that `joined` makes of them."""
    return [f"{name.lower()}-{number}" for name in NAMES[: call.people]]


def _begin(room: str, people: list[str], at: float) -> Iterator[Event]:
    yield events.RoomStarted(room, at=at)
    for person in people:
        come, speak = joined(room, person, at)
        assert isinstance(come, events.ParticipantJoined)
        name = person.partition("-")[0].title()
        yield events.ParticipantJoined(room, person, name, at=come.at)
        yield speak
    for person in people:
        for other in people:
            if other != person:
                yield hears(room, person, other, at + 2)


def _end(room: str, people: list[str], at: float) -> Iterator[Event]:
    for person in people:
        for other in people:
            if other != person:
                yield events.ConsumerStopped(
                    room, person, f"{person}-{other}", f"{other}-up", "left", at=at
                )
    for person in people:
        yield from left(room, person, at)
    yield events.RoomEnded(room, at=at)
