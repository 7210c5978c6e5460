"""Sees what goes on: quality, live state, history, the HTTP API, metrics, webhooks.

    Monitor     all of it, which the service starts and ends
    Api         what answers requests
    Settings    what an operator chooses

Everything here stands beside the rooms: it observes (`signaling/events.py`), reads counters, and can fail
without any call noticing.
"""

from __future__ import annotations

from signaling.monitoring.api import Api
from signaling.monitoring.monitor import Monitor
from signaling.monitoring.settings import Settings

__all__ = ["Api", "Monitor", "Settings"]
