"""Timers on a grid: never early, many in one wake-up."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest

from relay.timers import TimerGrid

from .waiting import until

STEP = 0.02


async def test_never_early() -> None:
    loop, grid = asyncio.get_running_loop(), TimerGrid(STEP)
    fired: list[tuple[float, float]] = []
    for delay in (0.031, 0.0, 0.011, 0.07):
        due = loop.time() + delay

        def fire(due: float = due) -> None:
            fired.append((due, loop.time()))

        grid.call_later(delay, fire)
    await until(lambda: len(fired) == 4)
    assert all(at >= due - 1e-6 for due, at in fired)
    assert fired == sorted(fired)


async def test_what_falls_into_one_step_is_done_in_one_wake_up() -> None:
    loop, grid = asyncio.get_running_loop(), TimerGrid(STEP)
    wake_ups: list[int] = []
    wake_up = 0

    def count() -> None:
        nonlocal wake_up
        wake_up += 1

    def fire() -> None:
        loop.call_soon(count)  # the next turn of the event loop
        wake_ups.append(wake_up)

    for _ in range(50):
        grid.call_later(STEP, fire)
    await until(lambda: len(wake_ups) == 50)
    assert len(set(wake_ups)) <= 2  # the clock may pass a point while they are made


async def test_a_timer_may_set_another() -> None:
    grid = TimerGrid(STEP)
    fired: list[int] = []

    def fire() -> None:
        fired.append(len(fired))
        if len(fired) < 4:
            grid.call_later(0.0, fire)

    grid.call_later(0.0, fire)
    await until(lambda: len(fired) == 4)


async def test_a_cancelled_one_is_forgotten_at_once() -> None:
    class Owner:
        def fire(self) -> None:
            raise AssertionError("was cancelled")

    grid, owner, fired = TimerGrid(STEP), Owner(), asyncio.Event()
    timer = grid.call_later(0.0, owner.fire)
    grid.call_later(STEP, fired.set)
    timer.cancel()
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None
    await asyncio.wait_for(fired.wait(), 20)


async def test_one_that_raises_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    grid, fired = TimerGrid(STEP), asyncio.Event()

    def fail() -> None:
        raise RuntimeError("a bug")

    with caplog.at_level(logging.ERROR):
        grid.call_later(0.0, fail)
        grid.call_later(0.0, fired.set)
        await asyncio.wait_for(fired.wait(), 20)
    assert "a bug" in caplog.text


async def test_close_cancels_all() -> None:
    grid, other, fired = TimerGrid(STEP), TimerGrid(STEP), asyncio.Event()
    grid.call_later(0.0, lambda: pytest.fail("was cancelled"))
    grid.close()
    grid.close()
    other.call_later(2 * STEP, fired.set)
    await asyncio.wait_for(fired.wait(), 20)


async def test_what_comes_before(caplog: pytest.LogCaptureFixture) -> None:
    """It is called ahead of all timers of a point, once, and may fail."""
    called: list[str] = []

    def before() -> None:
        called.append("before")
        raise ValueError

    grid = TimerGrid(STEP, before)
    loop = asyncio.get_running_loop()
    delay = STEP * (2 - loop.time() / STEP % 1) - STEP / 2  # in the midst of a step
    for name in ("one", "two"):
        grid.call_later(delay, lambda name=name: called.append(name))  # type: ignore[misc]
    await until(lambda: len(called) >= 3)
    assert called == ["before", "one", "two"]
    assert "a timer met a fault" in caplog.text
