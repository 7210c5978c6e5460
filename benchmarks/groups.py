"""All tables, in the order in which they are printed."""

from __future__ import annotations

from .case import Group
from .churn import CHURN
from .fanout import FAN_OUT, THREADS
from .growth import GROWTH
from .latency import LATENCY
from .levels import LEVELS, ROOMS
from .monitoring import MONITORING
from .peers import PEERS
from .process import PROCESS
from .stages import STAGES

GROUPS: tuple[Group, ...] = (
    STAGES,
    FAN_OUT,
    THREADS,
    LEVELS,
    ROOMS,
    PROCESS,
    LATENCY,
    CHURN,
    MONITORING,
    GROWTH,
    PEERS,
)
