"""The E-model against published values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.monitoring.quality import (
    BAD,
    DEFAULT_RATING,
    DISSATISFIED,
    delay_impairment,
    jitter_buffer_delay,
    loss_impairment,
    mouth_to_ear_delay,
    opinion_score,
    rating,
    score,
)

SHARES = st.floats(0, 1)
DELAYS = st.floats(0, 2)


@pytest.mark.parametrize(
    ("rated", "expected"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)]
)
def test_scores_are_those_of_g_107_table_b_1(rated: float, expected: float) -> None:
    assert opinion_score(rated) == pytest.approx(expected, abs=0.0065)


@pytest.mark.parametrize(("rated", "expected"), [(-5, 1), (0, 1), (3, 1), (100, 4.5), (120, 4.5)])
def test_scores_end_at_both_ends(rated: float, expected: float) -> None:
    assert opinion_score(rated) == expected


def test_the_best_score_is_that_of_all_default_values() -> None:
    assert opinion_score(DEFAULT_RATING) == pytest.approx(4.41, abs=0.005)  # G.107 Table 3: R 93.2


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(0, 0), (100, 2.4), (150, 3.6), (200, 7.3), (300, 20.7), (400, 34.1)],
)
def test_delay_costs_what_cole_and_rosenbluth_say(milliseconds: float, expected: float) -> None:
    assert delay_impairment(milliseconds / 1000) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 0), (2, 7), (3, 10), (5, 15), (7, 20), (15, 35), (20, 42)]
)
def test_loss_of_g_711_costs_what_g_113_says(percent: float, expected: float) -> None:
    """Packet-loss concealment, random loss: Bpl 25.1; the steps of the older table in G.113 §I.3."""
    assert loss_impairment(percent / 100, ie=0, bpl=25.1) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("percent", "expected"), [(0, 11), (1, 15), (2, 19), (4, 26), (8, 36)])
def test_loss_of_g_729a_costs_what_g_113_says(percent: float, expected: float) -> None:
    """G.729A with VAD, G.113 §I.3: Ie 11, Bpl 19."""
    assert loss_impairment(percent / 100, ie=11, bpl=19) == pytest.approx(expected, abs=1)


def test_losses_in_bursts_cost_more() -> None:
    assert loss_impairment(0.05, burst_ratio=2) > loss_impairment(0.05) + 5
    assert loss_impairment(0.05, burst_ratio=0.5) == loss_impairment(0.05)


@pytest.mark.parametrize(
    ("loss", "network", "jitter", "low", "high"),
    [
        (0, 0.010, 0.001, 4.3, 4.45),
        (0.01, 0.020, 0.003, 4.1, 4.3),
        (0.05, 0.020, 0.003, BAD, DISSATISFIED),
        (0.10, 0.020, 0.003, 2.2, 2.7),
        (0.50, 0.020, 0.003, 1, 1.5),
        (0, 0.300, 0.010, 2.9, 3.7),
        (0, 1.000, 0.010, 1, 1.3),
    ],
)
def test_what_people_say_of_such_a_call(
    loss: float, network: float, jitter: float, low: float, high: float
) -> None:
    assert low <= score(loss, mouth_to_ear_delay(network, jitter)) <= high


def test_delay_adds_up() -> None:
    assert jitter_buffer_delay(0) == 0.020
    assert mouth_to_ear_delay(0.050, 0.005) == pytest.approx(0.0265 + 0.050 + 0.030)
    assert mouth_to_ear_delay(-1, -1) == mouth_to_ear_delay(0, 0)


@given(SHARES, SHARES, DELAYS, DELAYS)
def test_worse_never_sounds_better(loss: float, more: float, delay: float, longer: float) -> None:
    (loss, more), (delay, longer) = sorted((loss, more)), sorted((delay, longer))
    assert 1 <= score(more, longer) <= score(loss, delay) <= 4.5
    assert rating(more, longer) <= rating(loss, delay) <= DEFAULT_RATING
