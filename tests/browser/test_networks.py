"""Networks that change under a call of real browsers: it goes on, on the same connections and keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from operator import eq, lt
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.guests import Guests
from tests.browser.interface import script
from tests.browser.participant import Participant
from tests.browser.proof import expect_all_hear_each_other, expect_no_loss
from tests.browser.server import HOST, RelayServer
from tests.browser.slow_link import SlowLink
from tests.browser.waiting import eventually
from tests.browser.wire import Wire

_ANNOUNCED = "127.0.0.2"
_DELAY = 0.005

_DOUBT = 60.0
"""Seconds until the relay has offered a restart by itself, far more than the 15 that it takes."""


@pytest_asyncio.fixture(loop_scope="session")
async def server(artifacts: Path) -> AsyncIterator[RelayServer]:
    """In the place of the usual one: its media goes by the link, and a busy machine makes nobody come back
    too late."""
    server = RelayServer(artifacts / "server.log", f"--announce={_ANNOUNCED}", "--resume-grace=60")
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


@pytest_asyncio.fixture(loop_scope="session")
async def wire(server: RelayServer) -> AsyncIterator[Wire]:
    wire = Wire(server.port)
    await wire.start()
    yield wire
    await wire.close()


@pytest_asyncio.fixture(loop_scope="session")
async def couple(
    chromium: Chromium,
    firefox: Firefox,
    guests: Guests,
    server: RelayServer,
    link: SlowLink,
    wire: Wire,
    request: pytest.FixtureRequest,
) -> tuple[Participant, Participant]:
    """Ann with Chromium and Ben with Firefox, whose HTTP and WebSockets go by the wire. Parameters: scripts
    of their pages."""
    server.url = wire.url
    scripts = ["withhold-candidates.js", *getattr(request, "param", ())]
    preload = [script(name) for name in scripts]
    ann = await guests.arrive(chromium, "Ann", preload=preload)
    ben = await guests.arrive(firefox, "Ben", preload=preload)
    await ann.join()
    await ben.join()
    await expect_all_hear_each_other([ann, ben])
    return ann, ben


async def _fragments(participants: tuple[Participant, ...]) -> list[str]:
    return [fragment for each in participants for fragment in await each.fragments()]


async def _expect_nothing_seen(participants: tuple[Participant, ...]) -> None:
    """Everybody has the connections that they began with, and was told of nobody's leaving."""
    for each in participants:
        assert await each.connections_made() == 2
        for type in ("publisher_closed", "consumer_closed", "participant_left"):
            assert await each.received(type) == 0, f"{each.name} got {type}"


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


async def _see_another_network(participants: tuple[Participant, ...]) -> None:
    """Every page is told so, and restarts ICE on the connections that it has."""
    before = await _fragments(participants)
    for each in participants:
        await each.page.evaluate("() => dispatchEvent(new Event('online'))")
    for each in participants:
        await eventually(
            partial(each.received, "ice_restarted"),
            lambda count: count == 2,
            what=f"both connections of {each.name} have a new path",
        )
    await expect_all_hear_each_other(participants)
    after = await _fragments(participants)
    assert len(before) == len(after) == 4
    assert not set(before) & set(after)
    await _expect_nothing_seen(participants)


async def test_a_page_that_sees_another_network_restarts_ice_and_nothing_is_lost(
    pair: tuple[Participant, Participant],
) -> None:
    await _see_another_network(pair)
    await expect_no_loss(pair)


async def test_firefox_restarts_ice_too(couple: tuple[Participant, Participant]) -> None:
    await _see_another_network(couple)
    for each in couple:
        lost = [connection.packets_lost for connection in await each.connections()]
        print(f"{each.name} lost {lost} packets")


@pytest.mark.parametrize("couple", [["leave-restarts-to-the-relay.js"]], indirect=True)
async def test_the_relay_looks_for_another_path_by_itself(
    couple: tuple[Participant, Participant], link: SlowLink
) -> None:
    before = await _fragments(couple)
    link.dark = True
    for each in couple:
        await eventually(
            partial(each.received, "ice_restart"),
            partial(eq, 2),
            what=f"the relay offers {each.name} a restart of both connections",
            patience=_DOUBT,
        )
    link.dark = False
    for each in couple:
        await eventually(
            partial(each.received, "ice_restarted"),
            partial(eq, 2),
            what=f"both connections of {each.name} have a new path",
        )
    await expect_all_hear_each_other(couple)
    assert not set(before) & set(await _fragments(couple))
    await _expect_nothing_seen(couple)


async def test_a_call_outlives_a_while_without_any_network(
    couple: tuple[Participant, Participant], link: SlowLink, wire: Wire
) -> None:
    ids = [(await each.tiles())[each.name].id for each in couple]
    link.dark = wire.silent = True
    for each in couple:
        await each.expect_state("reconnecting")
    sockets = await wire.accepted_count()
    await eventually(
        wire.accepted_count,
        partial(lt, sockets + len(couple)),
        what="new sockets are tried one after the other",
    )

    def dawn() -> None:
        link.dark = wire.silent = False

    print(f"back {await _outage(couple, dawn):.2f} s after the dark")
    for each in couple:
        await each.expect_state("joined")
        assert await each.received("room_resumed") == 1
    await expect_all_hear_each_other(couple)
    assert [(await each.tiles())[each.name].id for each in couple] == ids
    await _expect_nothing_seen(couple)


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
