"""The page parses with Prometheus' own parser, and says what was counted."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from relay import COPY_REASONS, DropReason, SetupTimes
from signaling import events
from signaling.monitoring.metrics import Metrics
from tests.signaling.monitoring.fixtures import now, relay_stats
from tests.signaling.monitoring.history.course import quality, sample

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(page: bytes) -> Samples:
    """Every sample, by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def total(samples: Samples, name: str) -> float:
    """A metric over all of its labels."""
    return sum(value for (found, _), value in samples.items() if found == name)


def value(samples: Samples, name: str, **labels: str) -> float:
    """One sample."""
    return samples[f"rtp_relay_{name}", frozenset(labels.items())]


def test_counters_of_the_relay() -> None:
    stats = relay_stats(
        publishers=2,
        consumers=3,
        datagrams_received=100,
        rtp_packets_received=60,
        rtp_packets_accepted=50,
        packets_forwarded=140,
        control_used={"stun": 20, "dtls": 10},
        control_unsent={DropReason.SEND_FAILED: 2},
        drops={DropReason.RTP_MUTED: 10, DropReason.STUN_MALFORMED: 10, DropReason.SEND_FAILED: 12},
        datagrams_missed=7,
        send_errors={"EPERM": 12},
        receive_errors={"ENOMEM": 2},
    )
    samples = parse(Metrics(lambda: now(relay=stats, rooms=1, participants=4, waiting=1)).text())

    assert value(samples, "publishers") == 2
    assert value(samples, "participants") == 4
    assert value(samples, "participants_waiting") == 1
    assert value(samples, "build_info", version="1.2.3", media_plane="python") == 1
    assert value(samples, "datagrams_used_total", protocol="rtp") == 50
    assert value(samples, "datagrams_used_total", protocol="rtcp") == 0
    assert value(samples, "datagrams_dropped_total", reason="rtp_muted") == 10
    assert value(samples, "copies_dropped_total", reason="send_failed") == 10
    assert value(samples, "control_unsent_total", reason="send_failed") == 2
    assert value(samples, "datagrams_missed_total") == 7
    assert value(samples, "send_errors_total", error="EPERM") == 12
    assert value(samples, "receive_errors_total", error="ENOMEM") == 2
    received = total(samples, "rtp_relay_datagrams_used_total") + total(
        samples, "rtp_relay_datagrams_dropped_total"
    )
    assert received == value(samples, "datagrams_received_total") == 100
    assert total(samples, "rtp_relay_copies_dropped_total") + 140 == 50 * 3


def test_every_reason_is_there_from_the_start() -> None:
    samples = parse(Metrics(now).text())
    reasons = {
        dict(labels)["reason"] for (name, labels) in samples if name.endswith("dropped_total")
    }

    assert reasons == set(DropReason)
    copies = {dict(labels)["reason"] for (name, labels) in samples if "copies_dropped" in name}
    assert copies == COPY_REASONS


def test_facts_and_scores_are_counted() -> None:
    metrics = Metrics(now)
    for event in (
        events.RoomStarted("a", at=1.0),
        events.ParticipantJoined("a", "ada", "Ada", at=1.0),
        events.ParticipantLeft("a", "ada", "left", at=2.0),
        events.ParticipantLeft("a", "bob", "left", at=2.0),
        events.ParticipantLeft("a", "cyd", "disconnected", at=2.0),
        events.NetworkChanged("a", "ada", "x", "restart", at=2.0),
        events.MuteChanged("a", "ada", True, at=3.0),
    ):
        metrics.observe(event)
    metrics.take([sample("a", "ada", quality(1, 4.35), bob=quality(1, 2.2), cyd=quality(1, None))])
    samples = parse(metrics.text())

    assert value(samples, "rooms_started_total") == 1
    assert value(samples, "participants_joined_total") == 1
    assert value(samples, "participants_left_total", reason="left") == 2
    assert value(samples, "participants_left_total", reason="disconnected") == 1
    assert value(samples, "network_changes_total", how="restart") == 1
    assert value(samples, "participants_resumed_total") == 0
    assert value(samples, "connection_score_count", direction="up") == 1
    assert value(samples, "connection_score_sum", direction="down") == 2.2
    assert value(samples, "connection_score_bucket", direction="down", le="2.5") == 1
    assert value(samples, "connection_score_bucket", direction="down", le="2.0") == 0


def test_no_label_names_a_room_or_a_person() -> None:
    metrics = Metrics(now)
    metrics.observe(events.RoomStarted("secret-room", at=1.0))
    metrics.observe(events.ParticipantJoined("secret-room", "pX3v9dQ2", "Ada", at=1.0))
    page = metrics.text()

    assert b"secret-room" not in page
    assert b"pX3v9dQ2" not in page
    labels = {name for (_, labels) in parse(page) for name, _ in labels}
    allowed = {"reason", "protocol", "direction", "how", "le", "version", "media_plane"}
    assert labels <= allowed


def test_the_process_itself_and_what_else_runs() -> None:
    page = Metrics(
        lambda: now(
            history={"history_written": 5, "history_dropped": 1, "history_working": True},
            webhooks={
                "webhooks_sent": 3,
                "webhooks_failed": 2,
                "webhooks_dropped": 1,
                "webhooks_waiting": 4,
            },
        )
    ).text()
    samples = parse(page)

    assert total(samples, "process_cpu_seconds_total") > 0
    assert value(samples, "history_written_total") == 5
    assert value(samples, "history_working") == 1
    assert value(samples, "webhooks_waiting") == 4
    assert Path("/proc/self/stat").exists()


DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana-dashboard.json"


def _full_page() -> Samples:
    """Every metric that there can be."""
    metrics = Metrics(
        lambda: now(
            history={"history_written": 0, "history_dropped": 0, "history_working": True},
            webhooks=dict.fromkeys(
                ("webhooks_sent", "webhooks_failed", "webhooks_dropped", "webhooks_waiting"), 0
            ),
        )
    )
    metrics.observe(events.ParticipantLeft("a", "ada", "left", at=1.0))
    metrics.observe(events.NetworkChanged("a", "ada", "x", "restart", at=1.0))
    failed = events.ConnectionFailed("a", "ada", "x", "up", "failed", SetupTimes(), at=1.0)
    metrics.observe(failed)
    return parse(metrics.text())


def test_grafanas_dashboard_asks_for_what_there_is() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    there = {name for name, _ in _full_page()}
    labels: dict[str, set[str]] = {name: set() for name in there}
    for name, pairs in _full_page():
        labels[name] |= {label for label, _ in pairs}
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]

    assert len(queries) > 25
    for query in queries:
        asked = set(re.findall(r"\b(?:rtp_relay|process)_[a-z_]+", query))
        assert asked
        assert asked <= there, query
        assert query.count("(") == query.count(")")
        for by in re.findall(r"by \((\w+)\)", query):
            assert all(by in labels[name] for name in asked), query
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert variables == {"datasource", "instance"}


def test_grafanas_dashboard_has_the_shape_of_one() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))

    assert board["uid"] == "rtp-relay"
    assert board["schemaVersion"] >= 36
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["type"] in ("stat", "timeseries")
        assert panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))
