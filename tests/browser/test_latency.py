"""Mouth to ear: a burst of sound is timed where it is made, and where it is heard."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Chromium
from tests.browser.guests import Guests
from tests.browser.participant import Participant
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually

_BUDGET = 100.0
"""Milliseconds, of which the codec's frame is 20 and the browser's jitter buffer most of the rest."""
_RELAY_BUDGET = 2.0
"""Milliseconds inside of the relay."""
_BURSTS = 16
"""So many in a row must keep the budget. The browser's jitter buffer grows when the machine is busy, and
takes its time to shrink: what counts is that it comes to that."""
_PATIENCE = 25.0
_CONVERSATIONS = 4
"""A jitter buffer that another program's burst of work has blown up shrinks slowly; a new conversation
begins with a new one."""

_DETECTOR = Path(__file__).parent / "scripts" / "burst-detector.js"


@pytest.mark.timeout(300)
async def test_mouth_to_ear_latency(
    chromium: Chromium,
    guests: Guests,
    server: RelayServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for conversation in range(1, _CONVERSATIONS):
        try:
            latencies = await _settled_latencies(chromium, guests, f"lab-{conversation}")
            break
        except AssertionError:
            continue
    else:
        latencies = await _settled_latencies(chromium, guests, "lab")
    relay = (await server.health())["forward_latency"]

    median = statistics.median(latencies)
    share = relay["median"] * 1000
    with capsys.disabled():
        print(
            f"\nmouth to ear: median {median:.0f} ms of {len(latencies)} bursts "
            f"({min(latencies):.0f} to {max(latencies):.0f} ms); "
            f"inside of the relay: median {share:.3f} ms, p99 {relay['p99'] * 1000:.3f} ms"
        )
    assert relay["count"] > 0
    assert share < _RELAY_BUDGET


async def _settled_latencies(chromium: Chromium, guests: Guests, room: str) -> list[float]:
    """Milliseconds of the first bursts in a row that keep the budget, in a conversation of its own."""
    chromium.bypass_csp = True  # the detector is a worklet of ours
    try:
        speaker, listener = await guests.join(chromium, "Ann", "Ben", room=room)
    finally:
        chromium.bypass_csp = False
    try:
        await listener.expect_to_hear("Ann")
        await _start_bursts(speaker, listener)
        return await eventually(
            lambda: _latest_latencies(speaker, listener),
            lambda latest: len(latest) == _BURSTS and statistics.median(latest) < _BUDGET,
            what=f"the median of {_BURSTS} bursts is under {_BUDGET:g} ms",
            patience=_PATIENCE,
        )
    finally:
        await asyncio.gather(speaker.leave(), listener.leave())


async def _start_bursts(speaker: Participant, listener: Participant) -> None:
    plan = await speaker.page.evaluate("() => testbed.bursts")
    detector = {
        "name": speaker.name,
        "detector": _DETECTOR.read_text(),
        "tones": plan["tones"],
    }
    await listener.page.evaluate("(it) => testbed.timeBursts(it)", detector)
    await speaker.page.evaluate("() => testbed.microphone.burst()")


async def _latest_latencies(speaker: Participant, listener: Participant) -> list[float]:
    """Milliseconds, for each of the latest bursts that were heard, _BURSTS at most."""
    plan = await speaker.page.evaluate("() => testbed.bursts")
    epoch = await speaker.page.evaluate("() => testbed.microphone.epoch()")
    bursts = await listener.page.evaluate("() => testbed.burstTimes()")
    return [_latency(each["tone"], each["time"] - epoch, plan) for each in bursts[-_BURSTS:]]


def _latency(tone: int, time: float, plan: dict[str, Any]) -> float:
    """Milliseconds since the latest burst of that tone. time: milliseconds on the speaker's clock,
    whose burst k has its middle at k periods and half its length, and tone k modulo the tones."""
    cycle = len(plan["tones"]) * plan["period"] * 1000
    made = tone * plan["period"] * 1000 + plan["length"] * 1000 / 2
    return float((time - made) % cycle)
