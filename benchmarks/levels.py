"""What it costs to know who speaks, and what a room costs of which only those who speak are forwarded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from relay import PlaneKind
from relay.address import Address, Path, pack_sockaddr
from relay.plane import Stage
from relay.srtp import SrtpContext
from relay.udp import open_socket

from .case import PLANES, Case, Effort, Figures, Group, Unit
from .fanout import fan_out
from .fixture import (
    LOCALHOST,
    Outbound,
    Publisher,
    Receivers,
    Wiring,
    closing_all,
    open_wiring,
    raise_descriptor_limit,
    random_keys,
)
from .tools import NANOSECONDS, PROTECT, REMOVE_STREAM, UNPROTECT, Tool

WITHOUT_LEVELS, WITH_LEVELS, SEATED, UNSEATED = range(4)
"""`enum levels` of stages.h."""

_PACKETS = 200_000
_ROUNDS = 5

LISTENERS = 20
PEOPLE, SEATS = 200, 4
"""Publishers of a large room, and those of it that are forwarded."""

_WARM_UP = 50
_EXPECTED = 0.01
"""Seconds of CPU time of a large room's frame."""
_POLL_INTERVAL = 0.0005
_PATIENCE = 20.0


def detection(consumers: int, effort: Effort) -> Figures:
    """What levels and a seat add to a packet, beside the whole cost of forwarding it to `consumers`."""
    packets = max(64, _PACKETS // (100 if effort.quick else 1))
    with _stages() as (tool, stages):
        # The least of several, in turn: what a few nanoseconds cost drowns in anything else.
        spent = [
            [tool.lib.stage_levels(stages, packets, kind) / packets for kind in range(4)]
            for _ in range(_ROUNDS)
        ]
    without, levels, seated, unseated = map(min, zip(*spent, strict=True))
    whole = fan_out(PlaneKind.NATIVE, consumers, effort)["cpu"] * consumers
    return {
        "levels": levels - without,
        "seat": seated - levels,
        "no seat": unseated - levels,
        "whole": whole,
        "share": (seated - without) / NANOSECONDS * 1e6 / whole * 100,
    }


@contextmanager
def _stages() -> Iterator[tuple[Tool, Any]]:
    tool = Tool("stages")
    udp = open_socket(Address(LOCALHOST, 0))
    inbound, outbound = SrtpContext.inbound(random_keys()), Outbound(tool, 1)
    stages = tool.lib.stage_new(
        udp.fileno(),
        tool.ffi.from_buffer("char[]", pack_sockaddr(Address(LOCALHOST, 9))),
        1,
        tool.pointer(inbound.address),
        outbound.native,
        PROTECT,
        UNPROTECT,
        REMOVE_STREAM,
    )
    try:
        yield tool, stages
    finally:
        tool.lib.stage_free(stages)
        udp.close()


def room(kind: PlaneKind, publishers: int, seats: int | None, effort: Effort) -> Figures:
    """CPU time of 20 ms in a room where `publishers` send, each to the same number of listeners."""
    return asyncio.run(_room(kind, publishers, seats, effort))


async def _room(kind: PlaneKind, publishers: int, seats: int | None, effort: Effort) -> Figures:
    raise_descriptor_limit()
    floor = Tool("floor")
    listeners = 2 if effort.quick else LISTENERS
    receivers = Receivers(floor, listeners)
    people = [Publisher(floor) for _ in range(publishers)]
    frames = max(4, int(effort.sample_seconds * effort.rounds / _EXPECTED))
    with closing_all(receivers, *people):
        async with open_wiring(kind) as wiring:
            stage = None if seats is None else wiring.plane.stage(seats)
            kept = [_connect(wiring, publisher, receivers, stage) for publisher in people]
            for _ in range(min(_WARM_UP, frames)):
                await _frame(floor, wiring, people, receivers)
            before, forwarded = wiring.used(), wiring.forwarded()
            for _ in range(frames):
                await _frame(floor, wiring, people, receivers)
            used, forwarded = wiring.used() - before, wiring.forwarded() - forwarded
            del kept
    return {"cpu": used.total / frames * 1e6, "forwarded": forwarded / frames}


def _connect(
    wiring: Wiring, publisher: Publisher, receivers: Receivers, stage: Stage | None
) -> list[Any]:
    local = wiring.local[0]
    publisher.direct(local)
    path = Path(local, publisher.address)
    source = wiring.plane.source(publisher.keys, path, time.monotonic())
    if stage is not None:
        source.enter(stage)
    wiring.plane.bind(path, source)
    kept: list[Any] = [source]
    for index, address in enumerate(receivers.addresses):
        sink = wiring.plane.sink(random_keys(), 1 + index, Path(local, address), 0, 0)
        wiring.plane.attach(sink, source, time.monotonic())
        kept.append(sink)
    return kept


async def _frame(
    floor: Tool, wiring: Wiring, people: list[Publisher], receivers: Receivers
) -> None:
    """A packet of everybody; returns when all were dealt with."""
    expected = wiring.plane.counters().datagrams_received + len(people)
    for publisher in people:
        floor.lib.flood(publisher.native, 1)
    async with asyncio.timeout(_PATIENCE):
        while wiring.plane.counters().datagrams_received < expected:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(_POLL_INTERVAL)
    receivers.drain()


def _detection_cases(quick: bool) -> list[Case]:
    if PlaneKind.NATIVE not in PLANES:
        return []
    return [
        Case(f"1 to {size}", partial(detection, size), PlaneKind.NATIVE) for size in (1, 10, 100)
    ][: 1 if quick else 3]


def _room_cases(quick: bool) -> list[Case]:
    people, seats = (6, 2) if quick else (PEOPLE, SEATS)
    shapes = [
        (f"{seats} publish", seats, None),
        (f"{people} publish, {seats} are heard", people, seats),
        (f"{people} publish", people, None),
    ]
    return [
        Case(name, partial(room, PlaneKind.NATIVE, publishers, limit), PlaneKind.NATIVE)
        for name, publishers, limit in shapes
        if PlaneKind.NATIVE in PLANES
    ]


LEVELS = Group(
    key="levels",
    title="Who speaks: what it adds to a packet of the native plane",
    note="levels: added up; seat: kept on a stage of 4; no seat: refused by louder ones. share: of"
    " levels and seat in the packet's whole way to so many consumers.",
    columns={
        "levels": Unit.NANOSECONDS,
        "seat": Unit.NANOSECONDS,
        "no seat": Unit.NANOSECONDS,
        "whole": Unit.MICROSECONDS,
        "share": Unit.PERCENT,
    },
    cases=_detection_cases,
    seconds=5,
)

ROOMS = Group(
    key="rooms",
    title="A large room, CPU time of the media plane for 20 ms of it",
    note=f"Everybody sends to {LISTENERS} listeners; with --loudest {SEATS} only {SEATS} are forwarded.",
    columns={"cpu": Unit.MICROSECONDS, "forwarded": Unit.PACKETS},
    cases=_room_cases,
    seconds=8,
)
