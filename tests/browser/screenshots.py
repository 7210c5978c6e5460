"""The pictures of the documentation, from a real server with real rooms: `make screenshots` makes them.

Eight pages talk in three rooms, one of them by a way that loses packets; yesterday was written into the
history beforehand (`yesterday.py`). Tones and a name stand for their microphones; nothing else is made
for the picture.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser.chromium import ARGUMENTS, EXECUTABLE
from tests.browser.interface import script
from tests.browser.pictures import shrink
from tests.browser.server import HOST, RelayServer
from tests.browser.slow_link import SlowLink
from tests.browser.yesterday import DAY, write_yesterday

DETOUR = "127.0.0.2"
LOSS = 0.55
"""Most of what is lost is sent again; of this much a tenth stays lost."""

DESKTOP = {"width": 1100, "height": 840}
PHONE = {"width": 390, "height": 760}
PHONE_SCALE = 1.5

ROOMS = {
    "standup": ("Ada", "Grace", "Alan", "Hedy"),
    "support": ("Barbara", "Claude"),
    "design-review": ("Radia", "Vint"),
}
LISTENER = "Hedy"
"""Whose way loses packets."""


@dataclass(frozen=True, slots=True)
class Place:
    """A picture of the dashboard. hash: where it is. ready: what must be there. height: of the
    window, where the usual one would cut it."""

    name: str
    hash: str
    ready: str
    height: int = DESKTOP["height"]


async def main(folder: Path) -> None:
    """folder: of the pictures."""
    midnight = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1))
    with tempfile.TemporaryDirectory() as temporary:
        history = Path(temporary) / "history.db"
        await write_yesterday(history, midnight)
        log = Path(temporary) / "server.log"
        server = RelayServer(
            log, f"--history={history}", f"--announce={DETOUR}", "--announce=local"
        )
        await server.start()
        link = SlowLink((DETOUR, server.media_port), (HOST, server.media_port), delay=0.01)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS)
            try:
                await _take_all(browser, server, link, folder, midnight)
            finally:
                await browser.close()
                link.close()
                await server.stop()


async def _take_all(
    browser: Browser, server: RelayServer, link: SlowLink, folder: Path, midnight: float
) -> None:
    await _lobby(browser, server, folder)
    people = await _fill_rooms(browser, server)
    await _talk(people)
    await _client(people, folder)
    await asyncio.sleep(8)  # the first seconds of a connection are not over yet
    await _dashboard(browser, server, folder, [Place("now", "#/", ".person .chip")])
    link.loss_down = LOSS
    await asyncio.sleep(25)
    day = f"#/history?from={midnight - DAY:.0f}&to={midnight:.0f}"
    rooms = await _past_rooms(browser, server, midnight)
    people_of = await _participations(browser, server, rooms["standup"])
    places = [
        Place("trouble", "#/", ".trouble"),
        Place("history", day, ".past-room", 1180),
        Place("room", f"#/rooms/{rooms['design-review']}", ".lane-list li", 1120),
        Place("call", f"#/calls/{people_of[LISTENER]}", ".diagnosis h2", 1300),
    ]
    await _dashboard(browser, server, folder, places)


async def _lobby(browser: Browser, server: RelayServer, folder: Path) -> None:
    for device, context in await _devices(browser):
        page = await context.new_page()
        await page.goto(f"{server.url}/?room=standup&name=Ada")
        await _take(page, folder, f"lobby-{device}")
        await context.close()


async def _fill_rooms(browser: Browser, server: RelayServer) -> dict[str, Page]:
    """Everybody's page, by name. Grace has a phone."""
    people = {}
    for room, names in ROOMS.items():
        for number, name in enumerate(names):
            phone = name == "Grace"
            context = await browser.new_context(
                permissions=["microphone"],
                viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
                device_scale_factor=PHONE_SCALE if phone else 1,
            )
            for source in _preload(name, 300 + 170 * number):
                await context.add_init_script(source)
            page = await context.new_page()
            await page.goto(f"{server.url}/?room={room}&name={quote(name)}")
            await page.click("#join")
            await page.wait_for_selector("body[data-state=joined]")
            people[name] = page
    for page in people.values():
        await page.wait_for_function(
            """() => [...document.querySelectorAll(".tile")].every(
            (tile) => tile.dataset.connection === "connected")"""
        )
    return people


def _preload(name: str, frequency: int) -> Sequence[str]:
    usual = [script("microphone.js", {"frequency": frequency}), script("headset.js")]
    if name != LISTENER:
        return [*usual, script("by-way-of.js", {"never": DETOUR})]
    only = script("by-way-of.js", {"only": DETOUR})
    return [*usual, only, script("withhold-candidates.js")]


async def _talk(people: dict[str, Page]) -> None:
    """One speaks in each room; Alan is muted."""
    for name, page in people.items():
        loud = {"Ada": 0.35, "Barbara": 0.2, "Vint": 0.12}.get(name, 0)
        await page.evaluate("(it) => { testbed.microphone.volume.gain.value = it }", loud)
    await people["Alan"].click("#mute")


async def _client(people: dict[str, Page], folder: Path) -> None:
    for name, device in (("Hedy", "desktop"), ("Grace", "phone")):
        page = people[name]
        await page.wait_for_selector(".tile[data-name=Ada][data-speaking=true]")
        await page.wait_for_selector(".tile[data-name=Alan][data-muted=true]")
        await page.wait_for_timeout(7_000)  # figures are of the last six seconds
        await _take(page, folder, f"room-{device}")


async def _dashboard(
    browser: Browser, server: RelayServer, folder: Path, places: Sequence[Place]
) -> None:
    for device, context in await _devices(browser):
        page = await context.new_page()
        await page.goto(f"{server.url}/dashboard/")
        for place in places:
            if device == "desktop":
                await page.set_viewport_size({"width": 1100, "height": place.height})
            await page.evaluate("(it) => { location.hash = it }", place.hash)
            await page.wait_for_selector(place.ready)
            await page.wait_for_timeout(14_000 if place.hash == "#/" else 1_500)
            await page.evaluate("() => scrollTo(0, 0)")
            await _take(page, folder, f"dashboard-{place.name}-{device}")
        await context.close()


async def _take(page: Page, folder: Path, name: str) -> None:
    """In both colour schemes."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        await page.wait_for_timeout(400)
        picture = await page.screenshot(animations="disabled", caret="hide")
        (folder / f"{name}-{scheme}.png").write_bytes(picture)


async def _devices(browser: Browser) -> list[tuple[str, BrowserContext]]:
    desktop = await browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    phone = await browser.new_context(
        viewport=PHONE,  # type: ignore[arg-type]
        device_scale_factor=PHONE_SCALE,
        has_touch=True,
        is_mobile=True,
    )
    return [("desktop", desktop), ("phone", phone)]


async def _past_rooms(browser: Browser, server: RelayServer, midnight: float) -> dict[str, str]:
    """Yesterday's rooms: the ids by their names."""
    query = f"history/rooms?from={midnight - DAY:.0f}&to={midnight - 1:.0f}"
    answer = await _ask(browser, server, query)
    return {each["room"]: each["session_id"] for each in answer["rooms"]}


async def _participations(browser: Browser, server: RelayServer, room: str) -> dict[str, str]:
    answer = await _ask(browser, server, f"history/rooms/{room}")
    return {each["name"]: each["participation_id"] for each in answer["participations"]}


async def _ask(browser: Browser, server: RelayServer, path: str) -> dict[str, Any]:
    context = await browser.new_context()
    response = await context.request.get(f"{server.url}/api/v1/{path}")
    answer: dict[str, Any] = await response.json()
    await context.close()
    return answer


def shrink_all(folder: Path) -> None:
    """Afterwards: it takes a second each, in which the link would forward nothing."""
    for file in sorted(folder.glob("*.png")):
        file.write_bytes(shrink(file.read_bytes()))
        print(f"{file.name}: {file.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
    shrink_all(Path(sys.argv[1]))
