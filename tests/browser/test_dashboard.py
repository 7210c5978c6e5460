"""The dashboard of a real server with real rooms."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from signaling.access import Access, Grants, Key
from tests.browser.chromium import Chromium
from tests.browser.dashboard import Board, board
from tests.browser.guests import Guests
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually

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
