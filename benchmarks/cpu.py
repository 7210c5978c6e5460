"""CPU time and memory of other threads and processes, as Linux tells it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from .tools import NANOSECONDS

_PROCESS, _THREAD = 2, 6  # CPUCLOCK_SCHED, and with CPUCLOCK_PERTHREAD (linux/posix-timers.h)
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds since the beginning. total is exact; user and system are the kernel's estimate, in
    steps of a clock tick."""

    total: float
    user: float
    system: float

    def __sub__(self, earlier: CpuTime) -> CpuTime:
        return CpuTime(
            self.total - earlier.total, self.user - earlier.user, self.system - earlier.system
        )

    def __add__(self, other: CpuTime) -> CpuTime:
        return CpuTime(self.total + other.total, self.user + other.user, self.system + other.system)

    @property
    def user_share(self) -> float:
        """Of the total, 0 to 1; 0 when nothing was counted."""
        counted = self.user + self.system
        return self.user / counted if counted else 0.0


NONE = CpuTime(0.0, 0.0, 0.0)


def of_process(process: int) -> CpuTime:
    """A process with all its threads, by its id."""
    return _read(process, _PROCESS, Path(f"/proc/{process}/stat"))


def of_thread(thread: int) -> CpuTime:
    """A thread of this process, by its native id."""
    return _read(thread, _THREAD, Path(f"/proc/self/task/{thread}/stat"))


def threads() -> set[int]:
    """The native ids of this process's threads."""
    return {int(name) for name in os.listdir("/proc/self/task")}


def resident_bytes(process: int) -> int:
    """Memory of a process that is in RAM."""
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _read(identifier: int, clock: int, stat: Path) -> CpuTime:
    nanoseconds = time.clock_gettime_ns(~identifier << 3 | clock)
    # The second field is a name in parentheses, which may hold spaces.
    fields = stat.read_text().rpartition(")")[2].split()
    user, system = (int(ticks) / _TICKS_PER_SECOND for ticks in fields[11:13])
    return CpuTime(nanoseconds / NANOSECONDS, user, system)
