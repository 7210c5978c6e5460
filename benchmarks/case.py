"""What a case is: a function that runs once, in a process of its own, and returns figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from relay import PlaneKind
from relay.native import AVAILABLE as NATIVE_AVAILABLE

PLANES = (PlaneKind.NATIVE, PlaneKind.PYTHON) if NATIVE_AVAILABLE else (PlaneKind.PYTHON,)
"""The media planes of this installation."""


class Unit(StrEnum):
    """What a figure counts."""

    NANOSECONDS = "ns"
    MICROSECONDS = "µs"
    MILLISECONDS = "ms"
    RATIO = "x"
    PERCENT = "%"
    KIBIBYTES = "KiB"
    PACKETS = "packets"
    PACKETS_PER_SECOND = "packets/s"
    PEERS = "peers"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done. seconds: of one steady window; sample_seconds: of CPU time of one sample in a
    closed loop; rounds: samples of a run, each of figure and floor in turn; quick: whether only to see
    that everything works."""

    seconds: float
    sample_seconds: float
    rounds: int
    quick: bool


FULL = Effort(seconds=3.0, sample_seconds=0.3, rounds=3, quick=False)
QUICK = Effort(seconds=0.24, sample_seconds=0.02, rounds=1, quick=True)

Figures = Mapping[str, float]
"""By column; a case leaves out what it cannot know."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row. plane: the media plane that it is about, if any."""

    name: str
    run: Callable[[Effort], Figures]
    plane: PlaneKind | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One table. key: how the command line calls it; note: how to read it; columns: the units of the
    figures by their name; cases: its rows, given whether only to see that everything works; seconds: about
    what one run of a case takes, to tell how long all of them will."""

    key: str
    title: str
    note: str
    columns: Mapping[str, Unit]
    cases: Callable[[bool], list[Case]]
    seconds: float
