"""What watches the rooms, put together: it starts and ends with the service."""

from __future__ import annotations

import time
from collections.abc import Callable

from relay import Relay
from signaling.access import Access
from signaling.events import Observers
from signaling.monitoring.api import Api
from signaling.monitoring.live import Live
from signaling.monitoring.load import Load
from signaling.monitoring.sampler import ParticipantSample, Sampler
from signaling.rooms import Rooms


class Monitor:
    """Watches. api: answers requests. clock: Unix seconds."""

    def __init__(
        self,
        relay: Relay,
        rooms: Rooms,
        observers: Observers,
        access: Access,
        version: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sampler = Sampler(rooms, relay.stats, self._take, clock)
        live = Live(
            rooms,
            self._sampler,
            version=version,
            media_plane=relay.plane,
            clock=clock,
            session=lambda room: None,
            history=lambda: "off",
        )
        observers.add(live.observe)
        self.api = Api(access, live, clock)

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._sampler.start()

    async def close(self) -> None:
        """End; what is still to be written is written."""
        await self._sampler.close()

    def _take(self, samples: list[ParticipantSample], load: Load) -> None:
        pass
