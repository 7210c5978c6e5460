"""Bad networks: what connects, how long it takes, and how it sounds. `make chaos`

    python -m tests.campaigns.networks [--seconds N] [--only NAME]... [--help-against-loss]

Two Chromium browsers and two aiortc callers, each on a host of its own (`hosts.py`), talk through a real
relay. Pages, signaling and media all take the bad link. Prints a table in Markdown.

    connects     seconds from the click on Join to the first packet of the other's voice, of both browsers
                 the slower; of the aiortc callers, from the start to the first packet
    concealed    share of the samples that the browsers' decoders made up, without those of silence
    silence      the longest time without a packet, in seconds: of a browser that waits for it
    aiortc       packets that came, of those that were sent to it

With --help-against-loss the table has, for networks that lose packets, what of the sound is concealed
with and without each kind of help: Opus' error correction (FEC), packets sent again (NACK), redundant
audio (RED).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.browser.chromium import EXECUTABLE, Chromium
from tests.browser.interface import BrowserError, script
from tests.browser.participant import Participant
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually
from tests.campaigns.hosts import Host
from tests.campaigns.impairment import Impairment
from tests.campaigns.nat import PortTranslator

PATIENCE = 60.0
"""Seconds for the first packet; whoever has none by then does not connect."""

OPENINGS = 3
LOADING = 120.0
"""How often a person opens a page, and the seconds until they do so again. Meanwhile it loads itself again
when something of it did not come."""

SETTLE = 8.0
"""Seconds until jitter buffers and error correction know how bad the network is; not counted."""

BLACKOUT = 30.0

MTU = 1500
"""Bytes of an IP packet, usually."""

_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row. event: what happens in the middle of it; translated: whether ports are; mtu: in bytes."""

    name: str
    impairment: Impairment = field(default_factory=Impairment)
    event: Callable[[list[Host]], Awaitable[None]] | None = None
    translated: bool = False
    ipv6: bool = False
    mtu: int = MTU


async def black_out(hosts: list[Host]) -> None:
    """Nothing passes any link for a while."""
    for host in hosts:
        host.cut(off=True)
    await asyncio.sleep(BLACKOUT)
    for host in hosts:
        host.cut(off=False)


async def rebind(hosts: list[Host]) -> None:
    """Every address translator forgets what it knew."""
    for host in hosts:
        assert host.translator is not None
        host.translator.rebind()


SCENARIOS = (
    Scenario("a good network"),
    *(Scenario(f"{loss} % loss", Impairment(loss=loss / 100)) for loss in (1, 5, 10, 20)),
    Scenario("200 ms delay each way", Impairment(delay=0.2)),
    Scenario("50 ms jitter", Impairment(delay=0.02, jitter=0.05)),
    Scenario("10 % out of order", Impairment(delay=0.02, reorder=0.1)),
    Scenario("10 % twice", Impairment(duplicate=0.1)),
    Scenario(
        "all of it: 5 % loss, 100 ms, 30 ms jitter, 5 % out of order, 5 % twice",
        Impairment(loss=0.05, delay=0.1, jitter=0.03, reorder=0.05, duplicate=0.05),
    ),
    Scenario("MTU of 1280 bytes", mtu=1280),
    Scenario("address translation forgets its ports", translated=True, event=rebind),
    Scenario(f"nothing passes for {BLACKOUT:.0f} s", event=black_out),
    Scenario("IPv6 only", ipv6=True),
)


@dataclass(frozen=True, slots=True)
class Help:
    """What the browsers and the relay do against loss. FEC goes without saying in browsers."""

    name: str
    fec: bool = True
    nack: bool = True
    red: bool = False

    @property
    def relay(self) -> tuple[str, ...]:
        """Options of the relay."""
        return ("--red=yes",) if self.red else ()

    @property
    def preload(self) -> list[str]:
        """Scripts of the pages."""
        return [script("voice.js"), script("spare-help.js", {"fec": self.fec, "nack": self.nack})]


USUAL = Help("FEC and NACK")
KINDS = (
    Help("nothing", fec=False, nack=False),
    Help("FEC", nack=False),
    Help("NACK", fec=False),
    USUAL,
    Help("RED", fec=False, nack=False, red=True),
    Help("FEC, NACK and RED", red=True),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row's figures; None for what never came."""

    scenario: Scenario
    connected: float | None
    concealed: float | None
    silence: float | None
    aiortc_connected: float | None
    aiortc_heard: float | None


class Laboratory:
    """Hosts, browsers and a server, for one scenario after the other."""

    def __init__(
        self, hosts: list[Host], browsers: list[Chromium], folder: Path, log: Path
    ) -> None:
        self.hosts = hosts
        self._history = f"--history={folder / 'history.sqlite'}"
        self._browsers = browsers
        self._log = log

    async def run(
        self, scenario: Scenario, seconds: float, kind: Help = USUAL, settle: float = SETTLE
    ) -> Outcome:
        """One scenario with a server of its own. seconds: of listening, after `settle`. Raises BrowserError
        when a page does not come at all."""
        everywhere = "::" if scenario.ipv6 else "0.0.0.0"
        server = RelayServer(self._log, self._history, *kind.relay, host=everywhere, port=PORT)
        await server.start()
        for host in self.hosts:
            host.impair(scenario.impairment)
            host.limit(scenario.mtu)
            host.translator = PortTranslator() if scenario.translated else None
        try:
            return await self._run(scenario, server, seconds, kind, settle)
        finally:
            for host in self.hosts:
                host.impair(Impairment())
            await server.stop()

    async def _run(
        self,
        scenario: Scenario,
        server: RelayServer,
        seconds: float,
        kind: Help,
        settle: float,
    ) -> Outcome:
        origins = [_origin(host, v6=scenario.ipv6) for host in self.hosts]
        async with _aiortc(self.hosts[-1], origins[-1]) as callers:
            arrived = await asyncio.gather(
                *(
                    _arrive(browser, server, name, kind.preload, origin)
                    for browser, name, origin in zip(
                        self._browsers, ("Ann", "Ben"), origins, strict=False
                    )
                ),
                return_exceptions=True,
            )
            people = [one for one in arrived if isinstance(one, Participant)]
            try:
                for fault in arrived:
                    if isinstance(fault, BaseException):
                        raise fault
                connected = await asyncio.gather(*map(_join, people))
                await asyncio.sleep(settle)
                before = await asyncio.gather(*map(_audio, people))
                watching = [asyncio.create_task(_longest_silence(one, seconds)) for one in people]
                if scenario.event is not None:
                    await scenario.event(self.hosts)
                silences = await asyncio.gather(*watching)
                after = await asyncio.gather(*map(_audio, people))
            finally:
                for one in people:
                    with contextlib.suppress(Exception):
                        await one.page.close()
        return Outcome(
            scenario,
            _worst(connected),
            _mean([_concealed(a, b) for a, b in zip(before, after, strict=True)]),
            _worst(silences),
            callers.connected,
            callers.heard,
        )


PORT = 8080
"""The server's; fixed, since browsers are told at their start which origins they may trust."""


def _origin(host: Host, *, v6: bool) -> str:
    address = f"[{host.relay_address_v6}]" if v6 else host.relay_address
    return f"http://{address}:{PORT}"


@contextlib.asynccontextmanager
async def laboratory(log: Path) -> AsyncIterator[Laboratory]:
    """Three hosts with good links, a browser on two of them."""
    async with contextlib.AsyncExitStack() as stack:
        hosts = []
        for number, name in enumerate(("ann", "ben", "cem"), 1):
            hosts.append(Host(name, number, seed=10 * number))
            stack.callback(hosts[-1].close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browsers = []
        for host in hosts[:2]:
            browsers.append(await _browser(host, folder))
            stack.push_async_callback(browsers[-1].close)
        yield Laboratory(hosts, browsers, folder, log)


async def _browser(host: Host, folder: Path) -> Chromium:
    """Chromium on a host. It would give no microphone to a page that came over plain HTTP."""
    script = folder / host.name
    script.write_text(f'#!/bin/sh\nexec {" ".join(host.command(EXECUTABLE))} "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    trusted = ",".join(_origin(host, v6=v6) for v6 in (False, True))
    return await Chromium.launch(
        str(script), f"--unsafely-treat-insecure-origin-as-secure={trusted}"
    )


@dataclass(slots=True)
class _Callers:
    """What the aiortc callers told. connected: seconds; heard: share of the packets; None before."""

    connected: float | None = None
    heard: float | None = None


@contextlib.asynccontextmanager
async def _aiortc(host: Host, origin: str) -> AsyncIterator[_Callers]:
    process = await asyncio.create_subprocess_exec(
        *host.command(sys.executable, "-m", "tests.campaigns.aiortc_caller", origin),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    callers = _Callers()
    reading = asyncio.create_task(_read(process, callers))
    try:
        yield callers
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
        await reading


async def _read(process: asyncio.subprocess.Process, callers: _Callers) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        report = json.loads(line)
        if "connected" in report:
            callers.connected = report["connected"]
        elif report["received"]:
            callers.heard = report["received"] / (report["received"] + report["lost"])


async def _arrive(
    browser: Chromium, server: RelayServer, name: str, preload: list[str], origin: str
) -> Participant:
    """Opens the room's link until there is a page on which Join can be clicked. Raises BrowserError."""
    fault = BrowserError()
    for _ in range(OPENINGS):
        try:
            person = await Participant.arrive(browser, server, name, "lab", preload, origin)
        except BrowserError as error:
            fault = error
            continue
        try:
            await eventually(partial(_may_join, person), what="the page is ready", patience=LOADING)
        except AssertionError as error:
            fault = BrowserError(str(error))
            await person.page.close()
        else:
            return person
    raise fault


async def _may_join(person: Participant) -> bool:
    try:
        return bool(await person.page.evaluate("() => !document.querySelector('#join').disabled"))
    except BrowserError:
        return False  # it is just being loaded again


async def _join(person: Participant) -> float | None:
    """Join, and the seconds until the first packet of the other one."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    await person.page.click("#join")
    while loop.time() - started < PATIENCE:
        if (await _audio(person)).get("packetsReceived"):
            return loop.time() - started
        await asyncio.sleep(_POLL)
    return None


async def _audio(person: Participant) -> dict[str, Any]:
    """The statistics of the other's voice; empty before there are any."""
    for connection in await person.connections():
        if connection.inbound is not None:
            return connection.inbound
    return {}


async def _longest_silence(person: Participant, seconds: float) -> float | None:
    """The longest time without a packet within so many seconds, and until one comes again."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    longest, came, count = 0.0, loop.time(), -1
    while loop.time() < ends or loop.time() - came > 1.0:
        if loop.time() > ends + PATIENCE:
            return None
        received = (await _audio(person)).get("packetsReceived", count)
        if received != count:
            longest, came, count = max(longest, loop.time() - came), loop.time(), received
        await asyncio.sleep(_POLL)
    return longest


def _concealed(before: dict[str, Any], after: dict[str, Any]) -> float | None:
    def difference(name: str) -> int:
        return int(after.get(name, 0)) - int(before.get(name, 0))

    samples = difference("totalSamplesReceived")
    if samples <= 0:
        return None
    return (difference("concealedSamples") - difference("silentConcealedSamples")) / samples


def _worst(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _table(outcomes: list[Outcome]) -> str:
    lines = [
        "| network | connects | concealed | silence | aiortc connects | aiortc hears |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in outcomes:
        cells = (
            one.scenario.name,
            _seconds(one.connected),
            _percent(one.concealed),
            _seconds(one.silence),
            _seconds(one.aiortc_connected),
            _percent(one.aiortc_heard),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


async def _measure(
    lab: Laboratory, scenario: Scenario, seconds: float, kind: Help = USUAL
) -> Outcome:
    """As `Laboratory.run`, but a page that does not come costs this scenario's figures alone."""
    try:
        return await lab.run(scenario, seconds, kind)
    except BrowserError as error:
        print(f"{scenario.name}, {kind.name}: {error}", file=sys.stderr, flush=True)
        return Outcome(scenario, None, None, None, None, None)


async def _all_networks(lab: Laboratory, chosen: list[Scenario], seconds: float) -> str:
    outcomes = []
    for one in chosen:
        print(f"{one.name} ...", file=sys.stderr, flush=True)
        outcomes.append(await _measure(lab, one, seconds))
        print(_table(outcomes[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    return _table(outcomes)


async def _all_help(lab: Laboratory, chosen: list[Scenario], seconds: float) -> str:
    lines = [
        f"| network | {' | '.join(kind.name for kind in KINDS)} |",
        "| --- |" + " --- |" * len(KINDS),
    ]
    for one in chosen:
        if not one.impairment.loss:
            continue
        cells = []
        for kind in KINDS:
            cells.append(_percent((await _measure(lab, one, seconds, kind)).concealed))
            print(f"{one.name}, {kind.name}: {cells[-1]}", file=sys.stderr, flush=True)
        lines.append(f"| {one.name} | {' | '.join(cells)} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


async def _main(arguments: argparse.Namespace) -> None:
    chosen = [one for one in SCENARIOS if not arguments.only or one.name in arguments.only]
    measure = _all_help if arguments.help_against_loss else _all_networks
    async with laboratory(Path(arguments.log)) as lab:
        print(await measure(lab, chosen, arguments.seconds))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.networks")
    parser.add_argument("--seconds", type=float, default=20.0, help="of listening in each network")
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", action="append", choices=names, metavar="NETWORK")
    parser.add_argument(
        "--help-against-loss", action="store_true", help="what FEC, NACK and RED gain"
    )
    parser.add_argument("--log", default=os.devnull, help="file for what the server prints")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_main(_arguments()))
