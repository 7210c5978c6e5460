"""Powers of levels, and levels of powers."""

from __future__ import annotations

import pytest

from relay.levels import FULL_SCALE, POWER, SILENCE, mean_level


@pytest.mark.parametrize("level", range(128))
def test_a_level_is_that_of_its_power(level: int) -> None:
    assert mean_level(POWER[level], 1) == -level
    assert mean_level(50 * POWER[level], 50) == -level


@pytest.mark.parametrize(
    ("levels", "mean"),
    [
        ([0, 0], 0),
        ([10, 127], -13),  # half of the power
        ([10] + [127] * 9, -20),  # a beep of 20 ms in 200
        ([30, 40], -33),
        ([127] * 7, SILENCE),
    ],
)
def test_powers_are_what_the_mean_is_of(levels: list[int], mean: int) -> None:
    assert mean_level(sum(POWER[level] for level in levels), len(levels)) == mean


def test_no_power_is_silence_and_none_is_above_full_scale() -> None:
    assert mean_level(0, 5) == SILENCE
    assert mean_level(3 * FULL_SCALE, 1) == 0
