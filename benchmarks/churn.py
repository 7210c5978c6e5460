"""The whole relay under load while 50 connections a second come and go.

Some listeners stay; loss is theirs. The others join, listen for a second and leave. CPU time is all of the
server's, set-up included, so it has no floor to be compared with.

Busy: a Python thread of the server computes all the time, and leaves the GIL only when it has to. The
Python plane forwards nothing in time then, so only the native one is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import statistics
from functools import partial

from relay import PlaneKind

from .case import PLANES, Case, Effort, Figures, Group, Unit
from .load.session import Connection, Session, open_session
from .process import SETTLE, Shape, heard_figures, set_up

JOINS_PER_SECOND = 50
STAY = 1.0
"""Seconds that one who comes and goes stays."""

SHAPE = Shape(1, 100)
QUICK_SHAPE = Shape(1, 4)

_ROOM = 8 * JOINS_PER_SECOND
"""Peers that may be there at once, should set-up take long."""


class Visitors:
    """Who comes and goes. set_up, first_audio: seconds, of everybody so far."""

    def __init__(self, session: Session, publisher: Connection) -> None:
        self.set_up: list[float] = []
        self.first_audio: list[float] = []
        self._session = session
        self._publisher = publisher
        self._visits: set[asyncio.Task[None]] = set()

    async def keep_coming(self) -> None:
        """Let one come after the other, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            visit = asyncio.create_task(self._visit())
            self._visits.add(visit)
            visit.add_done_callback(self._visits.discard)
            due += random.expovariate(JOINS_PER_SECOND)  # people come independently of each other
            await asyncio.sleep(due - loop.time())

    async def leave(self) -> None:
        """Send those away who are still coming or there. Raises what went wrong with one of them."""
        for visit in self._visits:
            visit.cancel()
        for outcome in await asyncio.gather(*self._visits, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def _visit(self) -> None:
        connection = await self._session.consume(self._publisher, open_samples=False)
        await asyncio.sleep(STAY)
        heard_at = self._session.generator.first_heard(connection.index)
        self._session.leave(connection)
        self.set_up.append(connection.set_up)
        if heard_at:
            self.first_audio.append(heard_at - connection.asked_at)


def churn(kind: PlaneKind, shape: Shape, burn: bool, effort: Effort) -> Figures:
    """One shape with visitors. burn: a Python thread of the server computes all the time."""
    return asyncio.run(_churn(kind, shape, burn, effort))


async def _churn(kind: PlaneKind, shape: Shape, burn: bool, effort: Effort) -> Figures:
    async with open_session(
        "relay_process",
        kind,
        "1",
        peers=shape.voices + shape.consumers + _ROOM,
        voices=shape.voices,
    ) as session:
        connected = await set_up(session, shape)
        if burn:
            session.burn()
        visitors = Visitors(session, connected.publishers[0])
        before, used = await session.counters(), session.used()
        coming = asyncio.create_task(visitors.keep_coming())
        await session.generator.speak(max(2 * STAY, effort.seconds))
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await coming
        await asyncio.sleep(SETTLE)
        after, used = await session.counters(), session.used() - used
        heard = session.generator.heard([one.index for one in connected.consumers])
        await visitors.leave()
    return {
        "cpu": used.total / (after.forwarded - before.forwarded) * 1e6,
        **heard_figures(heard, heard.sent * shape.listeners, session),
        "inside p99": (after.latency_p99 or 0.0) * 1e3,
        "joined": len(visitors.set_up),
        "set-up": _median(visitors.set_up) * 1e3,
        "first audio": _median(visitors.first_audio) * 1e3,
    }


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds) if seconds else math.nan


def _cases(quick: bool) -> list[Case]:
    shape = QUICK_SHAPE if quick else SHAPE
    calm = [Case(shape.name, partial(churn, kind, shape, False), kind) for kind in PLANES]
    busy = Case(
        f"{shape.name}, busy", partial(churn, PlaneKind.NATIVE, shape, True), PlaneKind.NATIVE
    )
    return [*calm, busy] if PlaneKind.NATIVE in PLANES else calm


COLUMNS = {
    "cpu": Unit.MICROSECONDS,
    "loss": Unit.PACKETS,
    "p50": Unit.MILLISECONDS,
    "p99": Unit.MILLISECONDS,
    "p99.9": Unit.MILLISECONDS,
    "inside p99": Unit.MILLISECONDS,
    "joined": Unit.PEERS,
    "set-up": Unit.MILLISECONDS,
    "first audio": Unit.MILLISECONDS,
}

CHURN = Group(
    key="churn",
    title=f"The same while {JOINS_PER_SECOND} connections a second join and leave",
    note="CPU time includes their set-up. Busy: a Python thread of the server computes all the time.",
    columns=COLUMNS,
    cases=_cases,
    seconds=12,
)
