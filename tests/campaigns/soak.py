"""People come, speak, mute, vanish and come back, for half an hour; and nothing of them stays. `make soak`

    python -m tests.campaigns.soak [MINUTES] [--people N] [--media-plane KIND]

A real relay in a process of its own. At the end everybody goes, and its tables, tasks, descriptors and
memory are compared with what they were after the first people had gone; and every packet is accounted for.
Exit status 1 when something does not agree.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.campaigns.inspected_server import Inspection
from tests.campaigns.people import Crowd, Person, Refused

ROOMS = 6
WARM_UP = 0.5
"""Of the time, as much again before the first look: caches and allocators take what they want in the first
quarter of an hour."""

SETTLE = 35.0
"""Seconds until what somebody left who vanished is gone for good: consent takes 30 to expire."""

RESIDENT_GROWTH = 8 << 20
"""Bytes that may be more at the end; a leak of each connection's contexts would be hundreds of MiB."""

ALLOCATED_GROWTH = 1 << 20
"""The same of what is given out by malloc: a leak of 60 bytes a join shows after half an hour. What is
resident beyond that is free memory that the allocator keeps."""

BLOCK_GROWTH = 10_000
"""The same of the blocks of Python's allocator; a join that leaves one would be 18,000."""


class Relay:
    """The server's process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.origin = url.rstrip("/")
        self.pid = process.pid
        self._process = process

    async def inspect(self) -> Inspection:
        """Look into it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return Inspection(**json.loads(await self._process.stdout.readline()))

    def kernel_drops(self) -> int:
        """Datagrams that found the receive buffers of its sockets full."""
        lines = Path(f"/proc/{self.pid}/net/udp").read_text().splitlines()[1:]
        ours = {
            link.readlink().name.removeprefix("socket:[").removesuffix("]")
            for link in Path(f"/proc/{self.pid}/fd").iterdir()
            if link.readlink().name.startswith("socket:")
        }
        return sum(int(row[12]) for row in map(str.split, lines) if row[9] in ours)


@contextlib.asynccontextmanager
async def serving(log: Path, *options: str) -> AsyncIterator[Relay]:
    """A relay on loopback, with free ports. log: what it writes to its standard error."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.campaigns.inspected_server",
            "--port=0",
            "--media-port=0",
            "--media-host=127.0.0.1",
            f"--history={log.with_suffix('.sqlite')}",
            *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Relay(process, json.loads(await process.stdout.readline())["url"])
    finally:
        process.stdin.close()
        await process.wait()


async def stay(crowd: Crowd, name: str, dice: random.Random) -> None:
    """One visit, from coming to going."""
    did = crowd.tally.did
    person = await Person.arrive(crowd, f"room-{dice.randrange(ROOMS)}", name)
    did["joined"] += 1
    try:
        if dice.random() < 0.8:
            await person.publish()
            did["published"] += 1
            person.speak()
        for _ in range(dice.randrange(1, 6)):
            await asyncio.sleep(dice.uniform(0.2, 1.5))
            await do_something(person, dice, did)
        await go(person, dice, did)
    except BaseException:
        await person.vanish()
        raise


async def do_something(person: Person, dice: random.Random, did: Counter[str]) -> None:
    """What people do in a room."""
    match dice.randrange(5):
        case 0:
            muted = dice.random() < 0.5
            await person.ask("set_muted", muted=muted)
            did["muted" if muted else "unmuted"] += 1
        case 1:
            person.speak(dice.random() < 0.7)
            did["spoke or fell silent"] += 1
        case 2:
            await person.ask("get_stats")
            did["asked for figures"] += 1
        case 3 if person.joined["resume_token"] is not None:
            await person.resume()
            did["resumed"] += 1
        case 4 if person.publisher_id is not None:
            await person.unpublish()
            await person.publish()
            person.speak()
            did["published again"] += 1


async def go(person: Person, dice: random.Random, did: Counter[str]) -> None:
    """The ways to go."""
    match dice.randrange(3):
        case 0:
            await person.leave()
            did["left"] += 1
        case 1:
            await person.close()
            did["closed the page"] += 1
        case 2:
            await person.vanish()
            did["vanished"] += 1


async def churn(crowd: Crowd, people: int, seconds: float, seed: int) -> None:
    """So many people at a time, for so long; then everybody goes."""
    ends = asyncio.get_running_loop().time() + seconds

    async def one(number: int) -> None:
        dice = random.Random(f"{seed} {number}")
        while asyncio.get_running_loop().time() < ends:
            try:
                await stay(crowd, f"Person {number}", dice)
            except Refused as refused:
                crowd.tally.did[f"refused: {refused.code}"] += 1
            await asyncio.sleep(dice.uniform(0.1, 1.0))

    async with asyncio.TaskGroup() as group:
        for number in range(people):
            group.create_task(one(number))


async def empty(relay: Relay) -> Inspection:
    """Wait until nobody is there any more, and look."""
    deadline = asyncio.get_running_loop().time() + SETTLE + 30
    await asyncio.sleep(2)
    while True:
        seen = await relay.inspect()
        if not any(seen.tables.values()) or asyncio.get_running_loop().time() > deadline:
            return seen
        await asyncio.sleep(1)


def complaints(before: Inspection, after: Inspection, crowd: Crowd, drops: int) -> list[str]:
    """What does not agree. drops: datagrams that the kernel dropped."""
    found = [f"{name}: {count} left" for name, count in after.tables.items() if count]
    if after.tasks > before.tasks:
        found.append(f"tasks: {before.tasks} before, {after.tasks} after")
    if after.descriptors > before.descriptors:
        found.append(f"descriptors: {before.descriptors} before, {after.descriptors} after")
    if after.resident - before.resident > RESIDENT_GROWTH:
        found.append(f"memory: grew by {(after.resident - before.resident) >> 10} KiB")
    if after.allocated - before.allocated > ALLOCATED_GROWTH:
        found.append(f"allocated: grew by {(after.allocated - before.allocated) >> 10} KiB")
    if after.blocks - before.blocks > BLOCK_GROWTH:
        found.append(f"blocks: {before.blocks} before, {after.blocks} after")
    if crowd.tally.sent != after.rtp_packets_received + drops:
        found.append(
            f"packets: {crowd.tally.sent} sent, {after.rtp_packets_received} received,"
            f" {drops} dropped by the kernel"
        )
    accounted = sum(after.used.values()) + sum(after.dropped.values())
    if after.datagrams_received != accounted:
        found.append(f"datagrams: {after.datagrams_received} received, {accounted} accounted for")
    return found


async def soak(
    seconds: float, people: int, log: Path, *options: str, say: Any = print
) -> list[str]:
    """The campaign; what did not agree."""
    async with serving(log, *options) as relay:
        crowd = Crowd(relay.origin)
        try:
            await churn(crowd, people, max(2.0, seconds * WARM_UP), seed=1)
            before = await empty(relay)
            say(f"before: {describe(before)}")
            watching = asyncio.create_task(_watch(relay, crowd, say))
            await churn(crowd, people, seconds, seed=2)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            after = await empty(relay)
            say(f"after:  {describe(after)}")
            drops = relay.kernel_drops()
        finally:
            await crowd.close()
    say(f"did:    {dict(crowd.tally.did)}")
    say(
        f"sound:  {crowd.tally.sent} packets sent, {after.packets_forwarded} forwarded,"
        f" {crowd.tally.received} heard; copies dropped {after.copies_dropped}"
    )
    say(
        f"came:   {after.datagrams_received} datagrams; used {after.used}, dropped {after.dropped},"
        f" by the kernel {drops}"
    )
    found = complaints(before, after, crowd, drops)
    found += sorted({f"a person met {fault!r}" for fault in crowd.faults})
    if await asyncio.to_thread(_has_traceback, log):
        found.append(f"a traceback in {log}")
    return found


def _has_traceback(log: Path) -> bool:
    return b"Traceback" in log.read_bytes()


def describe(seen: Inspection) -> str:
    """A line."""
    return (
        f"{seen.tasks} tasks, {seen.descriptors} descriptors, {seen.objects} objects,"
        f" {seen.resident / 2**20:.1f} MiB, {seen.allocated / 2**20:.2f} of them given out by malloc,"
        f" {seen.blocks} blocks, tables {seen.tables}"
    )


async def _watch(relay: Relay, crowd: Crowd, say: Any) -> None:
    while True:
        await asyncio.sleep(60)
        seen = await relay.inspect()
        say(f"  {crowd.tally.did['joined']} joins so far: {describe(seen)}")


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.soak")
    parser.add_argument("minutes", type=float, nargs="?", default=30.0)
    parser.add_argument("--people", type=int, default=40, help="at a time (default: %(default)s)")
    parser.add_argument("--media-plane", default="auto")
    parser.add_argument("--log", type=Path, default=Path("test-artifacts/soak.log"))
    arguments = parser.parse_args()
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    found = asyncio.run(
        soak(
            arguments.minutes * 60,
            arguments.people,
            arguments.log,
            f"--media-plane={arguments.media_plane}",
        )
    )
    for one in found:
        print(f"does not agree: {one}")
    print("nothing stayed, every packet is accounted for" if not found else "failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(_main())
