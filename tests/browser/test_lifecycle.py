"""People come and go, browsers die, the server restarts: what the others see and hear stays right."""

from __future__ import annotations

import pytest

from tests.browser.chromium import Chromium
from tests.browser.guests import Guests
from tests.browser.participant import Participant
from tests.browser.proof import expect_all_hear_each_other
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually


async def _expect_shown_muted(viewer: Participant, name: str, muted: bool) -> None:
    await eventually(
        viewer.tiles,
        lambda tiles: tiles[name].muted is muted,
        what=f"{viewer.name} sees that {name} is {'muted' if muted else 'not muted'}",
    )


async def test_mute_and_unmute(chromium: Chromium, guests: Guests) -> None:
    ann, ben, cem = await guests.join(chromium, "Ann", "Ben", "Cem")
    await expect_all_hear_each_other([ann, ben, cem])

    await ann.toggle_mute()

    for other in (ben, cem):
        await _expect_shown_muted(other, "Ann", True)
    await ben.expect_to_hear("Cem")
    await cem.expect_to_hear("Ben")
    await ann.expect_to_hear("Ben", "Cem")

    await ann.toggle_mute()

    for other in (ben, cem):
        await _expect_shown_muted(other, "Ann", False)
    await expect_all_hear_each_other([ann, ben, cem])


async def test_leave_and_rejoin(chromium: Chromium, guests: Guests) -> None:
    ann, ben = await guests.join(chromium, "Ann", "Ben")
    await expect_all_hear_each_other([ann, ben])

    await ann.leave()

    await ben.expect_company()
    await ben.expect_to_hear()
    assert await ann.connections() == []

    await ann.join()

    await expect_all_hear_each_other([ann, ben])


async def test_closing_a_tab_without_leaving(chromium: Chromium, guests: Guests) -> None:
    ann, ben = await guests.join(chromium, "Ann", "Ben")
    await expect_all_hear_each_other([ann, ben])

    await ann.page.close()

    await ben.expect_company()
    (again,) = await guests.join(chromium, "Ann")
    await expect_all_hear_each_other([again, ben])


@pytest.mark.parametrize("server", ["--resume-grace=1"], indirect=True)
async def test_killing_a_browser(chromium: Chromium, guests: Guests) -> None:
    (ben,) = await guests.join(chromium, "Ben")
    victim = await Chromium.launch()
    try:
        (ann,) = await guests.join(victim, "Ann")
        await expect_all_hear_each_other([ann, ben])

        await victim.kill()

        await ben.expect_company()
        (again,) = await guests.join(chromium, "Ann")
        await expect_all_hear_each_other([again, ben])
    finally:
        await victim.close()


async def test_the_server_is_stopped_and_started_again(
    chromium: Chromium, guests: Guests, server: RelayServer
) -> None:
    participants = await guests.join(chromium, "Ann", "Ben")
    await expect_all_hear_each_other(participants)

    await server.stop()
    for each in participants:
        await each.expect_state("reconnecting")
    await server.start()

    for each in participants:
        await each.expect_state("joined")
    await expect_all_hear_each_other(participants)


async def test_the_server_is_killed_and_started_again(
    chromium: Chromium, guests: Guests, server: RelayServer
) -> None:
    participants = await guests.join(chromium, "Ann", "Ben")
    await expect_all_hear_each_other(participants)
    ann, _ = participants
    await ann.toggle_mute()

    await server.kill()
    for each in participants:
        await each.expect_state("reconnecting")
    await server.start()
    for each in participants:
        await each.expect_state("joined")  # until then a page shows whom it showed before

    # Who was muted comes back muted.
    ann, ben = participants
    await ben.expect_company("Ann")
    await _expect_shown_muted(ben, "Ann", True)
    await ann.expect_to_hear("Ben")
    await ben.expect_to_hear()
    await ann.toggle_mute()
    await expect_all_hear_each_other(participants)
