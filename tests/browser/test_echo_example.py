"""examples/echo.py as it is, and a real browser that hears its own tone come back."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

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


@pytest_asyncio.fixture(loop_scope="session")
async def echo() -> AsyncIterator[asyncio.subprocess.Process]:
    """The running example."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "examples/echo.py",
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    yield process
    if process.returncode is None:
        process.kill()
        await process.communicate()


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
    assert page.errors == []
    await page.close()

    # The page is gone: the example says what it forwarded, and ends like any program.
    said = await asyncio.wait_for(echo.stdout.readline(), PATIENCE)
    assert said.startswith(b"heard PublisherStats(packets_received="), said
    echo.send_signal(signal.SIGINT)
    rest, _ = await asyncio.wait_for(echo.communicate(), PATIENCE)
    assert (echo.returncode, rest) == (0, b"")
