"""Somebody new, again and again, while attacks go on: how long until they speak and hear.

In a room of their own somebody talks all the time. Who comes publishes, listens to that one, and goes once
both works.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from .crowd import PATIENCE, Crowd, Someone, Voice

DELAY = 0.5
"""Seconds after which the first comes while an attack goes on, and between two of them."""

_ROOM = "newcomers"


class Door:
    """Where newcomers come in."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._host: Someone
        self._publisher_id = ""
        self._closed = False
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Let the one come who is there all the time, and begin."""
        self._host = await self._crowd.arrive(_ROOM, "Adam")
        self._publisher_id = await self._host.publish()
        assert self._host.own is not None
        self._crowd.voices.append(Voice(self._crowd, self._host.own, counted=False))
        self.begin()

    def begin(self) -> None:
        """Something else goes on from now on, and those who come are counted to it."""
        self._tasks.append(asyncio.create_task(self._keep_coming()))

    async def wait(self) -> None:
        """Let nobody in any more, once who is coming is done."""
        self._closed = True
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Let the one go, too."""
        await self._host.close()

    async def _keep_coming(self) -> None:
        report = self._crowd.reports[-1]
        while True:
            await asyncio.sleep(DELAY)
            over = self._closed or report is not self._crowd.reports[-1]
            if over and report.newcomers:
                return
            began = time.monotonic()
            try:
                await self._come()
                report.newcomers.append(time.monotonic() - began)
            except Exception as error:
                report.newcomers.append(PATIENCE)
                report.faults.append(f"newcomer: {error!r}")

    async def _come(self) -> None:
        someone = None
        try:
            async with asyncio.timeout(PATIENCE):
                someone = await self._crowd.arrive(_ROOM, "Eve")
                await someone.publish()
                peer = await someone.consume(self._publisher_id)
                await self._crowd.peers[peer].heard_somebody.wait()
        finally:
            if someone is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(someone.close(), PATIENCE)
