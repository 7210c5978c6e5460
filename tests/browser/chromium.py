"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

from playwright.async_api import Browser, BrowserContext, Error, Page, Playwright, async_playwright

from tests.browser.interface import BrowserError, uncaught

EXECUTABLE = "/usr/bin/chromium"

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Nothing is to be sent to anybody but the server under test.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    # A fake microphone with permission given: without permission no loopback candidate is gathered.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
]


class ChromiumPage:
    """See interface.Page."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.console: list[str] = []
        self._context = context
        self._page = page
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", self._on_error)
        page.on("crash", lambda _: self._on_error("the page crashed"))

    @property
    def tab(self) -> Page:
        """For what only Playwright can do: keys, sizes, colour schemes, answers in a server's place."""
        return self._page

    def _on_error(self, error: object) -> None:
        uncaught.append(str(error))
        self.console.append(f"uncaught: {error}")

    async def evaluate(self, function: str, argument: object = None) -> Any:
        try:
            return await self._page.evaluate(function, argument)
        except Error as error:
            raise BrowserError(error.message) from error

    async def click(self, selector: str) -> None:
        try:
            await self._page.click(selector, timeout=20_000, no_wait_after=True)
        except Error as error:
            raise BrowserError(error.message) from error

    async def screenshot(self) -> bytes:
        try:
            return await self._page.screenshot(timeout=5_000)
        except Error as error:
            raise BrowserError(error.message) from error

    async def close(self) -> None:
        try:
            await self._page.close()
            await self._context.close()
        except Error as error:
            if self._context.browser is not None and self._context.browser.is_connected():
                raise BrowserError(error.message) from error


class Chromium:
    """See interface.Browser."""

    def __init__(self, playwright: Playwright, browser: Browser, process: int) -> None:
        self._playwright: Playwright | None = playwright
        self._browser = browser
        self._process = process
        self.bypass_csp = False
        """Whether pages may load what their security policy forbids, such as a test's own worklet."""

    @classmethod
    async def launch(cls, executable: str = EXECUTABLE, *arguments: str) -> Chromium:
        """executable: the browser, or a script that runs it. arguments: beside the usual ones."""
        playwright = await async_playwright().start()
        try:
            browser = await playwright.chromium.launch(
                executable_path=executable, args=[*ARGUMENTS, *arguments], handle_sigint=False
            )
            return cls(playwright, browser, await _process_id(browser))
        except BaseException:
            await playwright.stop()
            raise

    async def page(self, url: str, preload: Sequence[str] = ()) -> ChromiumPage:
        context = await self._browser.new_context(
            permissions=["microphone"], bypass_csp=self.bypass_csp
        )
        for source in preload:
            await context.add_init_script(source)
        tab = await context.new_page()
        page = ChromiumPage(context, tab)
        try:
            await tab.goto(url, timeout=120_000)
        except Error as error:
            await page.close()
            raise BrowserError(error.message) from error
        return page

    async def kill(self) -> None:
        # Playwright starts the browser as the leader of a process group.
        os.killpg(self._process, signal.SIGKILL)

    async def close(self) -> None:
        if self._playwright is None:
            return
        playwright, self._playwright = self._playwright, None
        try:
            if self._browser.is_connected():
                await self._browser.close()
        finally:
            await playwright.stop()


async def _process_id(browser: Browser) -> int:
    session = await browser.new_browser_cdp_session()
    information = await session.send("SystemInfo.getProcessInfo")
    await session.detach()
    (process,) = (each["id"] for each in information["processInfo"] if each["type"] == "browser")
    return int(process)
