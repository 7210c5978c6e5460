"""examples/echo.py as it is, and a real browser that hears its own tone come back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from websockets.asyncio.client import connect

from tests.browser.chromium import Chromium
from tests.browser.interface import script
from tests.browser.waiting import PATIENCE, eventually

ROOT = Path(__file__).parents[2]

TONE = 730
"""Hz of what the page's microphone gives."""
TOLERANCE = 12
"""Hz: two bins of the page's spectrum."""

LOUDEST = """() => {
  const { srcObject } = document.querySelector("#echo");
  if (!srcObject) return 0;
  if (!window.ear) {
    const context = new AudioContext({ sampleRate: 48000 });
    window.ear = new AnalyserNode(context, { fftSize: 8192 });
    context.createMediaStreamSource(srcObject).connect(window.ear);
  }
  const levels = new Float32Array(window.ear.frequencyBinCount);
  window.ear.getFloatFrequencyData(levels);
  const loudest = levels.indexOf(Math.max(...levels));
  return levels[loudest] > -40 ? (loudest * 48000) / 8192 : 0;
}"""
"""The frequency that the page plays loudest, in Hz; 0 while it plays nothing that could be heard."""


ANSWER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:0
a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdefghijkl
a=fingerprint:sha-256 {}
a=setup:active
""".format(":".join(["00"] * 32))
"""Of a page that the relay will hear nothing more from."""


@pytest_asyncio.fixture(loop_scope="session")
async def echo() -> AsyncIterator[asyncio.subprocess.Process]:
    """The running example. It takes Ctrl-C, also where these tests run in the background of a shell that
    has their processes ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-Xfaulthandler",  # so that SIGABRT tells what it waits for
        "examples/echo.py",
        "0",
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    signal.signal(signal.SIGINT, before)
    yield process
    if process.returncode is None:
        process.kill()
        await process.communicate()


async def _interrupt(echo: asyncio.subprocess.Process) -> tuple[int | None, bytes]:
    """Press Ctrl-C; the exit status, and what it said until then."""
    echo.send_signal(signal.SIGINT)
    try:
        said, _ = await asyncio.wait_for(echo.communicate(), PATIENCE)
    except TimeoutError:
        echo.send_signal(signal.SIGABRT)
        said, _ = await echo.communicate()
    return echo.returncode, said


async def test_who_refuses_the_microphone_may_try_again(
    echo: asyncio.subprocess.Process, chromium: Chromium
) -> None:
    assert echo.stdout is not None
    greeting = await asyncio.wait_for(echo.stdout.readline(), PATIENCE)
    refused = """if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia =
        async () => { throw new DOMException("Permission denied", "NotAllowedError") }"""
    page = await chromium.page(greeting.split()[1].decode(), [refused])
    for _ in range(2):
        await page.click("#start:enabled")
        await eventually(
            lambda: page.evaluate("() => document.querySelector('#state').textContent"),
            lambda text: "Permission denied" in text,
            what="why there is no echo",
        )
    await page.close()


async def test_a_page_hears_its_own_voice(
    echo: asyncio.subprocess.Process, chromium: Chromium
) -> None:
    assert echo.stdout is not None
    greeting = await asyncio.wait_for(echo.stdout.readline(), PATIENCE)
    assert greeting.startswith(b"Open http://"), greeting
    page = await chromium.page(
        greeting.split()[1].decode(), [script("microphone.js", {"frequency": TONE})]
    )

    await page.click("#start")
    await eventually(
        lambda: page.evaluate(LOUDEST),
        lambda frequency: abs(frequency - TONE) <= TOLERANCE,
        what=f"the tone of {TONE} Hz comes back",
    )
    await page.close()

    # The page is gone: the example says what it forwarded, and ends like any program.
    said = await asyncio.wait_for(echo.stdout.readline(), PATIENCE)
    assert said.startswith(b"heard PublisherStats(packets_received="), said
    assert await _interrupt(echo) == (0, b"")


async def test_ctrl_c_does_not_wait_for_a_conversation_that_does_not_come_about(
    echo: asyncio.subprocess.Process,
) -> None:
    assert echo.stdout is not None
    url = (await asyncio.wait_for(echo.stdout.readline(), PATIENCE)).split()[1].decode()
    async with connect(url.replace("http", "ws", 1) + "/ws", close_timeout=1) as page:
        await page.recv()
        await page.send(json.dumps({"sdp": ANSWER}))
        # What came before a ping has been read when it is answered.
        await asyncio.wait_for(await page.ping(), PATIENCE)
        said = await _interrupt(echo)
    assert said == (0, b"no conversation came about: the page left\n")
