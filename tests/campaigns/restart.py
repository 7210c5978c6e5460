"""The relay is killed (SIGKILL) in the middle of calls and started again: who is back when. `make chaos`

    python -m tests.campaigns.restart [--kills N] [--people N]

Two Chromium pages talk to each other, and a crowd talks in other rooms. Times are from the kill to the
first packet of the other's voice afterwards, so they contain the start of the program. Prints a table in
Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from websockets import ConnectionClosed, InvalidHandshake

from tests.browser.chromium import Chromium
from tests.browser.participant import Participant
from tests.browser.server import RelayServer
from tests.campaigns.people import Crowd, Person, Refused

ROOM_SIZE = 3
PATIENCE = 60.0
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill. Seconds after it until: the program answers again, both pages hear each other, and as many
    people are connected as before."""

    answers: float
    pages: float
    people: float


async def come_back(crowd: Crowd, room: str, name: str) -> None:
    """Be in a room and speak, for ever, and join again whenever the socket is lost."""
    while True:
        with contextlib.suppress(
            OSError, ConnectionClosed, InvalidHandshake, Refused, TimeoutError
        ):
            person = await Person.arrive(crowd, room, name)
            try:
                await person.publish()
                person.speak()
                await person.gone()
            finally:
                await person.vanish()
        await asyncio.sleep(random.uniform(0.1, 0.4))


async def _packets(person: Participant) -> int:
    """Of the other's voice, on the living connections of a page."""
    found = [one.inbound for one in await person.connections()]
    return sum(one["packetsReceived"] for one in found if one is not None)


async def _heard_anew(person: Participant, joined_again: asyncio.Event) -> None:
    """Wait for packets of a connection that was made after the kill: the count began anew."""
    await joined_again.wait()
    while await person.state() != "joined":  # noqa: ASYNC110
        await asyncio.sleep(_POLL)
    while not await _packets(person):  # noqa: ASYNC110
        await asyncio.sleep(_POLL)


async def kill(server: RelayServer, pages: list[Participant], crowd: Crowd) -> Kill:
    """Kill the server, start it again, and wait for everybody."""
    loop = asyncio.get_running_loop()
    connected = len(crowd.voices)
    died = loop.time()
    await server.kill()
    lost = asyncio.Event()
    waiting = asyncio.gather(*(_heard_anew(page, lost) for page in pages))
    for page in pages:
        await page.expect_state("reconnecting")
    lost.set()
    await server.start()
    answers = loop.time() - died
    async with asyncio.timeout(PATIENCE):
        await waiting
        heard = loop.time() - died
        while len(crowd.voices) < connected:  # noqa: ASYNC110
            await asyncio.sleep(_POLL)
    return Kill(answers, heard, loop.time() - died)


async def campaign(kills: int, people: int, log: Path) -> list[Kill]:
    """All kills of one long conversation."""
    server = RelayServer(log, f"--history={log.with_suffix('.sqlite')}")
    await server.start()
    browser = await Chromium.launch()
    crowd = Crowd(server.url)
    others = [
        asyncio.create_task(come_back(crowd, f"room-{number // ROOM_SIZE}", f"Person {number}"))
        for number in range(people)
    ]
    try:
        pages = [await Participant.arrive(browser, server, name, "lab") for name in ("Ann", "Ben")]
        for page in pages:
            await page.join()
        await pages[0].expect_to_hear("Ben")
        async with asyncio.timeout(PATIENCE):
            while len(crowd.voices) < people:  # noqa: ASYNC110
                await asyncio.sleep(_POLL)
        return [await kill(server, pages, crowd) for _ in range(kills)]
    finally:
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await crowd.close()
        await browser.close()
        await server.stop()


def table(kills: list[Kill]) -> str:
    """In Markdown."""
    lines = [
        "| kill | answers | pages hear each other | everybody is back |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {number} | {one.answers:.1f} s | {one.pages:.1f} s | {one.people:.1f} s |"
        for number, one in enumerate(kills, 1)
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.restart")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--people", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        print(table(asyncio.run(campaign(options.kills, options.people, log))))
