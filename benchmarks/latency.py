"""How long a packet is inside the relay, at 10,000 forwarded packets a second.

Inside: from the kernel's receive stamp until `sendmmsg` returned, by the relay's own histogram. The
others are an outside listener's. Joins: as in `churn`. Busy: with these, and with a Python thread of the
server that computes all the time; only the native plane is asked that.
"""

from __future__ import annotations

import asyncio
from functools import partial

from relay import PlaneKind

from .case import PLANES, Case, Effort, Figures, Group
from .churn import COLUMNS, churn
from .load.session import open_session
from .process import SETTLE, Shape, heard_figures, set_up

SHAPE = Shape(2, 100)
"""50 packets a second of each voice to 100 listeners."""
QUICK_SHAPE = Shape(2, 2)


def calm(kind: PlaneKind, shape: Shape, effort: Effort) -> Figures:
    """One shape, whose listeners stay."""
    return asyncio.run(_calm(kind, shape, effort))


async def _calm(kind: PlaneKind, shape: Shape, effort: Effort) -> Figures:
    async with open_session(
        "relay_process", kind, "1", peers=shape.voices + shape.consumers, voices=shape.voices
    ) as session:
        connected = await set_up(session, shape, open_samples=False)
        used = session.used()
        spoken = await session.generator.speak(effort.rounds * effort.seconds)
        await asyncio.sleep(SETTLE)
        used = session.used() - used
        heard = session.generator.heard([one.index for one in connected.consumers])
        inside = (await session.counters()).latency_p99
    return {
        "cpu": used.total / (spoken * shape.listeners) * 1e6,
        **heard_figures(heard, heard.sent * shape.listeners, session),
        "inside p99": (inside or 0.0) * 1e3,
    }


def _cases(quick: bool) -> list[Case]:
    shape = QUICK_SHAPE if quick else SHAPE
    cases = [Case(shape.name, partial(calm, kind, shape), kind) for kind in PLANES]
    if PlaneKind.NATIVE in PLANES:
        for name, burn in (("joins", False), ("busy", True)):
            run = partial(churn, PlaneKind.NATIVE, shape, burn)
            cases.append(Case(f"{shape.name}, {name}", run, PlaneKind.NATIVE))
    return cases


LATENCY = Group(
    key="latency",
    title="Time inside the relay at 10,000 forwarded packets a second",
    note="Joins: 50 a second, and as many leave. Busy: a Python thread of the server computes, too.",
    columns=COLUMNS,
    cases=_cases,
    seconds=22,
)
