"""Why was this call bad? From what was measured, ten seconds at a time, to the likely cause. Pure.

Each ten seconds in which a voice sounded bad is put down to one cause:

    network_change      a connection was lost, restarted or moved just then
    relay_overloaded    the relay dropped packets itself, or a thread of it was at its limit
    uplink_loss         of what took quality away, loss on the speaker's way to the relay took most
    downlink_loss       likewise, loss on the listener's way
    delay               likewise, the length of the way
    unknown             nothing that was measured says why

The cause that explains most of the bad time is the likely one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from signaling.monitoring.quality import DISSATISFIED, delay_impairment, loss_impairment

NEAR = 10.0
"""Seconds before and after a change of network in which bad sound is put down to it."""

AUDIBLE = 5.0
"""Of R, that something must take away to be a cause by itself: 0.1 to 0.2 of the score."""

OVERLOADED_THREAD = 0.95
"""Share of a core, from which a thread is at its limit."""

OVERLOAD_SHARE = 0.005
"""Of the packets, that the relay may drop without being the cause."""


class Cause(StrEnum):
    """Why it was bad; see above."""

    UPLINK_LOSS = "uplink_loss"
    DOWNLINK_LOSS = "downlink_loss"
    RELAY_OVERLOADED = "relay_overloaded"
    NETWORK_CHANGE = "network_change"
    DELAY = "delay"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Point:
    """One voice over one interval. at: its end, Unix seconds; interval: seconds. speaker: who was
    heard; heard: by the person in question (else the person is the speaker). score: None where nothing
    was said. loss_up, loss_down: shares, of the speaker's way and of the listener's. delay: one way,
    mouth to ear, in seconds."""

    at: float
    interval: float
    speaker: str
    heard: bool
    score: float | None
    loss_up: float
    loss_down: float
    delay: float


@dataclass(frozen=True, slots=True)
class Strain:
    """The relay over one interval. at: its end. busiest_thread: share of a core; dropped: packets that
    it dropped since it could not keep up; forwarded: those that it sent."""

    at: float
    interval: float
    busiest_thread: float
    dropped: int
    forwarded: int

    @property
    def is_too_much(self) -> bool:
        """Whether the relay could not keep up."""
        lost = self.dropped / max(1, self.dropped + self.forwarded)
        return lost > OVERLOAD_SHARE or self.busiest_thread > OVERLOADED_THREAD


@dataclass(frozen=True, slots=True)
class Call:
    """All that is known of one person's call. name: the person's. changes: when a network changed;
    silences: from when to when a connection was missing after it was lost; in Unix seconds."""

    name: str
    points: Sequence[Point]
    strains: Sequence[Strain] = ()
    changes: Sequence[float] = ()
    silences: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one cause. share: of the whole time; begin, end: when it was first and last seen,
    in Unix seconds; figures: numbers by name."""

    cause: Cause
    share: float
    begin: float
    end: float
    summary: str
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The likely cause. bad_share: of the time, in which a voice sounded bad or was missing. evidence: what
    explains most of that time comes first."""

    cause: Cause
    summary: str
    bad_share: float
    score: float | None
    evidence: list[Evidence] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    points: list[Point] = field(default_factory=list)
    silent: float = 0.0
    begin: float = float("inf")
    end: float = float("-inf")

    def add(self, begin: float, end: float) -> None:
        self.begin, self.end = min(self.begin, begin), max(self.end, end)


def diagnose(call: Call) -> Diagnosis:
    """The likely cause of what was bad in a call."""
    scored = [point for point in call.points if point.score is not None]
    total = sum(_intervals(scored).values()) + _silent(call)
    if not total:
        sentence = f"There are no figures of {call.name}'s call: nobody spoke, or it was too short."
        return Diagnosis(Cause.UNKNOWN, sentence, 0.0, None)
    found: dict[Cause, _Found] = {}
    for point in _worst_of_each_interval(scored):
        _add(found, _cause(point, call), point)
    for begin, end in call.silences:
        silence = found.setdefault(Cause.NETWORK_CHANGE, _Found())
        silence.silent += end - begin
        silence.add(begin, end)
    evidence = [_evidence(cause, each, call, total) for cause, each in found.items()]
    evidence.sort(key=lambda each: -each.share)
    score = sum(point.score or 0.0 for point in scored) / len(scored) if scored else None
    if not evidence:
        sentence = f"Nothing was bad in {call.name}'s call."
        return Diagnosis(Cause.NONE, sentence, 0.0, score)
    bad = min(1.0, sum(each.share for each in evidence))
    return Diagnosis(evidence[0].cause, evidence[0].summary, bad, score, evidence)


def _intervals(points: Sequence[Point]) -> dict[float, float]:
    """The length of each interval, by its end: several voices share one."""
    return {round(point.at): point.interval for point in points}


def _silent(call: Call) -> float:
    return sum(end - begin for begin, end in call.silences)


def _worst_of_each_interval(points: Sequence[Point]) -> list[Point]:
    """Of each interval that was bad, the voice that sounded worst."""
    worst: dict[float, Point] = {}
    for point in points:
        if point.score is None or point.score >= DISSATISFIED:
            continue
        other = worst.get(round(point.at))
        if other is None or other.score is None or point.score < other.score:
            worst[round(point.at)] = point
    return list(worst.values())


def _cause(point: Point, call: Call) -> Cause:
    begin = point.at - point.interval
    if any(begin - NEAR <= at <= point.at + NEAR for at in call.changes):
        return Cause.NETWORK_CHANGE
    lost = point.loss_up > 0 or point.loss_down > 0
    if lost and any(strain.is_too_much for strain in _at_that_time(point, call)):
        return Cause.RELAY_OVERLOADED
    taken = {
        Cause.UPLINK_LOSS: loss_impairment(point.loss_up),
        Cause.DOWNLINK_LOSS: loss_impairment(point.loss_down),
        Cause.DELAY: delay_impairment(point.delay),
    }
    cause = max(taken, key=lambda each: taken[each])
    return cause if taken[cause] >= AUDIBLE else Cause.UNKNOWN


def _at_that_time(point: Point, call: Call) -> list[Strain]:
    begin = point.at - point.interval
    return [s for s in call.strains if s.at > begin and s.at - s.interval < point.at]


def _add(found: dict[Cause, _Found], cause: Cause, point: Point) -> None:
    each = found.setdefault(cause, _Found())
    each.points.append(point)
    each.add(point.at - point.interval, point.at)


def _evidence(cause: Cause, found: _Found, call: Call, total: float) -> Evidence:
    seconds = sum(point.interval for point in found.points) + found.silent
    summary, figures = _SENTENCES[cause](call, found)
    return Evidence(
        cause=cause,
        share=min(1.0, seconds / total),
        begin=found.begin,
        end=found.end,
        summary=f"{summary} It was so for {_duration(seconds)}.",
        figures=figures | {"seconds": round(seconds, 1)},
    )


# A sentence for people, and the figures in it, for each cause.

_Told = tuple[str, dict[str, float]]


def _uplink(call: Call, found: _Found) -> _Told:
    losses = [point.loss_up for point in found.points]
    own = [point for point in found.points if not point.heard]
    speakers = sorted({point.speaker for point in found.points if point.heard})
    if len(own) * 2 >= len(found.points):
        who = f"The others heard {call.name} badly: {_percent(_mean(losses))} of the packets were lost"
        where = f" between {call.name}'s browser and the relay."
    else:
        names = ", ".join(speakers[:3]) + (" and others" if len(speakers) > 3 else "")
        who = f"{call.name} heard {names} badly: {_percent(_mean(losses))} of the packets were lost"
        where = " between the speaker's browser and the relay."
    return who + where, {**_loss_figures(losses), "speakers": len(speakers)}


def _downlink(call: Call, found: _Found) -> _Told:
    losses = [point.loss_down for point in found.points]
    sentence = (
        f"{call.name} heard the others badly: {_percent(_mean(losses))} of the packets were lost"
        f" between the relay and {call.name}'s browser."
    )
    return sentence, _loss_figures(losses)


def _overloaded(call: Call, found: _Found) -> _Told:
    strains = [
        strain
        for point in found.points
        for strain in _at_that_time(point, call)
        if strain.is_too_much
    ]
    busiest = max(strain.busiest_thread for strain in strains)
    dropped = sum(strain.dropped for strain in set(strains))
    sentence = (
        f"The relay could not keep up: its busiest thread took {_percent(busiest)} of a core, and"
        f" it dropped {dropped} packets."
    )
    return sentence, {"busiest_thread": busiest, "packets_dropped": dropped}


def _changed(call: Call, found: _Found) -> _Told:
    changes = [at for at in call.changes if found.begin - NEAR <= at <= found.end + NEAR]
    sentence = f"{call.name}'s network changed, or a connection was lost and came again."
    return sentence, {"changes": len(changes), "silence": round(found.silent, 1)}


def _delayed(call: Call, found: _Found) -> _Told:
    delays = [point.delay for point in found.points]
    sentence = (
        f"The way was long: a word took {1000 * _mean(delays):.0f} ms from mouth to ear, the buffer"
        " against jitter included."
    )
    return sentence, {"delay": round(_mean(delays), 4), "worst_delay": round(max(delays), 4)}


def _unknown(call: Call, found: _Found) -> _Told:
    return f"It was bad for {call.name}, and the figures do not say why.", {}


_SENTENCES = {
    Cause.UPLINK_LOSS: _uplink,
    Cause.DOWNLINK_LOSS: _downlink,
    Cause.RELAY_OVERLOADED: _overloaded,
    Cause.NETWORK_CHANGE: _changed,
    Cause.DELAY: _delayed,
    Cause.UNKNOWN: _unknown,
}


def _loss_figures(losses: list[float]) -> dict[str, float]:
    return {"loss": round(_mean(losses), 4), "worst_loss": round(max(losses), 4)}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
