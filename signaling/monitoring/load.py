"""How busy the relay is: CPU time of its threads, how late its event loop is, packets and drops a second.

Linux tells each thread's CPU time in /proc/self/task/ID/stat (proc(5): utime and stime, in clock ticks).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from relay import RelayStats

_TASKS = Path("/proc/self/task")
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12
"""Fields of `stat`, counted from the state behind the name in brackets."""


@dataclass(frozen=True, slots=True)
class Load:
    """The server over one interval.

    at: its end, Unix seconds; interval: seconds. cpu: share of one core that the whole process took;
    busiest_thread: that of its busiest thread. loop_delay: seconds that the event loop was late, at
    worst. received, forwarded: RTP packets that came, and copies that went. drops: by reason, those
    that there were. missed: datagrams that the kernel had no room for. stats: the relay's counters at
    the end.
    """

    at: float
    interval: float
    cpu: float
    busiest_thread: float
    loop_delay: float
    received: int
    forwarded: int
    drops: dict[str, int]
    stats: RelayStats
    missed: int = 0


class LoadMeter:
    """Measures from one call to the next. stats: of the relay; clock: Unix seconds; steady: seconds
    of a clock that nobody sets; threads: CPU seconds of each thread, by its id."""

    def __init__(
        self,
        stats: Callable[[], RelayStats],
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        threads: Callable[[], dict[int, float]] | None = None,
    ) -> None:
        self._stats = stats
        self._clock = clock
        self._steady = steady
        self._threads = threads or thread_times
        self._loop_delay = 0.0
        self._spent: dict[int, float] = {}
        self._spent_at = steady()
        self._start()

    def _start(self) -> None:
        self._began, self._before = self._steady(), self._stats()
        self._cpu = time.process_time()
        if spent := self._threads():  # nothing can be read without a file descriptor
            self._spent, self._spent_at = spent, self._began

    def add_delay(self, seconds: float) -> None:
        """The event loop was so late."""
        self._loop_delay = max(self._loop_delay, seconds)

    def read(self) -> Load:
        """What was since the last call."""
        began, before, cpu = self._began, self._before, self._cpu
        spent, spent_at = self._spent, self._spent_at
        delay, self._loop_delay = self._loop_delay, 0.0
        self._start()
        stats, interval = self._before, max(1e-3, self._began - began)
        spent_for = max(1e-3, self._spent_at - spent_at)
        busiest = max((time - spent.get(id, 0.0) for id, time in self._spent.items()), default=0.0)
        drops = {str(reason): n - before.drops.get(reason, 0) for reason, n in stats.drops.items()}
        return Load(
            at=self._clock(),
            interval=interval,
            cpu=max(0.0, self._cpu - cpu) / interval,
            busiest_thread=max(0.0, busiest) / spent_for,
            loop_delay=delay,
            received=max(0, stats.rtp_packets_received - before.rtp_packets_received),
            forwarded=max(0, stats.packets_forwarded - before.packets_forwarded),
            drops={reason: n for reason, n in drops.items() if n > 0},
            stats=stats,
            missed=max(0, stats.datagrams_missed - before.datagrams_missed),
        )


def thread_times(folder: Path = _TASKS) -> dict[int, float]:
    """CPU seconds of each thread, by its id; one that ends meanwhile is left out. Nothing while there is no
    file descriptor to read them by."""
    times: dict[int, float] = {}
    try:
        names = os.listdir(folder)
    except OSError:
        return times
    for name in names:
        try:
            text = (folder / name / "stat").read_text()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        times[int(name)] = (int(fields[_UTIME]) + int(fields[_STIME])) * _TICK
    return times
