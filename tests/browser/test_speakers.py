"""Who speaks lights up: the right one of four, soon, and goes out again."""

from __future__ import annotations

import asyncio
import statistics
from typing import Any

import pytest

from tests.browser.chromium import Chromium
from tests.browser.guests import Guests
from tests.browser.interface import script
from tests.browser.participant import Participant
from tests.browser.waiting import eventually

_BUDGET = 300.0
"""Milliseconds from the tone's start in one page to the message in another."""
_GOES_OUT = 3000.0
"""Milliseconds, of which the pause that still belongs to speech is 600."""
_ROUNDS = 2
_ATTEMPTS = 3
"""A machine that is busy with something else may take longer, once or twice."""


@pytest.mark.timeout(180)
async def test_the_right_one_lights_up_and_goes_out(
    chromium: Chromium, guests: Guests, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["Ann", "Ben", "Cem", "Dot"]
    people = [
        await guests.arrive(chromium, name, preload=[script("speakers.js")]) for name in names
    ]
    await asyncio.gather(*(each.join() for each in people))
    await people[0].expect_to_hear(*names[1:])
    for each in people:
        await each.page.evaluate("() => testbed.hush()")
    await eventually(
        lambda: _speaking(people[0]), lambda speaking: not speaking, what="everybody is silent"
    )
    for attempt in range(_ATTEMPTS):
        on, off = [], []
        for speaker in people * _ROUNDS:
            lit, went_out = await _turn(speaker, people)
            on.append(lit)
            off.append(went_out)
        if statistics.median(on) < _BUDGET or attempt == _ATTEMPTS - 1:
            break
    with capsys.disabled():
        print(
            f"\nwho speaks lights up after {min(on):.0f} to {max(on):.0f} ms, median "
            f"{statistics.median(on):.0f}; goes out after {statistics.median(off):.0f} ms"
        )
    assert statistics.median(on) < _BUDGET
    assert max(off) < _GOES_OUT


async def _turn(speaker: Participant, people: list[Participant]) -> tuple[float, float]:
    """Somebody speaks, alone, until everybody knows who dominates. Milliseconds until another page was
    told that it speaks, and until it was told that it does not any more."""
    listener = people[(people.index(speaker) + 1) % len(people)]
    own = (await listener.tiles())[speaker.name].id
    began = await speaker.page.evaluate("() => testbed.speak()")
    lit = await _told(listener, own, began, speaking=True)
    await eventually(
        lambda: _dominant(listener),
        lambda dominant: dominant == own,
        what=f"{speaker.name} dominates",
    )
    ended = await speaker.page.evaluate("() => testbed.hush()")
    went_out = await _told(listener, own, ended, speaking=False)
    assert await _speakers(listener, began) == {own}
    return lit - began, went_out - ended


async def _told(listener: Participant, participant: str, since: float, *, speaking: bool) -> float:
    """When the listener's page was first told so. Times are the wall clock's, in milliseconds."""

    async def found() -> float | None:
        for message in await _messages(listener, "audio_levels", since):
            for level in message["levels"]:
                if level["participant_id"] == participant and level["speaking"] is speaking:
                    time: float = message["time"]
                    return time
        return None

    word = "speaks" if speaking else "has stopped"
    when = await eventually(found, lambda time: time is not None, what=f"{participant} {word}")
    assert when is not None
    return when


async def _messages(listener: Participant, type: str, since: float = 0.0) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = await listener.page.evaluate("() => testbed.told")
    return [message for message in told if message["type"] == type and message["time"] >= since]


async def _speakers(listener: Participant, since: float) -> set[str]:
    """Who was said to speak since then."""
    return {
        level["participant_id"]
        for message in await _messages(listener, "audio_levels", since)
        for level in message["levels"]
        if level["speaking"]
    }


async def _speaking(listener: Participant) -> set[str]:
    """Who speaks now, as far as the latest message tells."""
    *_, latest = await _messages(listener, "audio_levels")
    return {level["participant_id"] for level in latest["levels"] if level["speaking"]}


async def _dominant(listener: Participant) -> str | None:
    messages = await _messages(listener, "dominant_speaker")
    return messages[-1]["participant_id"] if messages else None
