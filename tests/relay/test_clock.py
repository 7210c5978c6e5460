"""The age of datagrams while somebody sets the clock; the plane in C counts the same."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.clock import DRIFT, TOLERANCE, StampClock

NATIVE = Path(__file__).parents[2] / "relay" / "native"
BOOT = 1_700_000_000.0
"""The clock on the wall is ahead of the steady one by so much."""

Age = Callable[[float, float, float], float]


class _State(ctypes.Structure):
    _fields_ = (("known", ctypes.c_bool), ("offset", ctypes.c_double), ("at", ctypes.c_double))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL | None:
    """The part in C by itself; None without a compiler."""
    if shutil.which("cc") is None:
        return None
    output = tmp_path_factory.mktemp("clock") / "clock.so"
    source = NATIVE / "clock.c"
    subprocess.run(
        ["cc", "-std=gnu11", "-shared", "-fPIC", source, "-lm", "-o", output], check=True
    )
    library = ctypes.CDLL(str(output))
    library.stamp_age.restype = ctypes.c_double
    return library


def native(library: ctypes.CDLL) -> Age:
    state = _State()
    return lambda *times: float(
        library.stamp_age(ctypes.byref(state), *map(ctypes.c_double, times))
    )


@pytest.fixture(params=["python", "native"])
def age(request: pytest.FixtureRequest, library: ctypes.CDLL | None) -> Age:
    """A new clock's, of either plane."""
    if request.param == "python":
        return StampClock().age
    if library is None:
        pytest.skip("there is no compiler")
    return native(library)


def look(age: Age, now: float, step: float, taken: float, step_then: float) -> float:
    """What comes out at `now` of a stamp from `taken`, when the wall's clock was ahead by these steps."""
    return age(BOOT + now + step, now, BOOT + taken + step_then)


def test_a_clock_that_nobody_touches(age: Age) -> None:
    for now in (1.0, 1.02, 1.04, 500.0):
        assert look(age, now, 0, now - 0.003, 0) == pytest.approx(0.003, abs=1e-6)


@pytest.mark.parametrize("step", [3600.0, 0.5, 0.02, -0.02, -3600.0])
def test_a_step_makes_nothing_old(age: Age, step: float) -> None:
    look(age, 1.0, 0, 0.999, 0)
    assert look(age, 1.02, step, 1.019, 0) == 0.0  # stamped before the step
    assert look(age, 1.04, step, 1.037, step) == pytest.approx(0.003, abs=1e-6)


def test_a_clock_that_is_slewed(age: Age) -> None:
    ahead = 0.0
    for second in range(1, 2000, 20):
        ahead = second * 500e-6
        assert look(age, second, ahead, second - 0.01, ahead) == pytest.approx(0.01, abs=1e-6)


def test_a_wait_between_two_clocks_is_no_step(age: Age) -> None:
    look(age, 1.0, 0, 1.0, 0)
    assert look(age, 1.02, TOLERANCE / 2, 1.0, 0) > 0.02
    assert look(age, 1.04, -TOLERANCE / 2, 1.0, 0) > 0.03


def test_a_stamp_from_the_future(age: Age) -> None:
    assert look(age, 1.0, 0, 1.5, 0) == 0.0


@given(st.lists(st.tuples(*[st.floats(0, 10, allow_nan=False)] * 3), max_size=20))
def test_both_planes_count_the_same(
    library: ctypes.CDLL | None, looks: list[tuple[float, float, float]]
) -> None:
    if library is None:
        pytest.skip("there is no compiler")
    one, other = StampClock().age, native(library)
    for times in looks:
        assert one(*times) == other(*times)
    assert DRIFT < TOLERANCE
