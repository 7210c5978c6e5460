"""Firefox ESR on the real web client, with its like and with Chromium."""

from __future__ import annotations

from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.guests import Guests
from tests.browser.proof import expect_all_hear_each_other, expect_no_loss, expect_only_the_relay
from tests.browser.server import RelayServer


async def test_two_firefoxes_hear_each_other(
    firefox: Firefox, guests: Guests, server: RelayServer
) -> None:
    participants = await guests.join(firefox, "Ann", "Ben")

    await expect_all_hear_each_other(participants)
    await expect_only_the_relay(participants, server)
    await expect_no_loss(participants)


async def test_firefox_and_chromium_hear_each_other(
    firefox: Firefox, chromium: Chromium, guests: Guests, server: RelayServer
) -> None:
    participants = await guests.join(firefox, "Ann") + await guests.join(chromium, "Ben")

    await expect_all_hear_each_other(participants)
    await expect_only_the_relay(participants, server)
    await expect_no_loss(participants)
