"""What else installs from PyPI and relays: aiortc, which decodes and encodes again for each consumer.

The load is the same, and so is the floor. There is no latency: it sends other packets than it got.
"""

from __future__ import annotations

import asyncio
from functools import partial

from .case import Case, Effort, Figures, Group
from .load.session import open_session
from .process import COLUMNS, Shape, set_up, speak

SHAPE = Shape(1, 10)
QUICK_SHAPE = Shape(1, 2)


def aiortc(shape: Shape, effort: Effort) -> Figures:
    """aiortc under the load of one shape."""
    return asyncio.run(_aiortc(shape, effort))


async def _aiortc(shape: Shape, effort: Effort) -> Figures:
    async with open_session(
        "aiortc_process", peers=shape.voices + shape.consumers, voices=shape.voices
    ) as session:
        connected = await set_up(session, shape, open_samples=False)
        speech = await speak(session, effort, connected, shape)
        heard = session.generator.heard([one.index for one in connected.consumers])
    per_packet = speech.used.total / max(1, heard.received)
    return {
        "cpu": per_packet * 1e6,
        "user": per_packet * speech.used.user_share * 1e6,
        "system": per_packet * (1 - speech.used.user_share) * 1e6,
        "floor": speech.floor * 1e6,
        "ratio": per_packet / speech.floor,
        "loss": heard.sent * shape.listeners - heard.received,
        "memory": connected.memory / 1024,
        "set-up": connected.seconds * 1e3,
        "set-up cpu": connected.cpu * 1e3,
    }


def _cases(quick: bool) -> list[Case]:
    shape = QUICK_SHAPE if quick else SHAPE
    return [Case(f"aiortc, {shape.name}", partial(aiortc, shape))]


PEERS = Group(
    key="peers",
    title="aiortc as a relay, under the same load",
    note="It decodes, and encodes again for each consumer. Floor: as above.",
    columns=COLUMNS,
    cases=_cases,
    seconds=40,
)
