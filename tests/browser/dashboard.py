"""The dashboard in a browser: what an operator sees of it, and does with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Route

from signaling.site import Site
from tests.browser.chromium import Chromium, ChromiumPage
from tests.browser.imagined import Imagined
from tests.browser.waiting import eventually

ORIGIN = "http://dashboard.localhost"
"""Where the pages of `imagined` come from: nowhere, every request is answered by the test."""

STRICT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A page that keeps to it holds no inline script or style, and loads nothing from elsewhere."""

_SCRIPTS = Path(__file__).parent / "scripts"


class Board:
    """An open dashboard."""

    def __init__(self, page: ChromiumPage) -> None:
        self.page = page

    async def text(self, selector: str) -> str:
        """Of the first element that is shown, "" while there is none."""
        texts = await self.texts(selector)
        return texts[0] if texts else ""

    async def texts(self, selector: str) -> list[str]:
        """Of every element that is shown."""
        found: list[str] = await self.page.evaluate(
            """(it) => [...document.querySelectorAll(it)].filter((each) => each.checkVisibility())
            .map((each) => each.innerText.replaceAll('\\u00a0', ' '))""",
            selector,
        )
        return found

    async def expect(self, selector: str, accept: Callable[[str], bool], what: str) -> str:
        """Waits until the element's text is accepted."""
        return await eventually(
            lambda: self.text(selector), accept, what=f"{what} in {selector}", patience=40
        )

    async def expect_title(self, title: str) -> None:
        """Waits for the page's first heading."""
        await self.expect("#view h1", lambda text: text == title, title)

    async def go(self, hash_: str) -> None:
        """By the address, as a link does."""
        await self.page.evaluate("(it) => { location.hash = it }", hash_)

    async def address(self) -> str:
        """What is behind the `#`, with it."""
        address: str = await self.page.evaluate("() => location.hash")
        return address

    async def focused(self) -> str:
        """Tag, and name or text, of what has the focus."""
        focused: str = await self.page.evaluate(
            """() => { const it = document.activeElement;
            return `${it.tagName.toLowerCase()} ${it.ariaLabel ?? it.innerText ?? ""}`.trim() }"""
        )
        return focused

    async def faults(self) -> list[str]:
        """What rules alone find wrong with the page's accessibility."""
        source = (_SCRIPTS / "accessibility.js").read_text()
        faults: list[str] = await self.page.evaluate(source[source.index("() => {") :])
        return faults

    async def beginnings(self, selector: str) -> dict[str, bool]:
        """Of elements, by their text: whether its beginning is seen, or cut off with what is too long."""
        source = (_SCRIPTS / "beginnings.js").read_text()
        seen: dict[str, bool] = await self.page.evaluate(
            source[source.index("(selector) => {") :], selector
        )
        return seen

    async def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        wide: int = await self.page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wide

    def complaints(self) -> list[str]:
        """Errors and warnings of the console: policies that were broken are among them."""
        return [line for line in self.page.console if line.startswith(("error", "warning", "unc"))]


@asynccontextmanager
async def board(chromium: Chromium, url: str) -> AsyncIterator[Board]:
    """url: of a server, with the dashboard's path, and its hash if there is one."""
    page = await chromium.page(url)
    try:
        yield Board(page)
    finally:
        await page.close()


@asynccontextmanager
async def imagined(
    chromium: Chromium,
    answers: Imagined,
    hash_: str = "#/",
    *,
    width: int = 1280,
    dark: bool = False,
) -> AsyncIterator[Board]:
    """A dashboard whose server is imagined, under a strict policy."""
    site = Site(lambda: {})
    page = await chromium.page("about:blank")
    tab = page.tab

    async def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if not path.startswith("/api/v1/"):
            file = site.respond("GET", path)
            headers = {**dict(file.headers), "Content-Security-Policy": STRICT_POLICY}
            await route.fulfill(status=file.status.value, headers=headers, body=file.body)
            return
        told: Any = answers.answer(path.removeprefix("/api/v1/"))
        missing = {"error": {"code": "not_found", "message": "Nothing of that id."}}
        await route.fulfill(
            status=200 if told else 404,
            content_type="application/json",
            body=json.dumps(told or missing),
        )

    try:
        await tab.set_viewport_size({"width": width, "height": 800})
        await tab.emulate_media(color_scheme="dark" if dark else "light")
        await tab.route("**/*", answer)
        await tab.goto(f"{ORIGIN}/dashboard/{hash_}")
        yield Board(page)
    finally:
        await page.close()
