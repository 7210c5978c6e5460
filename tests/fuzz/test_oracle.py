"""The oracle can say no: faults of every kind, planted."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable

import pytest

from . import oracle
from .clock import GRAIN, FlyingLoop
from .course import MAX_STEPS, Reader, join, mutate, split
from .oracle import judge
from .target import BrokenRule, Target, require


def target(run: Callable[[bytes], None]) -> Target:
    return Target(run, lambda: [b""])


def raises(data: bytes) -> None:
    raise ValueError(data)


def breaks_a_rule(data: bytes) -> None:
    require(not data, "inputs are empty")


def logs(data: bytes) -> None:
    try:
        raises(data)
    except ValueError:
        logging.getLogger("relay.router").exception("met a fault")


def warns(data: bytes) -> None:
    warnings.warn("deprecated", DeprecationWarning, stacklevel=1)


def takes_time(data: bytes) -> None:
    sum(range(10_000))


class Unraisable:
    def __del__(self) -> None:
        raise RuntimeError


def leaves_something_unraisable(data: bytes) -> None:
    Unraisable()


def test_a_good_input() -> None:
    judge(target(lambda data: None), b"x")


def test_warnings_logged_are_fine() -> None:
    judge(target(lambda data: logging.getLogger("relay").warning("said once")), b"x")


@pytest.mark.parametrize(
    ("run", "error"),
    [
        (raises, ValueError),
        (breaks_a_rule, BrokenRule),
        (logs, BrokenRule),
        (warns, DeprecationWarning),
        (leaves_something_unraisable, BrokenRule),
    ],
)
def test_faults(run: Callable[[bytes], None], error: type[Exception]) -> None:
    with pytest.raises(error):
        judge(target(run), b"x")


def test_slowness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "MAX_CPU_SECONDS", 0.0)
    with pytest.raises(BrokenRule, match="processor time"):
        judge(target(takes_time), b"x")


class TestClock:
    def test_time_flies(self) -> None:
        loop = FlyingLoop()
        loop.play(lambda: asyncio.sleep(3600))
        assert loop.time() == pytest.approx(3600)
        loop.close()

    def test_it_jumps_no_shorter_than_its_grain(self) -> None:
        loop = FlyingLoop()
        loop.play(lambda: asyncio.sleep(GRAIN / 5))
        assert loop.time() == pytest.approx(GRAIN, abs=0.01)
        loop.close()

    def test_it_can_fly_for_long(self) -> None:
        loop = FlyingLoop()
        loop._clock.now = 1e8
        for _ in range(100):
            loop.play(lambda: asyncio.sleep(1 / 3))
        loop.close()

    def test_what_waits_for_nothing(self) -> None:
        loop = FlyingLoop()
        with pytest.raises(BrokenRule, match="waits"):
            loop.play(asyncio.Event().wait)  # type: ignore[arg-type]
        loop.close()

    def test_what_turns_for_ever(self) -> None:
        async def spin() -> None:
            while True:  # noqa: ASYNC110 - that is the fault
                await asyncio.sleep(0)

        loop = FlyingLoop()
        with pytest.raises(BrokenRule, match="turned too often"):
            loop.play(spin)
        loop.close()

    def test_what_a_callback_raised(self) -> None:
        async def course() -> None:
            asyncio.get_running_loop().call_soon(raises, b"")
            await asyncio.sleep(1)

        loop = FlyingLoop()
        with pytest.raises(BrokenRule, match="the event loop met"):
            loop.play(course)
        loop.close()

    def test_what_is_left_running(self) -> None:
        tasks = []

        async def course() -> None:
            tasks.append(asyncio.ensure_future(asyncio.sleep(100)))

        loop = FlyingLoop()
        with pytest.raises(BrokenRule, match="left running"):
            loop.play(course)
        loop.close()


class TestCourses:
    STEPS = ((1, b""), (255, b"argument"), (0, bytes(300)))

    def test_there_and_back(self) -> None:
        assert split(join(self.STEPS)) == list(self.STEPS)

    def test_what_is_cut_off(self) -> None:
        assert split(join(self.STEPS)[:-299]) == [*self.STEPS[:2], (0, b"\0")]
        assert split(b"\1\0") == []

    def test_a_bound(self) -> None:
        assert len(split(bytes(3 * 1000))) == MAX_STEPS

    def test_changes_are_courses_within_bounds(self) -> None:
        data = join(self.STEPS)
        changed = {mutate(data, 320, seed, lambda part, most: part[::-1]) for seed in range(200)}
        assert all(len(one) <= 320 and join(split(one)) == one for one in changed)
        assert len(changed) > 20

    def test_nothing_grows_into_something(self) -> None:
        assert any(mutate(b"", 100, seed, lambda part, most: b"x") for seed in range(20))

    def test_reading_past_the_end(self) -> None:
        reader = Reader(b"\1\2\3")
        assert (reader.byte(), reader.number(2)) == (1, 0x0203)
        assert (reader.byte(), reader.number(4), reader.rest()) == (0, 0, b"")
