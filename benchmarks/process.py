"""The whole relay under real load: its own process, real ICE and DTLS-SRTP peers in another.

    set up      the first consumers one after the other, timed; the rest a few at a time
    silence     nobody speaks: what consent checks and reports cost
    speech      every voice sends a packet each 20 ms
    floor (b)   a third process sends the same bursts to the same listeners, in turn with speech

CPU time is the server process's, with its control plane. Loss is exact: nobody speaks when it is counted.
Latency: from the publisher's system call to the kernel's receive stamp at the listener.
"""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass
from functools import partial

from relay import PlaneKind

from . import cpu
from .case import PLANES, Case, Effort, Figures, Group, Unit
from .floor_process import measure_floor
from .load.generator import Heard
from .load.session import Connection, Session, in_turn, open_session

SETTLE = 0.3
"""Seconds after speech until the last packet has certainly come, or is lost."""

SET_UP_ALONE = 10
"""Consumers whose set-up is timed one after the other."""

SET_UP_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """Who hears whom. voices: publishers; listeners: of each; room_size: publishers of one room."""

    voices: int
    listeners: int
    room_size: int = 1

    @property
    def consumers(self) -> int:
        """All together."""
        return self.voices * self.listeners

    @property
    def name(self) -> str:
        """As tables call it."""
        if self.room_size > 1:
            return f"{self.voices // self.room_size} x room of {self.room_size}"
        return f"{self.voices} x {self.listeners}"


def rooms(count: int, size: int) -> Shape:
    """Rooms where everybody speaks and hears all others."""
    return Shape(count * size, size - 1, size)


SHAPES = (Shape(1, 10), Shape(1, 100), Shape(1, 300), Shape(10, 10), rooms(30, 5))
QUICK_SHAPES = (Shape(1, 4), rooms(2, 3))


@dataclass(frozen=True, slots=True)
class SetUp:
    """What it took to connect all consumers. seconds: the median of those one after the other; cpu:
    the server's seconds per consumer; memory: the server's bytes per consumer."""

    publishers: list[Connection]
    consumers: list[Connection]
    seconds: float
    cpu: float
    memory: float


async def set_up(session: Session, shape: Shape, *, open_samples: bool = True) -> SetUp:
    """Connect everybody. open_samples: let listeners decrypt some of what they get."""
    publishers = await in_turn(
        [
            partial(session.publish, f"room {index // shape.room_size}")
            for index in range(shape.voices)
        ],
        SET_UP_AT_ONCE,
    )
    used, resident = session.used(), session.resident()
    jobs = [
        partial(session.consume, publisher, open_samples=open_samples)
        for publisher in publishers
        for _ in range(shape.listeners)
    ]
    alone = await in_turn([*jobs[:SET_UP_ALONE]], 1)
    consumers = alone + await in_turn([*jobs[SET_UP_ALONE:]], SET_UP_AT_ONCE)
    return SetUp(
        publishers,
        consumers,
        seconds=statistics.median(connection.set_up for connection in alone),
        cpu=(session.used() - used).total / len(consumers),
        memory=(session.resident() - resident) / len(consumers),
    )


@dataclass(slots=True)
class Speech:
    """What windows of speech came to. used: CPU time; floor: seconds per packet of the floor's."""

    used: cpu.CpuTime
    forwarded: int
    floor: float


async def speak(session: Session, effort: Effort, connected: SetUp, shape: Shape) -> Speech:
    """Windows of speech and of the floor in turn."""
    generator = session.generator
    speech, floors = Speech(cpu.NONE, 0, 0.0), []
    for _ in range(effort.rounds):
        used = session.used()
        spoken = await generator.speak(effort.seconds)
        await asyncio.sleep(SETTLE)
        speech.used += session.used() - used
        speech.forwarded += spoken * shape.listeners
        addresses = [consumer.peer.socket.getsockname() for consumer in connected.consumers]
        floors.append(
            await measure_floor(addresses, shape.listeners, generator.interval, effort.seconds)
        )
    speech.floor = statistics.fmean(floors)
    return speech


async def silence(session: Session, effort: Effort) -> float:
    """CPU seconds of the server in a second when nobody speaks."""
    used = session.used()
    await asyncio.sleep(effort.seconds)
    return (session.used() - used).total / effort.seconds


def heard_figures(heard: Heard, expected: int, session: Session) -> Figures:
    """Loss and latency. Raises RuntimeError when what came was not what had been sent."""
    if heard.refused:
        raise RuntimeError(f"{heard.refused} of the packets that were opened were not authentic")
    if session.lost:
        raise RuntimeError(f"the server closed connections: {set(session.lost)}")
    return {
        "loss": expected - heard.received,
        "p50": heard.latency(0.5) * 1e3,
        "p99": heard.latency(0.99) * 1e3,
        "p99.9": heard.latency(0.999) * 1e3,
    }


def under_load(kind: PlaneKind, shape: Shape, effort: Effort) -> Figures:
    """One shape, from the first connection to the last packet."""
    return asyncio.run(_under_load(kind, shape, effort))


async def _under_load(kind: PlaneKind, shape: Shape, effort: Effort) -> Figures:
    async with open_session(
        "relay_process",
        kind,
        "1",
        peers=shape.voices + shape.consumers,
        voices=shape.voices,
    ) as session:
        connected = await set_up(session, shape)
        idle = await silence(session, effort)
        speech = await speak(session, effort, connected, shape)
        heard = session.generator.heard([one.index for one in connected.consumers])
        inside = (await session.counters()).latency_p99
    per_packet = speech.used.total / speech.forwarded
    return {
        "cpu": per_packet * 1e6,
        "user": per_packet * speech.used.user_share * 1e6,
        "system": per_packet * (1 - speech.used.user_share) * 1e6,
        "floor": speech.floor * 1e6,
        "ratio": per_packet / speech.floor,
        **heard_figures(heard, heard.sent * shape.listeners, session),
        "inside p99": (inside or 0.0) * 1e3,
        "memory": connected.memory / 1024,
        "set-up": connected.seconds * 1e3,
        "set-up cpu": connected.cpu * 1e3,
        "silent cpu": idle / (shape.consumers + shape.voices) * 1e6,
    }


def load_cases(shapes: tuple[Shape, ...]) -> list[Case]:
    """Every shape on every plane."""
    return [
        Case(shape.name, partial(under_load, kind, shape), kind)
        for shape in shapes
        for kind in PLANES
    ]


COLUMNS = {
    "cpu": Unit.MICROSECONDS,
    "user": Unit.MICROSECONDS,
    "system": Unit.MICROSECONDS,
    "floor": Unit.MICROSECONDS,
    "ratio": Unit.RATIO,
    "loss": Unit.PACKETS,
    "p50": Unit.MILLISECONDS,
    "p99": Unit.MILLISECONDS,
    "p99.9": Unit.MILLISECONDS,
    "inside p99": Unit.MILLISECONDS,
    "memory": Unit.KIBIBYTES,
    "set-up": Unit.MILLISECONDS,
    "set-up cpu": Unit.MILLISECONDS,
    "silent cpu": Unit.MICROSECONDS,
}

PROCESS = Group(
    key="process",
    title="The whole relay under real load",
    note="Floor: a C program that calls sendmmsg for the same bursts to the same listeners.",
    columns=COLUMNS,
    cases=lambda quick: load_cases(QUICK_SHAPES if quick else SHAPES),
    seconds=30,
)
