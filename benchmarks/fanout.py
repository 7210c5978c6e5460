"""A media plane alone: what one packet to many consumers costs, and what two threads carry.

The next packet is sent when the last consumer has the one before, so that each is received, forwarded and
sent by itself, as a voice's packets are. Floor (a) is measured in turn with it.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial

from relay import PlaneKind

from . import cpu
from .case import PLANES, Case, Effort, Figures, Group, Unit
from .fixture import (
    Outbound,
    Publisher,
    Receivers,
    Wiring,
    closing_all,
    in_thread,
    open_wiring,
    raise_descriptor_limit,
)
from .tools import NANOSECONDS, PROTECT, Tool

SIZES = (1, 10, 100, 500)
QUICK_SIZES = (1, 10)

PATIENCE = NANOSECONDS
"""Longest time that one packet may take to its last consumer; a machine that is busy is slow."""

WARM_UP = 64
"""Packets before anything is measured: caches, and the first of every SRTP context."""

_EXPECTED = 4e-6
_EXPECTED_ONCE = 20e-6
"""Seconds of CPU time for a forwarded packet, and for what is done once for all consumers: so that a
sample is as long as it should be."""

FLOOD_CONSUMERS = 500
FLOOD_PACKETS = 256
"""That wait in a plane's socket at once; a receive buffer of the usual size holds them."""

FLOOD_PATIENCE = 10.0
_POLL_INTERVAL = 0.001
_FLOOD_EXPECTED = 0.2
"""Seconds that such a flood takes, to know how many make a sample."""


def fan_out(kind: PlaneKind, consumers: int, effort: Effort) -> Figures:
    """One packet to `consumers`, by a plane and by the floor in turn."""
    return asyncio.run(_fan_out(kind, consumers, effort))


async def _fan_out(kind: PlaneKind, consumers: int, effort: Effort) -> Figures:
    raise_descriptor_limit()
    floor = Tool("floor")
    receivers, publisher = Receivers(floor, consumers), Publisher(floor)
    outbound = Outbound(floor, consumers)
    packets = max(8, int(effort.sample_seconds / (_EXPECTED * consumers + _EXPECTED_ONCE)))
    used, floor_nanoseconds, floor_packets = cpu.NONE, 0, 0
    with closing_all(receivers, publisher):
        async with open_wiring(kind) as wiring:
            wiring.connect(publisher, receivers)
            await _feed(floor, wiring, publisher, receivers, WARM_UP)
            for number in range(effort.rounds):
                used += await _feed(floor, wiring, publisher, receivers, packets)
                sample = floor.lib.floor_fan_out(
                    receivers.native,
                    publisher.native.descriptor,
                    outbound.native,
                    PROTECT,
                    1 + number * packets,
                    packets,
                )
                floor_nanoseconds += sample.nanoseconds
                floor_packets += sample.packets
    total = used.total / (packets * consumers * effort.rounds)
    floor_seconds = floor_nanoseconds / floor_packets / NANOSECONDS
    return {
        "cpu": total * 1e6,
        "user": total * used.user_share * 1e6,
        "system": total * (1 - used.user_share) * 1e6,
        "floor": floor_seconds * 1e6,
        "ratio": total / floor_seconds,
    }


async def _feed(
    floor: Tool, wiring: Wiring, publisher: Publisher, receivers: Receivers, packets: int
) -> cpu.CpuTime:
    """Have `packets` forwarded; the CPU time that the plane took for them."""
    before = wiring.used()
    fed = await in_thread(floor.lib.feed, publisher.native, receivers.native, packets, PATIENCE)
    if fed != packets:
        raise RuntimeError(f"packet {fed} of {packets} never came through")
    return wiring.used() - before


def threads(effort: Effort) -> Figures:
    """Packets per second that one thread of the native plane forwards, and two, both saturated."""
    return asyncio.run(_threads(effort))


async def _threads(effort: Effort) -> Figures:
    raise_descriptor_limit()
    floor = Tool("floor")
    consumers = 20 if effort.quick else FLOOD_CONSUMERS
    receivers = [Receivers(floor, consumers) for _ in range(2)]
    publishers = [Publisher(floor) for _ in range(2)]
    floors = [_Floor(floor, *pair) for pair in zip(publishers, receivers, strict=True)]
    plane, bare = {1: 0.0, 2: 0.0}, {1: 0.0, 2: 0.0}
    floods = max(1, int(effort.rounds * effort.sample_seconds / _FLOOD_EXPECTED))
    with closing_all(*receivers, *publishers):
        async with open_wiring(PlaneKind.NATIVE, threads=2) as wiring:
            for thread, (publisher, receiver) in enumerate(zip(publishers, receivers, strict=True)):
                wiring.connect(publisher, receiver, thread)
            for _ in range(floods):
                for count in plane:
                    plane[count] += await _flood(floor, wiring, publishers[:count], receivers)
                    bare[count] += await _flood_floor(floors[:count])
    packets = floods * FLOOD_PACKETS * consumers
    return {
        "one": packets / plane[1],
        "two": 2 * packets / plane[2],
        "ratio": 2 * plane[1] / plane[2],
        "floor ratio": 2 * bare[1] / bare[2],
    }


class _Floor:
    """Floor (a) as a thread that goes on where it was."""

    def __init__(self, floor: Tool, publisher: Publisher, receivers: Receivers) -> None:
        self._floor, self._publisher, self._receivers = floor, publisher, receivers
        self._outbound = Outbound(floor, len(receivers.addresses))
        self._sequence = 1

    async def run(self) -> None:
        """Send as many packets as a flood has, to every receiver."""
        sequence, self._sequence = self._sequence, self._sequence + FLOOD_PACKETS
        await in_thread(
            self._floor.lib.floor_fan_out,
            self._receivers.native,
            self._publisher.native.descriptor,
            self._outbound.native,
            PROTECT,
            sequence,
            FLOOD_PACKETS,
        )


async def _flood_floor(floors: list[_Floor]) -> float:
    """Run floors side by side; seconds until all are done."""
    begin = time.perf_counter()
    await asyncio.gather(*(floor.run() for floor in floors))
    return time.perf_counter() - begin


async def _flood(
    floor: Tool, wiring: Wiring, publishers: list[Publisher], receivers: list[Receivers]
) -> float:
    """Let a queue of packets wait for each publisher's thread; seconds until all are forwarded."""
    expected = FLOOD_PACKETS * sum(
        len(receiver.addresses) for _, receiver in zip(publishers, receivers, strict=False)
    )
    before, begin = wiring.forwarded(), time.perf_counter()
    for publisher in publishers:
        floor.lib.flood(publisher.native, FLOOD_PACKETS)
    async with asyncio.timeout(FLOOD_PATIENCE):
        while wiring.forwarded() - before < expected:  # noqa: ASYNC110 - the threads tell nobody
            await asyncio.sleep(_POLL_INTERVAL)
    return time.perf_counter() - begin


def _cases(quick: bool) -> list[Case]:
    sizes = QUICK_SIZES if quick else SIZES
    return [
        Case(f"1 to {size}", partial(fan_out, kind, size), kind)
        for size in sizes
        for kind in PLANES
    ]


def _thread_cases(quick: bool) -> list[Case]:
    if PlaneKind.NATIVE not in PLANES:
        return []
    return [Case("1 to 20" if quick else f"1 to {FLOOD_CONSUMERS}", threads, PlaneKind.NATIVE)]


FAN_OUT = Group(
    key="fanout",
    title="A media plane alone, CPU time per forwarded packet",
    note="Floor: sendmmsg of ready packets and srtp_protect in a C loop, to the same sockets.",
    columns={
        "cpu": Unit.MICROSECONDS,
        "user": Unit.MICROSECONDS,
        "system": Unit.MICROSECONDS,
        "floor": Unit.MICROSECONDS,
        "ratio": Unit.RATIO,
    },
    cases=_cases,
    seconds=4,
)

THREADS = Group(
    key="threads",
    title="Media threads, packets forwarded per second when saturated",
    note="Two publishers, one on each thread. Floor: the C loop, on one thread and on two.",
    columns={
        "one": Unit.PACKETS_PER_SECOND,
        "two": Unit.PACKETS_PER_SECOND,
        "ratio": Unit.RATIO,
        "floor ratio": Unit.RATIO,
    },
    cases=_thread_cases,
    seconds=15,
)
