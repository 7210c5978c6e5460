"""Everybody whom a test invites, so that none is forgotten at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.browser.interface import Browser, BrowserError
from tests.browser.participant import Participant
from tests.browser.server import RelayServer


class Guests:
    """Opens pages of one server, and closes them."""

    def __init__(self, server: RelayServer) -> None:
        self._server = server
        self._participants: list[Participant] = []

    async def arrive(
        self, browser: Browser, name: str, room: str = "lab", preload: Sequence[str] = ()
    ) -> Participant:
        """Opens a page at the room's link; does not join yet. name: one of TONES."""
        participant = await Participant.arrive(browser, self._server, name, room, preload)
        self._participants.append(participant)
        return participant

    async def join(self, browser: Browser, *names: str, room: str = "lab") -> list[Participant]:
        """Pages that have joined the room, one for each name."""
        arrived = [await self.arrive(browser, name, room) for name in names]
        await asyncio.gather(*(each.join() for each in arrived))
        return arrived

    async def save(self, folder: Path) -> None:
        """Writes a screenshot and the console of every page that can still be asked."""
        for number, each in enumerate(self._participants, 1):
            stem = f"{number}-{each.name}"
            (folder / f"{stem}.console.txt").write_text("\n".join(each.page.console))
            with suppress(BrowserError):
                (folder / f"{stem}.png").write_bytes(await each.page.screenshot())

    async def close(self) -> None:
        for each in self._participants:
            await each.page.close()
