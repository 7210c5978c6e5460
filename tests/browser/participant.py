"""A participant: the real web client in a browser's page, with a tone instead of a microphone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.browser.interface import Browser, Page, script
from tests.browser.reports import ConnectionReport
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually

TONES = {"Ann": 440, "Ben": 730, "Cem": 1130, "Dot": 1790}
"""Hz, by name: no one's harmonic near another one's tone, all well inside of what Opus keeps."""

AUDIBLE = 0.05
"""Amplitude of a tone that is heard; the microphones' tones have 0.3."""
SILENT = 0.005
"""Amplitude that is none: 36 dB under a tone, the codec's own noise."""
_WINDOWS = 5
"""How many windows of 170 ms must agree on what is heard."""

_PRELOAD = ("connections.js", "ears.js", "stopwatch.js")
_TILES = """() => [...document.querySelectorAll("[data-participant-id]")].map((tile) => ({
  name: tile.dataset.name, self: "self" in tile.dataset, muted: tile.dataset.muted === "true",
  speaking: tile.dataset.speaking === "true", connection: tile.dataset.connection,
  id: tile.dataset.participantId}))"""


@dataclass(frozen=True, slots=True)
class Tile:
    """A participant as the page shows it."""

    name: str
    self: bool
    muted: bool
    speaking: bool
    connection: str
    id: str


class Participant:
    """What a person in front of the page can do and perceive."""

    def __init__(self, name: str, page: Page) -> None:
        self.name = name
        self.page = page

    @classmethod
    async def arrive(
        cls,
        browser: Browser,
        server: RelayServer,
        name: str,
        room: str,
        preload: Sequence[str] = (),
        origin: str | None = None,
        fragment: str = "",
    ) -> Participant:
        """Opens the room's link; does not join yet. preload: scripts beside the usual ones. origin: the
        server's, where it is not the one on loopback. fragment: the end of the link."""
        usual = [script("microphone.js", {"frequency": TONES[name]})]
        usual += [script(file) for file in _PRELOAD]
        url = f"{origin or server.url}/?{urlencode({'room': room, 'name': name})}{fragment}"
        return cls(name, await browser.page(url, [*usual, *preload]))

    async def join(self) -> None:
        await self.page.click("#join")
        await self.expect_state("joined")

    async def leave(self) -> None:
        await self.page.click("#leave")
        await self.expect_state("lobby")

    async def toggle_mute(self) -> None:
        await self.page.click("#mute")

    async def state(self) -> str:
        state: str = await self.page.evaluate("() => document.body.dataset.state")
        return state

    async def expect_state(self, expected: str) -> None:
        await eventually(
            self.state, lambda state: state == expected, what=f"{self.name} is {expected}"
        )

    async def tiles(self) -> dict[str, Tile]:
        """Everybody whom the page shows, by name."""
        tiles = [Tile(**tile) for tile in await self.page.evaluate(_TILES)]
        assert len({tile.name for tile in tiles}) == len(tiles), f"shown twice: {tiles}"
        return {tile.name: tile for tile in tiles}

    async def expect_company(self, *names: str) -> None:
        """Waits until the page shows exactly these others."""
        expected = {self.name, *names}
        await eventually(
            self.tiles,
            lambda tiles: tiles.keys() == expected,
            what=f"{self.name} sees {sorted(names)}",
        )

    async def hears(self) -> dict[str, set[str] | None]:
        """By the participant whose audio element it is: whose tones it plays; None where the sound
        is just coming or going."""
        argument = {"frequencies": list(TONES.values()), "windows": _WINDOWS}
        heard = await self.page.evaluate("(it) => testbed.listen(it)", argument)
        return {name: _owners(windows) for name, windows in heard.items()}

    async def expect_to_hear(self, *names: str) -> None:
        """Waits until each of these is heard on their own audio element, and nobody else anywhere."""

        async def heard() -> dict[str, set[str] | None]:
            return {
                name: owners for name, owners in (await self.hears()).items() if owners != set()
            }

        expected = {name: {name} for name in names}
        await eventually(
            heard, lambda heard: heard == expected, what=f"{self.name} hears {sorted(names)}"
        )

    async def connections(self) -> list[ConnectionReport]:
        return [
            ConnectionReport(each) for each in await self.page.evaluate("() => testbed.report()")
        ]

    async def connections_made(self) -> int:
        """How many the page has opened so far, closed ones too."""
        made: int = await self.page.evaluate("() => testbed.made()")
        return made

    async def fragments(self) -> list[str]:
        """The ICE username fragments of the page's living connections; a restart changes them."""
        fragments: list[str] = await self.page.evaluate("() => testbed.fragments()")
        return fragments

    async def received(self, type: str) -> int:
        """How many messages of this type the page has got so far."""
        count: int = await self.page.evaluate("(it) => testbed.received(it)", type)
        return count

    async def relay_statistics(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The relay's `get_stats`, with one other in the room: the publisher, and the only consumer."""
        stats = await self.page.evaluate("(it) => testbed.ask(it)", {"type": "get_stats"})
        assert stats["type"] == "stats", stats
        (consumer,) = stats["consumers"].values()
        return stats["publisher"], consumer


def _owners(windows: list[list[float]]) -> set[str] | None:
    """windows: the amplitude of each of TONES in each window."""
    by_owner = dict(zip(TONES, zip(*windows, strict=True), strict=True))
    steady = {owner for owner, amplitudes in by_owner.items() if min(amplitudes) > AUDIBLE}
    traces = {owner for owner, amplitudes in by_owner.items() if max(amplitudes) > SILENT}
    return steady if steady == traces else None
