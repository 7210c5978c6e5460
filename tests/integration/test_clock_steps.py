"""Somebody sets a server's clock by hours while people talk. Its clock on the wall is moved by a file."""

from __future__ import annotations

import asyncio
import json
import struct
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from relay.server import PlaneKind
from signaling.access import Access, Grants, Key
from signaling.monitoring.webhooks import signature
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually
from tests.campaigns.hostile.crowd import Crowd, Someone, Voice
from tests.native import preload
from tests.signaling.monitoring.test_webhooks import Receiver

HOUR = 3600.0
STEPS = (5 * HOUR, -5 * HOUR)
"""The clock is ahead by so much, one after the other."""

SECRET = "a secret of more than thirty-two bytes"
MINUTE = 60.0
"""Seconds; what a test takes at most, and far less than a step."""


class Clock:
    """That of a server. ahead: seconds before ours."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ahead = 0.0
        self.set(0.0)

    def set(self, ahead: float) -> None:
        """Set it."""
        with self.file.open("r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("=q", round(ahead)))
        self.ahead = ahead

    def now(self) -> float:
        """Unix seconds, by it."""
        return time.time() + self.ahead


class World:
    """The server, its clock, two people who talk, and who is told of them."""

    def __init__(self, clock: Clock, server: RelayServer, hook: Receiver, log: Path) -> None:
        self.clock, self.server, self.hook, self.log = clock, server, hook, log
        self.crowd = Crowd(server.url)
        self._access = Access(Key.read(SECRET))

    def token(self, begins: float, ends: float) -> str:
        """Good for everything from one hour to the other, counted from our time."""
        now = time.time()
        grants = Grants("somebody", "*", None, True, True, True, now + ends * HOUR)
        return self._access.issue(grants, now + begins * HOUR)

    async def live(self) -> Any:
        """What the server says of itself and everybody."""
        headers = {"Authorization": f"Bearer {self.token(-9, 9)}"}
        request = urllib.request.Request(f"{self.server.url}/api/v1/live", headers=headers)

        def get() -> Any:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)

        return await asyncio.to_thread(get)

    async def said(self, more: int) -> None:
        """Wait until so many packets more have been heard."""
        report = self.crowd.reports[-1]
        wanted = report.received + more

        async def heard() -> int:
            return report.received

        await eventually(heard, lambda count: count >= wanted, what="the voices go on")


@pytest_asyncio.fixture
async def world(
    plane: PlaneKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    clock, hook, log = Clock(tmp_path / "ahead"), Receiver(), tmp_path / "server.log"
    options = {"media-plane": plane, "auth-secret": SECRET, "resume-grace": "40"}
    hooks = {"webhook": hook.url, "webhook-secret": SECRET}
    server = RelayServer(log, *(f"--{name}={value}" for name, value in (options | hooks).items()))
    try:
        with monkeypatch.context() as environment:
            for name, value in preload.build("wall_clock", tmp_path).items():
                environment.setenv(name, value)
            environment.setenv("WALL_CLOCK_AHEAD", str(clock.file))
            await server.start()
        yield World(clock, server, hook, log)
    finally:
        hook.close()
        await server.stop()


async def test_nobody_hears_that_the_clock_is_set(world: World) -> None:
    crowd, token = world.crowd, world.token(-9, 9)
    people = [await crowd.arrive("a", name, token, constant=True) for name in ("Ada", "Bob")]
    speaking = asyncio.create_task(crowd.keep_speaking())
    await _listen(people)
    await world.said(50)
    for step in STEPS:
        eve = await crowd.arrive("a", "Eve", token)
        eve.websocket.transport.abort()
        world.clock.set(step)
        await _comes_back(eve)
        await _tokens_are_judged_by(world, step)
        await world.said(50)
        await _figures_stay_true(world)
    await crowd.finish()
    (report,) = crowd.reports
    assert (report.received, report.strange, report.faults) == (report.expected, 0, [])

    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    await asyncio.gather(*(someone.close() for someone in people))
    await _everything_was_told(world)
    await world.server.stop()
    assert not any(word in world.log.read_text() for word in ("Traceback", "ERROR"))


async def _listen(people: list[Someone]) -> None:
    """Everybody publishes, and hears the other."""
    publishers = [await someone.publish() for someone in people]
    await people[0].consume(publishers[1])
    await people[1].consume(publishers[0])
    crowd = people[0].crowd
    crowd.listeners = 1
    crowd.voices += [Voice(crowd, someone.own) for someone in people if someone.own is not None]


async def _comes_back(someone: Someone) -> None:
    """The seconds of grace are of the steady clock."""
    async with connect(someone.crowd.url) as again:
        await again.send(json.dumps({"type": "resume_room", "resume_token": someone.resume_token}))
        assert json.loads(await again.recv())["type"] == "room_resumed"
    await someone.close()


async def _tokens_are_judged_by(world: World, step: float) -> None:
    """By the clock as it is: who sets it opens and closes doors by that."""
    hours = step / HOUR
    good = await world.crowd.arrive("b", "Good", world.token(hours - 1, hours + 1))
    await good.close()
    for begins, ends, why in (
        (hours - 2, hours - 1, "has expired"),
        (hours + 1, hours + 2, "not valid yet"),
    ):
        with pytest.raises(RuntimeError, match=why):
            await world.crowd.arrive("b", "Bad", world.token(begins, ends))


async def _figures_stay_true(world: World) -> None:
    def intervals(live: Any) -> list[float]:
        people = live["rooms"][0]["participants"]
        found = (
            each["interval"]
            for person in people
            for each in (person["publisher"], *person["consumers"])
            if each is not None
        )
        return [interval for interval in found if interval is not None]

    live = await eventually(
        world.live, lambda live: len(intervals(live)) == 4, what="figures of every connection"
    )
    assert all(0.1 < interval < MINUTE for interval in intervals(live))
    assert abs(live["at"] - world.clock.now()) < MINUTE
    server = live["server"]
    assert 0 < server["uptime"] < 2 * MINUTE
    assert server["cpu"] < 20
    assert 0 < server["packets_received_per_second"] < 1000
    assert server["forward_latency"]["maximum"] < MINUTE
    assert server["history"] == "on"


async def _everything_was_told(world: World) -> None:
    """In order, each signed with the time that the clock showed."""

    async def told() -> list[str]:
        return [json.loads(body)["type"] for _, body in world.hook.came]

    told_of = await eventually(
        told, lambda kinds: kinds.count("participant_left") == 6, what="everybody has left"
    )
    assert told_of.count("participant_joined") == 6
    shown = []
    for sent, body in world.hook.came:
        headers = {name.title(): value for name, value in sent.items()}
        stamp = headers["X-Rtp-Relay-Timestamp"]
        signed = headers["X-Rtp-Relay-Signature"].removeprefix("sha256=")
        assert signed == signature(SECRET.encode(), stamp, body)
        shown.append(round((float(stamp) - time.time()) / HOUR))
    assert shown == sorted(shown, key=[0, 5, -5].index)
    assert set(shown) == {0, 5, -5}
