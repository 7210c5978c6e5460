"""Networks that change under a call in real Chromium: it goes on, on the same connections and keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from operator import lt
from pathlib import Path

import pytest_asyncio

from tests.browser.chromium import Chromium
from tests.browser.guests import Guests
from tests.browser.interface import script
from tests.browser.participant import Participant
from tests.browser.proof import expect_all_hear_each_other, expect_no_loss
from tests.browser.server import HOST, RelayServer
from tests.browser.slow_link import SlowLink
from tests.browser.waiting import eventually

_ANNOUNCED = "127.0.0.2"
_DELAY = 0.005


@pytest_asyncio.fixture(loop_scope="session")
async def server(artifacts: Path) -> AsyncIterator[RelayServer]:
    """In the place of the usual one: its media goes by the link."""
    server = RelayServer(artifacts / "server.log", f"--announce={_ANNOUNCED}")
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def link(server: RelayServer) -> AsyncIterator[SlowLink]:
    link = SlowLink((_ANNOUNCED, server.media_port), (HOST, server.media_port), _DELAY)
    yield link
    link.close()


@pytest_asyncio.fixture(loop_scope="session")
async def pair(
    chromium: Chromium, guests: Guests, link: SlowLink
) -> tuple[Participant, Participant]:
    """Ann and Ben behind one NAT."""
    ann, ben = [
        await guests.arrive(chromium, name, preload=[script("withhold-candidates.js")])
        for name in ("Ann", "Ben")
    ]
    await ann.join()
    await ben.join()
    await expect_all_hear_each_other([ann, ben])
    return ann, ben


async def _fragments(participants: tuple[Participant, ...]) -> list[str | None]:
    return [
        report.username_fragment for each in participants for report in await each.connections()
    ]


async def _received(participant: Participant) -> int:
    return sum(
        [
            item.inbound["packetsReceived"]
            for item in await participant.connections()
            if item.inbound
        ]
    )


async def _outage(participants: tuple[Participant, ...], begin: Callable[[], None]) -> float:
    """Seconds from `begin` until packets come to everybody again, to a tenth or so."""
    loop = asyncio.get_running_loop()
    begin()
    started = loop.time()
    await asyncio.sleep(3 * _DELAY)  # what was under way has come
    for each in participants:
        before = await _received(each)
        await eventually(
            partial(_received, each),
            partial(lt, before + 5),
            what=f"packets come to {each.name} again",
        )
    return loop.time() - started


async def test_a_nat_that_gives_other_ports_is_followed(
    pair: tuple[Participant, Participant], link: SlowLink
) -> None:
    ann, ben = pair
    fragments = await _fragments(pair)
    for number in range(3):
        print(f"move {number}: {await _outage(pair, link.rebind):.2f} s without packets")
        await expect_all_hear_each_other(pair)

    # No restart was needed for it, let alone a new connection.
    assert await _fragments(pair) == fragments
    assert [await each.connections_made() for each in pair] == [2, 2]
    assert await ann.received("ice_restart") == await ben.received("participant_left") == 0
    publisher, consumer = await ann.relay_statistics()
    assert publisher["roundTripTime"] is not None
    assert consumer["roundTripTime"] is not None


async def test_a_page_that_sees_another_network_restarts_ice_and_nothing_is_lost(
    pair: tuple[Participant, Participant],
) -> None:
    before = await _fragments(pair)
    for each in pair:
        await each.page.evaluate("() => dispatchEvent(new Event('online'))")
    for each in pair:
        await eventually(
            partial(each.received, "ice_restarted"),
            lambda count: count == 2,
            what=f"both connections of {each.name} have a new path",
        )
    await expect_all_hear_each_other(pair)
    after = await _fragments(pair)
    assert None not in before
    assert not set(before) & set(after)
    assert [await each.connections_made() for each in pair] == [2, 2]
    await expect_no_loss(pair)


async def test_a_call_outlives_a_dark_while(
    pair: tuple[Participant, Participant], link: SlowLink
) -> None:
    link.dark = True
    for each in pair:
        await eventually(
            partial(each.received, "ice_restart"),
            what=f"{each.name}'s page looks for another path",
        )

    def dawn() -> None:
        link.dark = False

    print(f"back {await _outage(pair, dawn):.2f} s after the dark")
    await expect_all_hear_each_other(pair)
    assert [await each.connections_made() for each in pair] == [2, 2]
    assert await pair[0].received("publisher_closed") == 0
