"""One attack after the other on a real server, while people talk; and what came of each."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import cpu
from tests.browser.server import RelayServer

from . import frames, handshakes, insiders, strangers, visitors
from .bystanders import Facts
from .crowd import Report
from .field import Field

ATTACKS: dict[str, Callable[[Field], Awaitable[None]]] = {
    "noise of every kind": strangers.noise,
    "STUN from strangers": strangers.stun_from_strangers,
    "forged STUN": strangers.forged_stun,
    "ClientHellos without ICE": strangers.client_hellos,
    "forged and replayed media": strangers.media,
    "cut and stretched": strangers.cut_and_stretched,
    "authentic, odd media": insiders.media,
    "authentic, odd reports": insiders.reports,
    "authentic checks": insiders.checks,
    "a victim's candidates": insiders.candidates,
    "messages out of order": visitors.messages_out_of_order,
    "message floods": visitors.message_floods,
    "frames of every kind": frames.frames,
    "sockets": visitors.sockets,
    "half-open ICE": handshakes.without_ice,
    "half-open DTLS": handshakes.without_dtls,
    "handshakes left alone": handshakes.without_end,
}

MAX_GROWTH = 64 << 20
"""Bytes of the server's memory, from before the attacks to after them; the allocator keeps some."""

MAX_GROWTH_EACH = 80 << 10
"""And so many for each handshake that a round's attacks began, for the allocator may keep it: half of them
are there at once."""

MAX_GROWTH_AT_ONCE = {handshakes.BEGUN: 150 << 10, visitors.OPENED: 30 << 10}
"""Or so many for each of what one attack has there at once, if that is more: a handshake with its
connection (40 KiB), its own state (80 KiB) and its WebSocket (30 KiB), or a WebSocket that says nothing."""

MAX_GROWTH_AGAIN, MAX_GROWTH_AGAIN_EACH = 16 << 20, 15 << 10
"""Bytes, from the end of one round of attacks to the end of the next, and for each handshake likewise: what
the allocator kept of one round is there for the next, so this is a tenth of what a handshake takes."""

MAX_DESCRIPTORS_LEFT = 8
"""Open at the end beyond those before: a newcomer may be there."""

DROPPED_AS = {
    "noise of every kind": "unknown_protocol",
    "STUN from strangers": "stun_unknown_user",
    "forged STUN": "stun_unauthenticated",
    "ClientHellos without ICE": "dtls_unknown_address",
    "forged and replayed media": "rtp_unknown_address",
    "cut and stretched": "stun_malformed",
    "authentic, odd media": "srtp_replayed",
    "authentic, odd reports": "rtcp_malformed",
    "authentic checks": "rate_limited",
    "message floods": "socket_messages",
    "frames of every kind": "socket_flood",
}
"""A reason that must be among those that an attack's datagrams were dropped or its messages refused for, or
it was none."""

CALM = 8.0
"""Seconds at most before and after the attacks."""

_PATIENCE = 40.0
"""Seconds until nothing may be left: who lost a socket is waited for, and ICE takes its time."""

_BEFORE, _AFTER = "before", "after"
_LINE_LIMIT = 1 << 24
_FAULTS = re.compile(r"Traceback|\bERROR\b|\bCRITICAL\b|Warning: (?!without)|Error:")


@dataclass
class Result:
    """What one attack did. name: its key in `ATTACKS`, or a calm's; attack: the same, with its round. did:
    by the attackers; drops: by reason, with what was refused; cpu: seconds of the server's for each second;
    resident: its memory at the end, in bytes; descriptors: open then; health: seconds until its page
    answered then; tables: entries then, by the table's name; faults: what attackers saw that must not be;
    report: what people heard."""

    name: str
    attack: str
    did: dict[str, int] = field(default_factory=dict)
    drops: dict[str, int] = field(default_factory=dict)
    cpu: float = 0.0
    resident: int = 0
    descriptors: int = 0
    health: float = 0.0
    tables: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    report: Report = field(default_factory=lambda: Report(""))


class Campaign:
    """A server of one kind, people who talk, and attackers."""

    def __init__(
        self,
        folder: Path,
        plane: str,
        *options: str,
        seconds: float,
        rate: int,
        many: int,
        seed: int = 1,
    ) -> None:
        self.log = folder / f"hostile-{plane}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        self.server = RelayServer(
            self.log,
            f"--media-plane={plane}",
            "--max-rooms=100000",
            f"--history={self.log.with_suffix('.db')}",
            *options,
        )
        self.results: list[Result] = []
        self._seconds, self._rate, self._many = seconds, rate, many
        self._dice = random.Random(seed)
        self._people: asyncio.subprocess.Process

    async def run(self, attacks: list[str], tell: Callable[[str], None], rounds: int = 1) -> None:
        """Everything in turn: calm, the attacks, calm; and so many rounds of it."""
        await self.server.start()
        facts = await self._let_people_talk()
        try:
            await self._take(_BEFORE, facts, tell)
            for number in range(rounds):
                for name in (*attacks, _AFTER):
                    await self._take(name, facts, tell, number)
            await self._end()
        finally:
            if self._people.returncode is None:
                self._people.kill()
                await self._people.wait()
        await self.server.stop()

    @property
    def faults(self) -> list[str]:
        """What should not be, of everything that was to hold: the server's log, what people heard, what is
        left of the attackers in tables and in memory."""
        found = [line for line in self.log.read_text().splitlines() if _FAULTS.search(line)]
        for one in self.results:
            report = one.report
            found += [f"{one.attack}: {fault}" for fault in (*report.faults, *one.faults)]
            if report.strange:
                found.append(f"{one.attack}: {report.strange} packets that nobody sent like that")
            if not report.expected or report.received != report.expected:
                lost = report.expected - report.received
                found.append(f"{one.attack}: {lost} of {report.expected} packets lost")
            if "internal_error" in one.drops:
                found.append(f"{one.attack}: {one.drops['internal_error']} internal errors")
            found += _not_done(one)
        return found + self._left()

    def _left(self) -> list[str]:
        """What is left after a round."""
        found = []
        before, *ends = (one for one in self.results if one.name in (_BEFORE, _AFTER))
        begun = sum(one.did.get(handshakes.BEGUN, 0) for one in self.results) // len(ends)
        at_once = max(
            sum(size * one.did.get(what, 0) for what, size in MAX_GROWTH_AT_ONCE.items())
            for one in self.results
        )
        for number, after in enumerate(ends):
            if after.tables != before.tables:
                found.append(
                    f"{after.attack}: left in tables: {after.tables}, before: {before.tables}"
                )
            if after.descriptors > before.descriptors + MAX_DESCRIPTORS_LEFT:
                found.append(
                    f"{after.attack}: descriptors: {before.descriptors}, {after.descriptors}"
                )
            bound, reference = MAX_GROWTH + max(MAX_GROWTH_EACH * begun, at_once), before
            if number:
                bound = MAX_GROWTH_AGAIN + MAX_GROWTH_AGAIN_EACH * begun
                reference = ends[number - 1]
            if (grown := after.resident - reference.resident) > bound:
                found.append(f"{after.attack}: memory grew by {grown >> 20} MiB")
        return found

    async def _let_people_talk(self) -> Facts:
        self._people = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.campaigns.hostile.bystanders",
            self.server.url,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
        )
        facts = await self._read()
        return Facts(**facts)

    async def _take(
        self, name: str, facts: Facts, tell: Callable[[str], None], number: int = 0
    ) -> None:
        """One attack, or calm. number: of the round."""
        label = f"{name}, round {number + 1}" if number else name
        tell(label)
        if self.results:
            await self._say(label)
        self.results.append(await self._attack(name, label, facts))

    async def _attack(self, name: str, label: str, facts: Facts) -> Result:
        attack = ATTACKS.get(name)
        pid = self.server.pid
        where = Field(self.server.url, facts, self._seconds, self._rate, self._many, self._dice)
        before, used = await self.server.health(), cpu.of_process(pid)
        began = asyncio.get_running_loop().time()
        if attack is None:
            await asyncio.sleep(min(self._seconds, CALM))
        else:
            await attack(where)
        passed = asyncio.get_running_loop().time() - began
        share = (cpu.of_process(pid) - used).total / passed
        asked = asyncio.get_running_loop().time()
        after = await self.server.health()
        answered = asyncio.get_running_loop().time() - asked
        if name == _AFTER:
            after = await self._settle(self.results[0].tables)
        dropped = {
            reason: count - before[kind].get(reason, 0)
            for kind in ("drops", "refusals")
            for reason, count in after[kind].items()
        }
        return Result(
            name,
            label,
            dict(where.sent),
            {reason: count for reason, count in dropped.items() if count},
            share,
            cpu.resident_bytes(pid),
            len(os.listdir(f"/proc/{pid}/fd")),
            answered,
            _tables(after),
            where.faults,
        )

    async def _settle(self, wanted: dict[str, int]) -> dict[str, Any]:
        """Wait until nothing is left of the attackers; what /healthz tells then, or when patience ends."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            health = await self.server.health()
            if _tables(health) == wanted or asyncio.get_running_loop().time() > deadline:
                return health
            await asyncio.sleep(0.1)

    async def _say(self, line: str) -> None:
        assert self._people.stdin is not None
        self._people.stdin.write(f"{line}\n".encode())
        await self._people.stdin.drain()
        await self._read()

    async def _end(self) -> None:
        assert self._people.stdin is not None
        self._people.stdin.write(b"\n")
        for result, report in zip(self.results, await self._read(), strict=True):
            result.report = Report(**report)
        await self._people.wait()

    async def _read(self) -> Any:
        assert self._people.stdout is not None
        line = await self._people.stdout.readline()
        if not line:
            raise RuntimeError("the people are gone")
        return json.loads(line)


def _not_done(one: Result) -> list[str]:
    """What an attack should have done, and did not: what attacks nothing shows nothing."""
    if one.name not in ATTACKS:
        return []
    found = []
    if not sum(count for what, count in one.did.items() if what != "refused"):
        found.append(f"{one.attack}: nothing was done")
    reason = DROPPED_AS.get(one.name)
    if reason is not None and reason not in one.drops:
        found.append(f"{one.attack}: nothing was dropped as {reason}")
    return found


def _tables(health: dict[str, Any]) -> dict[str, int]:
    return {name: health[name] for name in ("rooms", "participants", "publishers", "consumers")}


def table(results: list[Result]) -> str:
    """A table in Markdown."""
    rows = [
        "| attack | lost | p99 | worst | newcomers | CPU | memory | what attackers did | drops |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in results:
        report = one.report
        came = sorted(report.newcomers)
        newcomer = f"{came[len(came) // 2] * 1e3:.0f} / {came[-1] * 1e3:.0f} ms, {len(came)}"
        did = ", ".join(f"{count:,} {name}" for name, count in one.did.items())
        drops = ", ".join(f"{count:,} `{name}`" for name, count in one.drops.items())
        rows.append(
            f"| {one.attack} | {report.expected - report.received} of {report.expected:,} "
            f"| {report.p99 * 1e3:.1f} ms | {report.maximum * 1e3:.1f} ms | {newcomer} "
            f"| {one.cpu:.0%} | {one.resident >> 20} MiB | {did} | {drops} |"
        )
    return "\n".join(rows)
