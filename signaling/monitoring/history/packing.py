"""Ten seconds of one participant as bytes: a head with what its curves need, and a record per connection.

    head      version, interval (0.1 s), scores sent, heard and worst heard, loss up and down    10 bytes
    record    number of the connection, loss, jitter, round-trip time, packets, bitrate, gaps, score
                                                                                      14 bytes each

So a participant-hour in a room of n costs 360 x (10 + 14 n) bytes and SQLite's own. Figures are rounded far
below what can be heard: loss to 0.002 %, times to 0.1 ms (6.5 s at most), bitrate to 16 bit/s, scores to
0.014.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

from signaling.monitoring.meters import Quality
from signaling.monitoring.sampler import ParticipantSample

VERSION = 1

_HEAD = struct.Struct("<BHBBBHH")
_RECORD = struct.Struct("<HHHHHHBB")
_NONE = 0xFFFF
_LARGEST = 0xFFFE


@dataclass(frozen=True, slots=True)
class Window:
    """One participant over one interval. at: its end, Unix seconds; interval: seconds. sent_score: of its
    voice on the way to the relay; heard_score, heard_worst: of what it heard, the mean and the lowest.
    loss_up, loss_down: shares. None where nothing was sent, or heard."""

    at: float
    interval: float
    sent_score: float | None
    heard_score: float | None
    heard_worst: float | None
    loss_up: float | None
    loss_down: float | None

    @property
    def worst(self) -> float | None:
        """The lower one of both scores."""
        return min((s for s in (self.sent_score, self.heard_score) if s is not None), default=None)


def summarize(sample: ParticipantSample) -> Window | None:
    """What a sample comes to; None for one without connections."""
    everything = [*sample.uplinks.values(), *sample.downlinks.values()]
    if not everything:
        return None
    heard = [down.score for down in sample.downlinks.values() if down.score is not None]
    return Window(
        at=max(quality.at for quality in everything),
        interval=max(quality.interval for quality in everything),
        sent_score=mean([up.score for up in sample.uplinks.values() if up.score is not None]),
        heard_score=mean(heard),
        heard_worst=min(heard, default=None),
        loss_up=_loss(list(sample.uplinks.values())),
        loss_down=_loss(list(sample.downlinks.values())),
    )


def pack(window: Window, sample: ParticipantSample, number: Callable[[str], int | None]) -> bytes:
    """The bytes of a sample. number: a connection's, by its id; None for one that is not recorded.
    Connections that carried nothing have no record."""
    parts = [
        _HEAD.pack(
            VERSION,
            min(0xFFFF, round(10 * window.interval)),
            _score_byte(window.sent_score),
            _score_byte(window.heard_score),
            _score_byte(window.heard_worst),
            _share(window.loss_up),
            _share(window.loss_down),
        )
    ]
    for connections in (sample.uplinks, sample.downlinks):
        for id, quality in connections.items():
            place = number(id)
            if place is not None and (quality.packets or quality.loss):
                parts.append(_pack_record(place, quality))
    return b"".join(parts)


def unpack_window(at: float, data: bytes) -> Window:
    """The head alone. Raises ValueError for bytes of another version."""
    if len(data) < _HEAD.size or data[0] != VERSION:
        raise ValueError("not a window of this version")
    _, interval, sent, heard, worst, loss_up, loss_down = _HEAD.unpack_from(data)
    return Window(
        at,
        interval / 10,
        _score(sent),
        _score(heard),
        _score(worst),
        _from_share(loss_up),
        _from_share(loss_down),
    )


def unpack_records(
    at: float, data: bytes, numbers: Container[int] | None = None
) -> Iterator[tuple[int, Quality]]:
    """The connections by their number. numbers: of those that are wanted, None for all. Raises ValueError
    for bytes of another version."""
    interval = unpack_window(at, data).interval
    body = data[_HEAD.size :]
    usable = len(body) - len(body) % _RECORD.size
    for number, loss, jitter, trip, packets, bitrate, gaps, score in _RECORD.iter_unpack(
        body[:usable]
    ):
        if numbers is not None and number not in numbers:
            continue
        yield (
            number,
            Quality(
                at=at,
                interval=interval,
                loss=_from_share(loss),
                jitter=_from_time(jitter),
                round_trip_time=_from_time(trip),
                bitrate=16.0 * bitrate,
                packets=packets,
                gaps=None if gaps == 0xFF else gaps,
                score=_score(score),
            ),
        )


def mean(values: list[float]) -> float | None:
    """None of nothing."""
    return sum(values) / len(values) if values else None


def _loss(connections: list[Quality]) -> float | None:
    """The mean of those that carried something."""
    return mean([each.loss for each in connections if each.loss is not None])


def _pack_record(number: int, quality: Quality) -> bytes:
    return _RECORD.pack(
        number,
        _share(quality.loss),
        _time(quality.jitter),
        _time(quality.round_trip_time),
        min(0xFFFF, quality.packets),
        min(0xFFFF, round(quality.bitrate / 16)),
        0xFF if quality.gaps is None else min(0xFE, quality.gaps),
        _score_byte(quality.score),
    )


def _share(value: float | None) -> int:
    return _NONE if value is None else round(min(1.0, max(0.0, value)) * _LARGEST)


def _from_share(value: int) -> float | None:
    return None if value == _NONE else value / _LARGEST


def _time(seconds: float | None) -> int:
    return _NONE if seconds is None else min(_LARGEST, max(0, round(1e4 * seconds)))


def _from_time(value: int) -> float | None:
    return None if value == _NONE else value / 1e4


def _score_byte(score: float | None) -> int:
    """1 to 255 for 1 to 4.5; 0 for None."""
    return 0 if score is None else 1 + round((min(4.5, max(1.0, score)) - 1) / 3.5 * 254)


def _score(value: int) -> float | None:
    return None if value == 0 else 1 + (value - 1) / 254 * 3.5
