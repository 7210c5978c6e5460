"""Calls as facts and samples, without a relay: what the history is fed with in its tests."""

from __future__ import annotations

from signaling import events
from signaling.events import Event
from signaling.monitoring.history import History
from signaling.monitoring.load import Load
from signaling.monitoring.meters import Quality
from signaling.monitoring.sampler import ParticipantSample
from tests.signaling.monitoring.fixtures import relay_stats, until

BEGIN = 1_795_600_000.0
"""When these calls begin, in Unix seconds."""


def quality(
    at: float,
    score: float | None = 4.4,
    loss: float | None = 0.0,
    *,
    jitter: float | None = 0.001,
    round_trip_time: float | None = 0.02,
    packets: int = 500,
    gaps: int | None = 0,
) -> Quality:
    """Ten seconds that sounded well, unless said otherwise."""
    return Quality(at, 10.0, loss, jitter, round_trip_time, 32_000.0, packets, gaps, score)


def load(
    at: float, *, busiest_thread: float = 0.1, drops: dict[str, int] | None = None, sent: int = 1000
) -> Load:
    """Ten seconds of a server that had little to do, unless said otherwise."""
    return Load(at, 10.0, 0.2, busiest_thread, 0.001, 500, sent, drops or {}, relay_stats())


def joined(room: str, person: str, at: float) -> list[Event]:
    """Somebody comes and speaks."""
    return [
        events.ParticipantJoined(room, person, person.title(), at=at),
        events.PublisherStarted(room, person, f"{person}-up", at=at + 1),
    ]


def hears(room: str, listener: str, speaker: str, at: float) -> Event:
    """Somebody hears somebody."""
    return events.ConsumerStarted(room, listener, f"{listener}-{speaker}", f"{speaker}-up", at=at)


def left(room: str, person: str, at: float, reason: str = "left") -> list[Event]:
    """Somebody stops and goes."""
    return [
        events.PublisherStopped(room, person, f"{person}-up", reason, at=at),
        events.ParticipantLeft(room, person, reason, at=at),
    ]


def sample(room: str, person: str, up: Quality | None, **down: Quality) -> ParticipantSample:
    """What somebody's connections did. down: by the speaker."""
    return ParticipantSample(
        room,
        person,
        {} if up is None else {f"{person}-up": up},
        {f"{person}-{speaker}": each for speaker, each in down.items()},
    )


def conversation(room: str = "a", at: float = BEGIN) -> list[Event]:
    """Ada and Bob hear each other."""
    return [
        events.RoomStarted(room, at=at),
        *joined(room, "ada", at),
        *joined(room, "bob", at + 5),
        hears(room, "bob", "ada", at + 6),
        hears(room, "ada", "bob", at + 7),
    ]


def farewell(room: str = "a", at: float = BEGIN + 60) -> list[Event]:
    """Bob goes, then Ada."""
    return [
        events.ConsumerStopped(room, "ada", "ada-bob", "bob-up", "publisher_closed", at=at),
        *left(room, "bob", at, "disconnected"),
        *left(room, "ada", at + 1),
        events.RoomEnded(room, at=at + 1),
    ]


class Feeder:
    """Feeds a history and knows how much that was."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.fed = 0

    def events(self, *facts: Event) -> None:
        for fact in facts:
            self.history.observe(fact)
            self.history.forget(fact)
            self.fed += 1

    def window(
        self, at: float, *samples: ParticipantSample, busy: Load | None = None, rooms: int = 1
    ) -> None:
        self.history.take(list(samples), busy or load(at), rooms, len(samples))
        self.fed += 1

    async def settled(self) -> None:
        """Everything is written, or dropped."""
        await until(lambda: self.history.written + self.history.dropped >= self.fed)

    async def everything_written(self) -> None:
        await self.settled()
        assert self.history.dropped == 0


async def talk(feeder: Feeder, room: str = "a", at: float = BEGIN, windows: int = 5) -> str:
    """A whole conversation in which Bob's link loses a fifth; the session's id."""
    feeder.events(*conversation(room, at))
    session = feeder.history.session(room)
    assert session is not None
    for number in range(1, windows + 1):
        now = at + 10 + 10 * number
        feeder.window(
            now,
            sample(room, "ada", quality(now), bob=quality(now, 4.3)),
            sample(room, "bob", quality(now), ada=quality(now, 1.8, 0.2)),
        )
    feeder.events(*farewell(room, at + 20 + 10 * windows))
    await feeder.everything_written()
    return session
