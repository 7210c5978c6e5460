"""The words that operators read: stable, unique, each its own."""

from __future__ import annotations

import re

from relay.stats import DropReason, ForwardLatency, RelayStats


def test_drop_reasons_are_words_that_a_metric_label_may_hold() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", reason) for reason in DropReason)


def test_drop_reasons_are_named_as_they_are_written() -> None:
    assert {reason.name.lower() for reason in DropReason} == set(DropReason)


def test_two_stats_share_no_drops() -> None:
    latency = ForwardLatency(0, 0.0, 0.0, 0.0, 0.0)
    one, other = (RelayStats(0, 0, 0, 0, 0, 0, latency) for _ in range(2))
    one.drops[DropReason.OVERSIZED] = 1
    assert other.drops == {}
