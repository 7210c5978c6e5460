"""How busy the relay is, from counters."""

from __future__ import annotations

import resource
import threading
import time
from pathlib import Path

import pytest

from relay import DropReason, RelayStats
from signaling.monitoring.load import LoadMeter, thread_times
from tests.signaling.monitoring.fixtures import relay_stats


def test_packets_and_drops_of_an_interval() -> None:
    now = [100.0]
    drops = {DropReason.RTP_MUTED: 5, DropReason.RTP_STALE: 1}
    readings = [
        relay_stats(rtp_packets_received=10, packets_forwarded=20, drops=drops, datagrams_missed=3),
        relay_stats(
            rtp_packets_received=60,
            packets_forwarded=220,
            datagrams_missed=10,
            drops=drops | {DropReason.RTP_MUTED: 9, DropReason.SEND_FAILED: 2},
        ),
    ]
    meter = LoadMeter(lambda: readings.pop(0), lambda: now[0], lambda: now[0], dict)
    meter.add_delay(0.25)
    meter.add_delay(0.01)
    now[0] = 104.0
    load = meter.read()

    assert (load.at, load.interval) == (104.0, 4.0)
    assert (load.received, load.forwarded) == (50, 200)
    assert load.drops == {"rtp_muted": 4, "send_failed": 2}
    assert load.missed == 7
    assert load.loop_delay == 0.25
    assert load.busiest_thread == 0.0
    assert load.stats.packets_forwarded == 220


def test_the_busiest_thread_counts_and_a_new_one_from_its_start() -> None:
    now = [0.0]
    spent = [{1: 10.0, 2: 3.0}, {1: 10.5, 2: 3.1, 7: 1.5}]
    meter = LoadMeter(relay_stats, lambda: now[0], lambda: now[0], lambda: spent.pop(0))
    now[0] = 2.0

    assert meter.read().busiest_thread == pytest.approx(0.75)


@pytest.mark.parametrize("step", [5 * 3600.0, -5 * 3600.0])
def test_a_clock_that_is_set_makes_no_interval_longer_or_shorter(step: float) -> None:
    wall, steady = [1000.0], [50.0]
    spent = [{1: 0.0}, {1: 1.0}]
    meter = LoadMeter(relay_stats, lambda: wall[0], lambda: steady[0], lambda: spent.pop(0))
    wall[0] += 10.0 + step
    steady[0] += 10.0
    load = meter.read()

    assert (load.at, load.interval) == (1010.0 + step, 10.0)
    assert load.busiest_thread == pytest.approx(0.1)


def test_threads_that_cannot_be_read_for_a_while_count_over_that_while() -> None:
    now = [0.0]
    spent: list[dict[int, float]] = [{1: 10.0}, {}, {}, {1: 13.0}]
    meter = LoadMeter(relay_stats, lambda: now[0], lambda: now[0], lambda: spent.pop(0))
    shares = []
    for now[0] in (10.0, 20.0, 30.0):
        shares.append(meter.read().busiest_thread)

    assert shares == [0.0, 0.0, pytest.approx(0.1)]


def test_threads_of_a_process_without_file_descriptors() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        assert thread_times() == {}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_delay_counts_once() -> None:
    meter = LoadMeter(relay_stats)
    meter.add_delay(1.0)

    assert meter.read().loop_delay == 1.0
    assert meter.read().loop_delay == 0.0


def test_threads_of_this_process() -> None:
    begin = thread_times()[threading.get_native_id()]
    until = time.thread_time() + 0.05
    while time.thread_time() < until:
        pass

    assert thread_times()[threading.get_native_id()] > begin
    # Those that ended are in the time of the process only.
    assert sum(thread_times().values()) <= time.process_time() + 0.5


def test_names_with_brackets_and_threads_that_end(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "stat").write_text("12 (odd ) name) S " + "0 " * 10 + "250 50 0 0\n")
    (tmp_path / "13").mkdir()  # it ended while we looked

    (seconds,) = thread_times(tmp_path).values()
    assert seconds == pytest.approx(3.0)


def test_stats_are_kept() -> None:
    stats: RelayStats = relay_stats(publishers=3)
    assert LoadMeter(lambda: stats).read().stats is stats
