"""`/metrics` for Prometheus. The only module that knows prometheus-client.

Read at each scrape from counters that are kept anyway; names and units by Prometheus' conventions, no
label for a room, a person or a connection. Two sums hold, once everything that came was looked at:

    datagrams_received = datagrams_used (of every protocol) + datagrams_dropped (for every reason)
    copies made of the RTP that was used = packets_forwarded + copies_dropped (for every reason)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from relay import COPY_REASONS, DropReason, RelayStats, RetransmissionRefusal
from signaling import events
from signaling.events import Event
from signaling.monitoring.load import Load
from signaling.monitoring.sampler import ParticipantSample

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

PREFIX = "rtp_relay_"

SCORES = (1.5, 2.0, 2.5, 3.1, 3.6, 4.0, 4.2, 4.3, 4.4)
"""Bounds of the histogram of scores; 3.1 and 3.6 are those of G.107 Annex B."""


@dataclass(frozen=True, slots=True)
class Now:
    """What there is at the moment of a scrape. waiting: participants whose socket is lost, and who may come
    back. history, webhooks: counters by name, empty where there is none."""

    version: str
    media_plane: str
    rooms: int
    participants: int
    waiting: int
    relay: RelayStats
    load: Load
    history: dict[str, float]
    webhooks: dict[str, float]


class Metrics:
    """Counts what nobody else counts, and writes the page. now: asked at each scrape."""

    def __init__(self, now: Callable[[], Now]) -> None:
        self._happened: Counter[tuple[str, str]] = Counter()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Relay(now, self._happened))
        ProcessCollector(registry=self._registry)
        self._scores = Histogram(
            f"{PREFIX}connection_score",
            "Scores of connections over ten seconds, by the direction of the voice.",
            ("direction",),
            buckets=SCORES,
            registry=self._registry,
        )
        self._up, self._down = self._scores.labels("up"), self._scores.labels("down")

    def text(self) -> bytes:
        """The page, in Prometheus' text format."""
        return generate_latest(self._registry)

    def observe(self, event: Event) -> None:
        """Count a fact."""
        counted = _COUNTED.get(type(event))
        if counted is not None:
            name, label = counted
            self._happened[name, str(getattr(event, label)) if label else ""] += 1

    def take(self, samples: list[ParticipantSample]) -> None:
        """Count how connections sounded in ten seconds."""
        for sample in samples:
            for up in sample.uplinks.values():
                if up.score is not None:
                    self._up.observe(up.score)
            for down in sample.downlinks.values():
                if down.score is not None:
                    self._down.observe(down.score)


_COUNTED: dict[type[Event], tuple[str, str]] = {
    events.RoomStarted: ("rooms_started", ""),
    events.ParticipantJoined: ("participants_joined", ""),
    events.ParticipantLeft: ("participants_left", "reason"),
    events.ParticipantResumed: ("participants_resumed", ""),
    events.PublisherStarted: ("publishers_started", ""),
    events.PublisherStopped: ("publishers_stopped", "reason"),
    events.ConsumerStarted: ("consumers_started", ""),
    events.ConsumerStopped: ("consumers_stopped", "reason"),
    events.ConnectionFailed: ("connections_failed", "direction"),
    events.NetworkChanged: ("network_changes", "how"),
    events.QualityFell: ("quality_falls", ""),
}
"""Facts that are counted: the metric's name, and the field that makes its label."""

_WORDS = {
    "rooms_started": "Rooms that began.",
    "participants_joined": "Participants who came.",
    "participants_left": "Participants who went.",
    "participants_resumed": "Participants who came back after a lost WebSocket.",
    "publishers_started": "Voices that could be heard.",
    "publishers_stopped": "Their ends.",
    "consumers_started": "Voices that a listener could hear.",
    "consumers_stopped": "Their ends.",
    "connections_failed": "Connections that never got their media.",
    "network_changes": "Connections that went another way.",
    "quality_falls": "Connections that sounded bad for a while.",
    "history_written": "Facts written to the history.",
    "history_dropped": "Facts that were not written.",
    "history_working": "Whether the history can be written.",
    "webhooks_sent": "Webhooks that were taken.",
    "webhooks_failed": "Attempts that were not taken; they are tried again.",
    "webhooks_dropped": "Webhooks that were given up.",
    "webhooks_waiting": "Webhooks that wait to be sent.",
}
_GAUGES = ("history_working", "webhooks_waiting")


class _Relay(Collector):
    """Everything but the histogram, made anew at each scrape."""

    def __init__(self, now: Callable[[], Now], happened: Counter[tuple[str, str]]) -> None:
        self._now = now
        self._happened = happened

    def collect(self) -> Iterator[Metric]:
        now = self._now()
        yield InfoMetricFamily(
            f"{PREFIX}build",
            "What runs.",
            value={"version": now.version, "media_plane": now.media_plane},
        )
        yield from _present(now)
        yield from _datagrams(now.relay)
        yield from _copies(now.relay)
        yield from self._events()
        for name, value in (now.history | now.webhooks).items():
            yield _gauge(name, value) if name in _GAUGES else _counter(name, value)

    def _events(self) -> Iterator[Metric]:
        for name, label in _COUNTED.values():
            family = CounterMetricFamily(
                PREFIX + name, _WORDS[name], labels=[label] if label else None
            )
            for (counted, value), count in sorted(self._happened.items()):
                if counted == name:
                    family.add_metric([value] if label else [], count)
            if not label and not family.samples:
                family.add_metric([], 0)
            yield family


def _present(now: Now) -> Iterator[Metric]:
    for name, words, value in (
        ("rooms", "Rooms with somebody in them.", now.rooms),
        ("participants", "Participants in all rooms.", now.participants),
        ("participants_waiting", "Those whose socket is lost, who may come back.", now.waiting),
        ("publishers", "Connections that voices come by.", now.relay.publishers),
        ("consumers", "Connections that voices go by.", now.relay.consumers),
        ("busiest_thread_ratio", "Share of a core of the busiest thread.", now.load.busiest_thread),
        ("loop_delay_seconds", "How late the event loop came, at worst.", now.load.loop_delay),
    ):
        yield GaugeMetricFamily(PREFIX + name, words, value)


def _datagrams(stats: RelayStats) -> Iterator[Metric]:
    yield CounterMetricFamily(
        f"{PREFIX}datagrams_received",
        "Datagrams that came.",
        stats.datagrams_received,
    )
    yield CounterMetricFamily(
        f"{PREFIX}rtp_packets_received",
        "RTP packets among them.",
        stats.rtp_packets_received,
    )
    used = {"rtp": stats.rtp_packets_accepted, "stun": 0, "dtls": 0, "rtcp": 0} | stats.control_used
    yield _labelled("datagrams_used", "Datagrams that were used, by protocol.", "protocol", used)
    dropped = {reason: stats.drops.get(reason, 0) for reason in DropReason}
    yield _labelled(
        "datagrams_dropped",
        "Datagrams that went no further, by reason.",
        "reason",
        {reason: n for reason, n in dropped.items() if reason not in COPY_REASONS},
    )
    yield CounterMetricFamily(
        f"{PREFIX}datagrams_missed",
        "Datagrams that found the kernel's receive buffer full; none of those that came.",
        stats.datagrams_missed,
    )
    yield _labelled(
        "send_errors",
        "Datagrams that the system did not take, by the name of its error.",
        "error",
        stats.send_errors,
    )
    yield _labelled(
        "receive_errors",
        "Calls to receive that failed, by the name of the system's error.",
        "error",
        stats.receive_errors,
    )
    yield _labelled(
        "control_unsent",
        "STUN, DTLS and RTCP of the relay's own that could not be sent.",
        "reason",
        {
            reason: stats.control_unsent.get(reason, 0)
            for reason in (DropReason.SEND_BUFFER_FULL, DropReason.SEND_FAILED)
        },
    )


def _copies(stats: RelayStats) -> Iterator[Metric]:
    yield CounterMetricFamily(
        f"{PREFIX}packets_forwarded", "Copies that went to listeners.", stats.packets_forwarded
    )
    yield _labelled(
        "copies_dropped",
        "Copies that did not, by reason.",
        "reason",
        {
            reason: stats.drops.get(reason, 0) - stats.control_unsent.get(reason, 0)
            for reason in sorted(COPY_REASONS)
        },
    )
    yield CounterMetricFamily(
        f"{PREFIX}packets_retransmitted",
        "Copies among those that went that were sent again.",
        stats.packets_retransmitted,
    )
    yield CounterMetricFamily(
        f"{PREFIX}packets_recovered",
        "Packets restored from the redundancy of later ones.",
        stats.packets_recovered,
    )
    yield _labelled(
        "retransmissions_refused",
        "Packets that listeners asked for in vain, by reason.",
        "reason",
        {r: stats.retransmissions_refused.get(r, 0) for r in RetransmissionRefusal},
    )
    latency = stats.forward_latency
    yield SummaryMetricFamily(
        f"{PREFIX}forward_latency_seconds",
        "From the kernel's receive time stamp to the end of the send call, by batch.",
        latency.count,
        latency.mean * latency.count,
    )
    yield GaugeMetricFamily(
        f"{PREFIX}forward_latency_maximum_seconds", "The longest of them.", latency.maximum
    )


def _labelled(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, words, labels=[label])
    for value, count in values.items():
        family.add_metric([str(value)], count)
    return family


def _counter(name: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, _WORDS[name], value)


def _gauge(name: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, _WORDS[name], value)
