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

_SETTLE_STEPS = 200
"""Of 50 ms: longer than any queue lasts."""

_FLOOD_CONSUMERS = 500
_FLOOD_INTERVAL = NANOSECONDS // 1500
"""Between packets to 500 consumers each, twice as many as a thread can forward."""


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
    consumers = 20 if effort.quick else _FLOOD_CONSUMERS
    receivers = [Receivers(floor, consumers) for _ in range(2)]
    publishers = [Publisher(floor) for _ in range(2)]
    with closing_all(*receivers, *publishers):
        async with open_wiring(PlaneKind.NATIVE, threads=2) as wiring:
            for thread, (publisher, receiver) in enumerate(zip(publishers, receivers, strict=True)):
                wiring.connect(publisher, receiver, thread)
            measure = partial(_saturate, floor, wiring, effort)
            one = two = 0.0
            for _ in range(effort.rounds):
                one += await measure(publishers[:1])
                two += await measure(publishers)
    return {
        "one": one / effort.rounds,
        "two": two / effort.rounds,
        "ratio": two / one,
    }


async def _saturate(
    floor: Tool, wiring: Wiring, effort: Effort, publishers: list[Publisher]
) -> float:
    """Forwarded packets per second while more come than can go."""
    seconds = max(0.1, effort.seconds / 3)
    count = int(seconds * NANOSECONDS / _FLOOD_INTERVAL)
    flooding = [
        asyncio.ensure_future(in_thread(floor.lib.flood, one.native, _FLOOD_INTERVAL, count))
        for one in publishers
    ]
    await asyncio.sleep(seconds / 10)  # until there is a queue
    begin, before = time.perf_counter(), wiring.forwarded()
    await asyncio.gather(*flooding)
    rate = (wiring.forwarded() - before) / (time.perf_counter() - begin)
    await _settle(wiring)
    return rate


async def _settle(wiring: Wiring) -> None:
    """Wait until the plane has worked off what it has."""
    before = -1
    for _ in range(_SETTLE_STEPS):
        if before == (before := wiring.forwarded()):
            return
        await asyncio.sleep(0.05)


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
    return [Case("1 to 20" if quick else f"1 to {_FLOOD_CONSUMERS}", threads, PlaneKind.NATIVE)]


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
)

THREADS = Group(
    key="threads",
    title="Media threads, packets forwarded per second when saturated",
    note="Two publishers, one on each thread. The load comes from the same machine's cores.",
    columns={
        "one": Unit.PACKETS_PER_SECOND,
        "two": Unit.PACKETS_PER_SECOND,
        "ratio": Unit.RATIO,
    },
    cases=_thread_cases,
)
