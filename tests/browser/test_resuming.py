"""A lost WebSocket in real browsers: the page comes back to its place; nobody hears or sees anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.chromium import Chromium
from tests.browser.guests import Guests
from tests.browser.interface import Browser
from tests.browser.participant import Participant
from tests.browser.proof import expect_all_hear_each_other, expect_no_loss
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually
from tests.browser.wire import Wire

PATIENT = "--resume-grace=60"
"""So that a busy machine does not make anybody come too late."""


@pytest_asyncio.fixture(loop_scope="session")
async def server(artifacts: Path, request: pytest.FixtureRequest) -> AsyncIterator[RelayServer]:
    """In the place of the usual one."""
    server = RelayServer(artifacts / "server.log", getattr(request, "param", PATIENT))
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def wire(server: RelayServer) -> AsyncIterator[Wire]:
    wire = Wire(server.port)
    await wire.start()
    yield wire
    await wire.close()


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Browser:
    """Ann's: Chromium, where the parameter names no other."""
    found: Browser = request.getfixturevalue(getattr(request, "param", "chromium"))
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def pair(
    browser: Browser, chromium: Chromium, guests: Guests, server: RelayServer, wire: Wire
) -> tuple[Participant, Participant]:
    """Ann, whose HTTP and WebSocket go by the wire while media does not, and Ben."""
    direct, server.url = server.url, wire.url
    ann = await guests.arrive(browser, "Ann")
    server.url = direct
    await ann.join()
    (ben,) = await guests.join(chromium, "Ben")
    await expect_all_hear_each_other([ann, ben])
    return ann, ben


async def _expect_more(participant: Participant, type: str, before: int) -> None:
    await eventually(
        partial(participant.received, type),
        lambda count: count > before,
        what=f"{participant.name}'s page gets {type}",
    )


async def _concealed(participants: tuple[Participant, ...]) -> float:
    return sum([sum(item.concealed for item in await each.connections()) for each in participants])


@pytest.mark.parametrize("browser", ["chromium", "firefox"], indirect=True)
async def test_a_cut_connection_is_neither_seen_nor_heard(
    pair: tuple[Participant, Participant],
    wire: Wire,
) -> None:
    ann, ben = pair
    id = (await ben.tiles())["Ann"].id
    made = [await each.connections_made() for each in pair]
    concealed = await _concealed(pair)

    for _ in range(3):
        before = await ann.received("room_resumed")
        wire.cut()
        await _expect_more(ann, "room_resumed", before)
        await ann.expect_state("joined")
        await expect_all_hear_each_other(pair)

    assert (await ann.tiles())["Ann"].id == (await ben.tiles())["Ann"].id == id
    assert [await each.connections_made() for each in pair] == made == [2, 2]
    assert await ben.received("participant_left") == await ben.received("publisher_closed") == 0
    await expect_no_loss(pair)
    print(
        f"{await _concealed(pair) - concealed:.3f} s concealed in 3 cuts, of both voices together"
    )


async def test_a_socket_that_goes_silent_is_given_up_and_taken_over(
    pair: tuple[Participant, Participant], wire: Wire
) -> None:
    ann, ben = pair
    wire.silent = True
    await ann.expect_state("reconnecting")
    wire.silent = False
    await ann.expect_state("joined")

    assert await ann.received("room_resumed") == 1
    assert await ben.received("participant_left") == 0
    await expect_all_hear_each_other(pair)
    assert await ann.connections_made() == 2


async def test_who_mutes_and_who_goes_meanwhile_is_known_after_the_return(
    chromium: Chromium, guests: Guests, pair: tuple[Participant, Participant], wire: Wire
) -> None:
    ann, ben = pair
    (cem,) = await guests.join(chromium, "Cem")
    await expect_all_hear_each_other([ann, ben, cem])
    wire.closed = True
    wire.cut()
    await ann.expect_state("reconnecting")
    await cem.leave()
    await ann.toggle_mute()
    (dot,) = await guests.join(chromium, "Dot")
    await ben.expect_to_hear("Dot")
    assert not (await ben.tiles())["Ann"].muted
    wire.closed = False

    await ann.expect_state("joined")
    await ann.expect_company("Ben", "Dot")
    await ann.expect_to_hear("Ben", "Dot")
    await eventually(ben.tiles, lambda tiles: tiles["Ann"].muted, what="Ann's mute has come")
    assert await ann.received("room_resumed") == 1
    await ann.toggle_mute()
    await expect_all_hear_each_other([ann, ben, dot])


@pytest.mark.parametrize("server", ["--resume-grace=1"], indirect=True)
async def test_who_comes_back_too_late_joins_anew(
    pair: tuple[Participant, Participant], wire: Wire
) -> None:
    ann, ben = pair
    id = (await ben.tiles())["Ann"].id
    wire.closed = True
    wire.cut()
    await ben.expect_company()
    wire.closed = False

    await ann.expect_state("joined")
    await expect_all_hear_each_other(pair)
    assert await ann.received("room_resumed") == 0
    assert (await ben.tiles())["Ann"].id != id
