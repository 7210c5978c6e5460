"""Who of a group of publishers is heard, as events.

    observer = relay.create_speaker_observer()
    observer.add(publisher)                  # until it is removed, or closes
    observer.on("audio_levels", lambda levels: ...)        a tuple of AudioLevel, five times a second while
                                                           somebody speaks, and at once when that changes
    observer.on("dominant_speaker", lambda publisher: ...) a Publisher, or None when that one has gone

The decisions are those of `speech.py` and `dominance.py`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from .dominance import DominantSpeaker
from .emitter import Emitter
from .levels import LevelMeter
from .publisher import Publisher
from .speech import SLOT, Speech

logger = logging.getLogger(__name__)

TELL_INTERVAL = 0.19
"""Least seconds between two events of `audio_levels` while nobody begins or ends to speak: of observations
every 0.1 s every other one."""


@dataclass(frozen=True, slots=True)
class AudioLevel:
    """How loud a publisher is, smoothed, in dBov from -127 to 0; and whether that is speech."""

    publisher: Publisher
    level: int
    speaking: bool


class SpeakerObserver(Emitter):
    """Emits `audio_levels` and `dominant_speaker` of those publishers that were added."""

    def __init__(self) -> None:
        super().__init__()
        self._group: dict[Publisher, tuple[LevelMeter, Speech]] = {}
        self._dominant: DominantSpeaker[Publisher] = DominantSpeaker()
        self._told_at = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def dominant_speaker(self) -> Publisher | None:
        """Who dominates; None before anybody has spoken."""
        return self._dominant.current

    def add(self, publisher: Publisher) -> None:
        """Listen to one more publisher."""
        if publisher not in self._group:
            self._group[publisher] = publisher.create_level_meter(), Speech()
            publisher.once("closed", lambda _: self.remove(publisher))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def remove(self, publisher: Publisher) -> None:
        """Listen to it no more. It need not have been added."""
        self._group.pop(publisher, None)

    def close(self) -> None:
        """Listen to nobody, and emit nothing more."""
        self._group.clear()
        if self._task is not None:
            self._task.cancel()
        self.silence()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SLOT)
            self.observe(loop.time())

    def observe(self, now: float) -> None:
        """Decide on what was heard since the last call, and emit what there is to tell. It is called by
        itself, every 0.1 s. now: seconds on any steady clock."""
        levels, changed = [], False
        for publisher, (meter, speech) in self._group.items():
            level, before = meter.take(), speech.speaking
            if publisher.muted:
                speech.reset()
            elif speech.update(level, now) or before:
                levels.append(AudioLevel(publisher, speech.level or 0, speech.speaking))
            changed = changed or speech.speaking is not before
        group = {
            publisher: speech
            for publisher, (_, speech) in self._group.items()
            if not publisher.muted
        }
        if levels and (changed or now - self._told_at >= TELL_INTERVAL):
            self._told_at = now
            self.emit("audio_levels", tuple(levels))
        if self._dominant.update(group):
            self.emit("dominant_speaker", self._dominant.current)
