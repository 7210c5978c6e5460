"""Chromium on the real web client: who hears whom, and through whom."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.chromium import Chromium
from tests.browser.guests import Guests
from tests.browser.participant import TONES
from tests.browser.proof import expect_all_hear_each_other, expect_no_loss, expect_only_the_relay
from tests.browser.server import RelayServer


@pytest.mark.parametrize("size", [2, 3, 4])
async def test_everybody_hears_everybody_else(
    size: int, chromium: Chromium, guests: Guests, server: RelayServer
) -> None:
    participants = await guests.join(chromium, *list(TONES)[:size])

    await expect_all_hear_each_other(participants)
    await expect_only_the_relay(participants, server)
    await expect_no_loss(participants)


async def test_rooms_do_not_hear_each_other(chromium: Chromium, guests: Guests) -> None:
    first = await guests.join(chromium, "Ann", "Ben", room="first")
    second = await guests.join(chromium, "Cem", "Dot", room="second")

    await asyncio.gather(expect_all_hear_each_other(first), expect_all_hear_each_other(second))


async def test_who_comes_late_hears_and_is_heard(chromium: Chromium, guests: Guests) -> None:
    early = await guests.join(chromium, "Ann", "Ben")
    await expect_all_hear_each_other(early)

    late = await guests.join(chromium, "Cem")

    await expect_all_hear_each_other(early + late)
