"""Debian's Firefox ESR, driven by the WebDriver BiDi that it speaks itself."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.browser.bidi import BidiSession, Event
from tests.browser.interface import BrowserError, uncaught

EXECUTABLE = "/usr/bin/firefox-esr"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0

_PREFERENCES: dict[str, bool | int | str] = {
    # A fake microphone with permission given: without permission no loopback candidate is gathered.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "permissions.default.microphone": 1,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    # Pages in the background run at full speed.
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": False,
    # Nothing is to be sent to anybody but the server under test.
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-manager.url": "",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.prefetch-next": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}

_LOST_SOCKET = re.compile("(Firefox can’t establish a|The) connection to (the server at )?wss?://")  # noqa: RUF001
"""What Firefox says of each WebSocket that did not open, or was lost; no page can prevent it."""


class FirefoxPage:
    """See interface.Page."""

    def __init__(self, session: BidiSession, user_context: str, context: str) -> None:
        self.console: list[str] = []
        self._session = session
        self._user_context = user_context
        self._context = context
        self._open = True

    def log(self, event: Event) -> None:
        """Takes a `log.entryAdded`, of whichever page."""
        if event["source"].get("context") != self._context:
            return
        ours = event["type"] == "javascript" and not _LOST_SOCKET.match(event["text"])
        if ours and event["level"] == "error":
            uncaught.append(event["text"])
            self.console.append(f"uncaught: {event['text']}")
        else:
            self.console.append(f"{event['level']}: {event['text']}")

    async def evaluate(self, function: str, argument: object = None) -> Any:
        # JSON both ways, instead of BiDi's own representation of values.
        call = f"await ({function})({json.dumps(argument)})"
        result = await self._session.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify({call} ?? null))()",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if result["type"] == "exception":
            raise BrowserError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    async def click(self, selector: str) -> None:
        found = await self._session.command(
            "browsingContext.locateNodes",
            context=self._context,
            locator={"type": "css", "value": selector},
            maxNodeCount=1,
        )
        if not found["nodes"]:
            raise BrowserError(f"no element {selector}")
        origin = {"type": "element", "element": {"sharedId": found["nodes"][0]["sharedId"]}}
        pointer = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        await self.evaluate(
            "(selector) => document.querySelector(selector).scrollIntoView({block: 'center'})",
            selector,
        )
        await self._session.command(
            "input.performActions",
            context=self._context,
            actions=[{"type": "pointer", "id": "pointer", "actions": pointer}],
        )

    async def screenshot(self) -> bytes:
        taken = await self._session.command(
            "browsingContext.captureScreenshot", context=self._context
        )
        return base64.b64decode(taken["data"])

    async def close(self) -> None:
        if self._open:
            self._open = False
            await self._session.command("browsingContext.close", context=self._context)
            await self._session.command("browser.removeUserContext", userContext=self._user_context)


class Firefox:
    """See interface.Browser."""

    def __init__(self, process: asyncio.subprocess.Process, profile: Path) -> None:
        self._process = process
        self._profile = profile
        self._session: BidiSession | None = None
        self._stderr: asyncio.Task[bytes] | None = None
        self._pages: list[FirefoxPage] = []

    @classmethod
    async def launch(cls, environment: Mapping[str, str]) -> Firefox:
        """environment: what it needs beside ours, such as the way to the sound server."""
        profile = Path(tempfile.mkdtemp(prefix="firefox-"))
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in _PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines))
        process = await asyncio.create_subprocess_exec(
            EXECUTABLE,
            "--headless",
            "--no-remote",
            "--profile",
            str(profile),
            "--remote-debugging-port",
            "0",
            "about:blank",
            env={**os.environ, "HOME": str(profile), **environment},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        browser = cls(process, profile)
        try:
            await browser._connect()
        except BaseException:
            await browser.close()
            raise
        return browser

    async def page(self, url: str, preload: Sequence[str] = ()) -> FirefoxPage:
        session = self._session
        assert session is not None
        user_context = (await session.command("browser.createUserContext"))["userContext"]
        # A window for each page: of several tabs in one, all but one would be hidden.
        created = await session.command(
            "browsingContext.create", type="window", userContext=user_context
        )
        page = FirefoxPage(session, user_context, created["context"])
        self._pages.append(page)
        for source in preload:
            await session.command(
                "script.addPreloadScript",
                functionDeclaration=f"() => {{ {source} }}",
                contexts=[created["context"]],
            )
        await session.command(
            "browsingContext.navigate", context=created["context"], url=url, wait="complete"
        )
        return page

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def close(self) -> None:
        if self._session is not None:
            with suppress(BrowserError):
                await self._session.command("browser.close")
            await self._session.close()
            self._session = None
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            await self.kill()
        if self._stderr is not None:
            await self._stderr
        shutil.rmtree(self._profile, ignore_errors=True)

    async def _connect(self) -> None:
        assert self._process.stderr is not None
        url = await asyncio.wait_for(_announced_url(self._process.stderr), START_TIMEOUT)
        # A full pipe would stop the browser.
        self._stderr = asyncio.create_task(self._process.stderr.read())
        self._session = await BidiSession.open(url)
        await self._session.subscribe("log.entryAdded", self._log)

    def _log(self, event: Event) -> None:
        for page in self._pages:
            page.log(event)


async def _announced_url(stderr: asyncio.StreamReader) -> str:
    printed = []
    async for line in stderr:
        printed.append(line.decode(errors="replace"))
        if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", printed[-1]):
            return found[1]
    raise BrowserError(f"Firefox ended at its start: {''.join(printed)}")
