"""The dashboard of a real server with real rooms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from signaling.access import Access, Grants, Key
from tests.browser.chromium import Chromium
from tests.browser.dashboard import Board, board
from tests.browser.guests import Guests
from tests.browser.interface import script
from tests.browser.server import HOST, RelayServer
from tests.browser.slow_link import SlowLink
from tests.browser.waiting import eventually

DETOUR = "127.0.0.2"
"""Whoever only knows this address of the relay goes by a lossy link."""

SECRET = "a secret of more than thirty-two bytes"


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(artifacts: Path) -> AsyncIterator[RelayServer]:
    """A server that asks for tokens."""
    server = RelayServer(artifacts / "server.log", f"--auth-secret={SECRET}")
    await server.start()
    yield server
    await server.stop()


async def test_rooms_people_and_levels_are_live(
    chromium: Chromium, guests: Guests, server: RelayServer
) -> None:
    async with board(chromium, f"{server.url}/dashboard") as operator:
        await operator.expect_title("Nobody is here. The relay is ready.")
        ann, _ = await guests.join(chromium, "Ann", "Ben")
        await operator.expect_title("1 room, 2 people, everybody fine.")
        for person in (1, 2):
            await operator.expect(
                f".person:nth-child({person}) .voice", lambda text: "speaking" in text, "a tone"
            )
        level = "() => document.querySelector('.level').style.getPropertyValue('--level')"
        await eventually(
            lambda: operator.page.evaluate(level), lambda it: float(it or 0) > 0.3, what="a level"
        )
        await operator.expect(".vital-value", lambda text: _number(text) > 50, "packets")
        for direction in (3, 4):
            await operator.expect(
                f".person td:nth-child({direction}) .chip", lambda text: "4." in text, "a score"
            )

        await ann.toggle_mute()
        await eventually(
            lambda: operator.texts(".voice-state"), lambda texts: "muted" in texts, what="muted"
        )
        await operator.expect(".drops", lambda text: "rtp_muted" in text, "why it is dropped")

        assert operator.complaints() == []


@pytest_asyncio.fixture(loop_scope="session")
async def detour(artifacts: Path) -> AsyncIterator[tuple[RelayServer, SlowLink]]:
    """A server, and a lossy way to it beside the good one."""
    server = RelayServer(artifacts / "server.log", f"--announce={DETOUR}", "--announce=local")
    await server.start()
    link = SlowLink((DETOUR, server.media_port), (HOST, server.media_port), delay=0.01)
    yield server, link
    link.close()
    await server.stop()


async def test_loss_on_one_listeners_link_is_found_as_the_cause(
    chromium: Chromium, detour: tuple[RelayServer, SlowLink]
) -> None:
    server, link = detour
    guests = Guests(server)
    direct = [script("by-way-of.js", {"never": DETOUR})]
    lossy = [script("by-way-of.js", {"only": DETOUR}), script("withhold-candidates.js")]
    try:
        people = [
            await guests.arrive(chromium, "Ann", preload=direct),
            await guests.arrive(chromium, "Ben", preload=lossy),
            await guests.arrive(chromium, "Cem", preload=direct),
        ]
        await asyncio.gather(*(each.join() for each in people))
        async with board(chromium, f"{server.url}/dashboard/") as operator:
            await operator.expect_title("1 room, 3 people, everybody fine.")
            link.loss_down = 0.92  # packets are sent again: less than this is repaired
            await operator.expect_title("Ben hears badly.")
            await operator.expect(
                ".troubles", lambda text: text.startswith("◆") or "Ben" in text, "Ben"
            )
            # On a busy machine the link is slow before the first report of its loss has come.
            await operator.expect(
                ".trouble",
                lambda text: "Ben hears badly in lab" in text and "loss on the way to them" in text,
                "the loss",
            )

            await operator.page.click(".trouble a")
            await operator.expect_title("Ben")
            await operator.expect(
                ".diagnosis h2",
                lambda text: (
                    text.startswith("The listener") and text.endswith("network loses packets")
                ),
                "the cause",
            )
            said = await operator.text(".diagnosis")
            assert "of the packets were lost between the relay and Ben" in said
            assert "% loss" in await operator.text(".evidence")
            for chart in ("Score", "Loss", "Jitter", "Round trip"):
                assert chart in await operator.texts(".chart-title")
            drawn = await operator.page.evaluate(
                "() => document.querySelectorAll('.line[data-series=down]')[1].getAttribute('d')"
            )
            assert drawn.count(" ") >= 1
            assert "joined" in await operator.text(".symbol-legend")

            async with operator.page.tab.expect_download() as saving:
                await operator.page.click(".take-away button")
            saved = await saving.value
            assert saved.suggested_filename.endswith(".csv")
            assert "loss" in (await saved.path()).read_text().splitlines()[0]

            await people[1].leave()  # a call that is over is summed up at once, others each minute
            await operator.page.click(".crumbs li:nth-child(2) a")
            await operator.expect_title("lab")
            await operator.expect(".lane-list li", lambda text: "Ben" in text, "the worst first")
            assert len(await operator.texts(".lane-list li")) == 3
            assert "Ben" in await operator.text(".diagnosis .evidence")
            assert await operator.overflow() <= 0
            assert await operator.faults() == []
            assert operator.complaints() == []
    finally:
        await guests.close()


async def test_a_server_that_goes_and_comes_back(chromium: Chromium, server: RelayServer) -> None:
    async with board(chromium, f"{server.url}/dashboard/") as operator:
        await operator.expect_title("Nobody is here. The relay is ready.")
        await server.stop()
        await operator.expect("#banner", lambda text: "does not answer" in text, "its absence")
        assert await operator.text("#freshness-text") == "No answer"
        await server.start()
        await operator.expect("#freshness-text", lambda text: text == "Live", "its return")
        await operator.expect("#banner", lambda text: text == "", "no banner")


class _Tokens:
    def __init__(self) -> None:
        self._access = Access(Key.read(SECRET))

    def issue(self, *, admin: bool) -> str:
        return self._access.issue(Grants("ops", "*", admin=admin, expires=time.time() + 600))


async def test_a_guarded_dashboard_asks_who_is_there(
    chromium: Chromium, guarded: RelayServer
) -> None:
    tokens = _Tokens()
    async with board(chromium, f"{guarded.url}/dashboard/#/history") as operator:
        await operator.expect("#gate h1", lambda text: text == "Who runs this relay?", "the gate")
        await operator.expect("#token-fault", lambda text: text == "", "no reproach")
        await _enter(operator, "a.b.c")
        await operator.expect("#token-fault", lambda text: "not accepted" in text, "refused")
        assert await operator.focused() == "input"
        await _enter(operator, tokens.issue(admin=False))
        await operator.expect("#token-fault", lambda text: "no admin grant" in text, "forbidden")
        await _enter(operator, tokens.issue(admin=True))
        await operator.expect("nav [aria-current]", lambda text: text == "History", "where it led")

        # It is remembered, by this tab alone.
        await operator.page.tab.reload()
        await operator.go("#/")
        await operator.expect_title("Nobody is here. The relay is ready.")
    async with board(chromium, f"{guarded.url}/dashboard/") as another:
        await another.expect("#gate h1", bool, "the gate")


async def test_a_link_may_carry_the_token(chromium: Chromium, guarded: RelayServer) -> None:
    token = _Tokens().issue(admin=True)
    async with board(chromium, f"{guarded.url}/dashboard#token={token}") as operator:
        await operator.expect_title("Nobody is here. The relay is ready.")
        assert await operator.address() == "#/"


async def _enter(operator: Board, token: str) -> None:
    await operator.page.tab.fill("#token", token)
    await operator.page.tab.keyboard.press("Enter")


def _number(text: str) -> float:
    digits = text.split(" ")[0].replace(",", "")
    return float(digits) if digits.replace(".", "").isdigit() else 0.0
