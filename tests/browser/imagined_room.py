"""The talk page with a room that is imagined: for its layout, and for answers that no sound server gives.

What the server really says, and that the page can read it, is seen in the tests that have a server.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Page, Route, WebSocketRoute

from signaling.site import Site
from tests.browser.chromium import Chromium
from tests.browser.dashboard import Board

Json = dict[str, Any]

ORIGIN = "http://room.localhost"
"""Where the page comes from: nowhere, every request is answered by the test."""


class ImaginedRoom:
    """Who is in the room beside the page's own person, and what is answered.

    names: of the others; every third one is muted, and nobody can be heard. answers: by the type of a
    request; one without an answer is never answered.
    """

    def __init__(self, *names: str) -> None:
        self.names = names
        self.answers: dict[str, Callable[[Json], Json]] = {"join_room": self._join}
        self.heard: list[Json] = []
        self._socket: WebSocketRoute | None = None

    def say(self, type_: str, **fields: Any) -> None:
        """Sends a message to the page."""
        assert self._socket is not None
        self._socket.send(json.dumps({"type": type_, **fields}))

    def attach(self, socket: WebSocketRoute) -> None:
        """Takes a socket that the page opens."""
        self._socket = socket
        socket.on_message(self._receive)

    def _receive(self, frame: str | bytes) -> None:
        message: Json = json.loads(frame)
        self.heard.append(message)
        if answer := self.answers.get(message["type"]):
            self.say(**_with_type(answer(message)), id=message.get("id"))

    def _join(self, message: Json) -> Json:
        others = [
            {
                "participant_id": f"p{number}",
                "name": name,
                "muted": number % 3 == 1,
                "publisher_id": None,
                "track_id": None,
            }
            for number, name in enumerate(self.names)
        ]
        return {
            "type": "room_joined",
            "room": message["room"],
            "participant_id": "self",
            "participants": others,
            "ice_servers": [],
            "resume_token": None,
        }


def _with_type(message: Json) -> Json:
    return {"type_" if key == "type" else key: value for key, value in message.items()}


@asynccontextmanager
async def room_page(
    chromium: Chromium,
    room: ImaginedRoom,
    link: str = "/?room=lab&name=Ann",
    *,
    size: tuple[int, int] = (1280, 800),
    dark: bool = False,
    preload: Sequence[str] = (),
) -> AsyncIterator[Board]:
    """The page, in its lobby. size: of the window, in pixels."""
    site = Site(lambda: {})
    page = await chromium.page("about:blank", preload)

    async def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).split("?")[0]
        file = site.respond("GET", path)
        await route.fulfill(status=file.status.value, headers=dict(file.headers), body=file.body)

    try:
        await page.tab.set_viewport_size({"width": size[0], "height": size[1]})
        await page.tab.emulate_media(color_scheme="dark" if dark else "light")
        await page.tab.route("**/*", answer)
        await page.tab.route_web_socket("**/ws", room.attach)
        await page.tab.goto(f"{ORIGIN}{link}")
        yield Board(page)
    finally:
        await page.close()


async def join(tab: Page) -> None:
    """From the lobby into the room."""
    await tab.click("#join")
    await tab.wait_for_selector("body[data-state=joined]")
