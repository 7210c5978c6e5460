"""Intervals out of counters: what is lost, what was never sent, and whose way lost it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import ConsumerStats, PublisherStats
from signaling.monitoring.meters import REPORT_AGE, DownlinkMeter, Quality, UplinkMeter

NOTHING_CAME = PublisherStats(0, 0, 0, 0, 0.0, None)
NOTHING_WENT = ConsumerStats(0, 0, 0, 0.0, None)
SPEAKS = Quality(10.0, 10.0, 0.0, 0.001, 0.02, 32000.0, 500, 0, 4.4)


def test_ten_seconds_of_speech() -> None:
    meter = UplinkMeter(PublisherStats(1000, 80_000, 7, 1, 0.001, 0.01), 100.0)
    quality = meter.read(PublisherStats(1490, 120_000, 17, 2, 0.002, 0.03), 110.0)

    assert quality.at == 110.0
    assert quality.interval == 10.0
    assert quality.packets == 490
    assert quality.loss == pytest.approx(0.02)
    assert quality.bitrate == pytest.approx(32_000)
    assert (quality.gaps, quality.jitter, quality.round_trip_time) == (1, 0.002, 0.03)
    assert quality.score == pytest.approx(4.0, abs=0.1)


def test_silence_under_dtx_is_no_loss_and_no_speech_to_score() -> None:
    meter = UplinkMeter(NOTHING_CAME, 0.0)
    quality = meter.read(PublisherStats(40, 400, 0, 0, 0.001, 0.01), 10.0)

    assert quality.loss == 0.0
    assert quality.score is None


def test_who_is_muted_has_no_score() -> None:
    meter = UplinkMeter(NOTHING_CAME, 0.0)
    quality = meter.read(PublisherStats(500, 400, 0, 0, 0.001, 0.01), 10.0, muted=True)

    assert quality.loss == 0.0
    assert quality.score is None


def test_nothing_came_and_nothing_is_known() -> None:
    quality = UplinkMeter(NOTHING_CAME, 0.0).read(NOTHING_CAME, 10.0)

    assert (quality.loss, quality.jitter, quality.score) == (None, None, None)
    assert (quality.packets, quality.bitrate, quality.gaps) == (0, 0.0, 0)


def test_a_packet_that_came_late_takes_a_loss_back() -> None:
    meter = UplinkMeter(PublisherStats(100, 0, 5, 0, 0.0, None), 0.0)

    assert meter.read(PublisherStats(600, 0, 3, 0, 0.0, None), 10.0).loss == 0.0


def test_a_listener_hears_both_ways() -> None:
    meter = DownlinkMeter(NOTHING_WENT, 0.0)
    sent = ConsumerStats(500, 40_000, 25, 0.002, 0.04, packets_reported=500)
    clean = meter.read(sent, 10.0, SPEAKS)

    assert clean.loss == pytest.approx(0.05)
    assert clean.gaps is None
    assert clean.score == pytest.approx(3.3, abs=0.15)

    meter = DownlinkMeter(NOTHING_WENT, 0.0)
    far = meter.read(sent, 10.0, SPEAKS._replace(loss=0.05, round_trip_time=0.3))
    assert far.loss == pytest.approx(0.05)
    assert far.score is not None
    assert clean.score is not None
    assert far.score < clean.score - 0.5


def test_what_the_speaker_lost_is_not_the_listeners() -> None:
    meter = DownlinkMeter(NOTHING_WENT, 0.0)
    stats = ConsumerStats(450, 0, 50, 0.0, 0.0, packets_reported=500, packets_lost_before=50)

    assert meter.read(stats, 10.0, SPEAKS._replace(loss=0.1)).loss == 0.0


def test_both_lose() -> None:
    meter = DownlinkMeter(NOTHING_WENT, 0.0)
    stats = ConsumerStats(450, 0, 95, 0.0, 0.0, packets_reported=500, packets_lost_before=50)

    assert meter.read(stats, 10.0, SPEAKS._replace(loss=0.1)).loss == pytest.approx(0.1)


def test_a_report_stands_until_the_next_and_not_for_ever() -> None:
    meter = DownlinkMeter(NOTHING_WENT, 0.0)
    first = ConsumerStats(100, 0, 10, 0.0, None, packets_reported=100)
    assert meter.read(first, 2.0, SPEAKS).loss == pytest.approx(0.1)

    later = replace(first, packets_sent=200)
    assert meter.read(later, 4.0, SPEAKS).loss == pytest.approx(0.1)
    silent = meter.read(replace(first, packets_sent=900), 3.0 + REPORT_AGE, SPEAKS)
    assert silent.loss is None
    assert silent.score is None


def test_nobody_speaks_to_a_listener() -> None:
    meter = DownlinkMeter(NOTHING_WENT, 0.0)
    quality = meter.read(NOTHING_WENT, 10.0, SPEAKS._replace(score=None))

    assert (quality.loss, quality.jitter, quality.score) == (None, None, None)


COUNTS = st.integers(0, 2**40)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.floats(0, 1e6), st.floats(-1, 1e6))
def test_whatever_a_browser_reports_the_figures_are_figures(
    sent: int,
    lost: int,
    reported: int,
    before: int,
    sent_later: int,
    lost_later: int,
    jitter: float,
    at: float,
) -> None:
    meter = DownlinkMeter(ConsumerStats(sent, sent, lost, jitter, None, before, before), 0.0)
    later = ConsumerStats(sent_later, sent_later, lost_later, jitter, 1e5, reported, before)
    quality = meter.read(later, at, SPEAKS)

    assert quality.loss is None or 0 <= quality.loss <= 1
    assert quality.score is None or 1 <= quality.score <= 4.5
    assert quality.packets >= 0
