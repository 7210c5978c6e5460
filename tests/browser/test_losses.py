"""A wire that loses every tenth packet, both ways: what is lost is sent again, or restored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest_asyncio

from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.guests import Guests
from tests.browser.interface import Browser, script
from tests.browser.participant import Participant
from tests.browser.proof import expect_all_hear_each_other
from tests.browser.server import HOST, RelayServer
from tests.browser.slow_link import SlowLink
from tests.browser.waiting import eventually

_ANNOUNCED = "127.0.0.2"
_DELAY = 0.02
_LOSS = 0.1
_PRELOAD = [script("withhold-candidates.js")]


class Wire:
    """A server and the wire to it, from whose loss nobody but media suffers."""

    def __init__(self, server: RelayServer) -> None:
        self.server = server
        self.link = SlowLink((_ANNOUNCED, server.media_port), (HOST, server.media_port), _DELAY)


@pytest_asyncio.fixture(loop_scope="session")
async def plain(artifacts: Path) -> AsyncIterator[Wire]:
    async for wire in _wire(artifacts):
        yield wire


@pytest_asyncio.fixture(loop_scope="session")
async def redundant(artifacts: Path) -> AsyncIterator[Wire]:
    async for wire in _wire(artifacts, "--red=yes"):
        yield wire


async def _wire(artifacts: Path, *options: str) -> AsyncIterator[Wire]:
    server = RelayServer(artifacts / "server.log", f"--announce={_ANNOUNCED}", *options)
    await server.start()
    wire = Wire(server)
    yield wire
    wire.link.close()
    await server.stop()


async def _join(wire: Wire, guests: Guests, *browsers: Browser) -> Sequence[Participant]:
    names = ("Ann", "Ben", "Cem")
    people = [
        await guests.arrive(browser, name, preload=_PRELOAD)
        for browser, name in zip(browsers, names, strict=False)
    ]
    for each in people:
        await each.join()
    await expect_all_hear_each_other(people)
    return people


async def test_chromium_asks_for_what_was_lost_and_sends_it_again(
    chromium: Chromium, plain: Wire
) -> None:
    guests = Guests(plain.server)
    try:
        people = await _join(plain, guests, chromium, chromium)
        plain.link.loss_up = plain.link.loss_down = _LOSS

        async def sent_again() -> list[int]:
            sent = []
            for each in people:
                publisher, consumer = await each.relay_statistics()
                sent += [publisher["nackCount"], consumer["retransmittedPacketsSent"]]
                reports = await each.connections()
                outbound = next(report.outbound for report in reports if report.outbound)
                inbound = next(report.inbound for report in reports if report.inbound)
                assert outbound is not None
                assert inbound is not None
                sent += [outbound["retransmittedPacketsSent"], inbound["nackCount"]]
            return sent

        await eventually(sent_again, lambda sent: min(sent) >= 20, what="packets are sent again")
        for each in people:
            publisher, _ = await each.relay_statistics()
            # Without help a tenth would be missing. What is on its way just now is counted, too.
            assert publisher["packetsLost"] < 0.05 * publisher["packetsReceived"]
    finally:
        await guests.close()


async def test_redundant_audio_stands_in_also_for_those_who_do_not_know_it(
    chromium: Chromium, firefox: Firefox, redundant: Wire
) -> None:
    guests = Guests(redundant.server)
    try:
        ann, ben = await _join(redundant, guests, chromium, firefox)
        redundant.link.loss_up = _LOSS

        async def recovered() -> int:
            publisher, _ = await ann.relay_statistics()
            return int(publisher["packetsRecovered"])

        await eventually(recovered, lambda count: count >= 20, what="packets are restored")
        await expect_all_hear_each_other([ann, ben])
        (sending,) = [each for each in await ann.connections() if each.outbound]
        (hearing,) = [each for each in await ben.connections() if each.inbound]
        assert sending.outbound is not None
        assert hearing.inbound is not None
        # Chromium sends about twice what Firefox gets of it.
        bytes_sent = sending.outbound["bytesSent"] / sending.outbound["packetsSent"]
        bytes_heard = hearing.inbound["bytesReceived"] / hearing.inbound["packetsReceived"]
        assert bytes_sent > 1.5 * bytes_heard
    finally:
        await guests.close()
