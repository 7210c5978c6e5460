"""What a room is told of who speaks. No I/O: time is an argument.

The decisions are the relay's (`relay/speech.py`, `relay/dominance.py`), as an embedder of the relay gets
them by events; here they become messages.
"""

from __future__ import annotations

from collections.abc import Iterable

from relay import DominantSpeaker
from signaling.messages import AudioLevel, AudioLevels, DominantSpeakerChanged
from signaling.participant import Publication

TELL_INTERVAL = 0.19
"""Least seconds between two messages of levels while nobody begins or ends to speak: of calls every 0.1 s
every other one."""


class Speakers:
    """Who speaks in one room."""

    def __init__(self) -> None:
        self._dominant: DominantSpeaker[str] = DominantSpeaker()
        self._told_at = 0.0

    def dominant(self) -> DominantSpeakerChanged | None:
        """What somebody has to know who comes now; None before anybody has spoken."""
        if self._dominant.current is None:
            return None
        return DominantSpeakerChanged(participant_id=self._dominant.current)

    def listen(
        self, publications: Iterable[Publication], now: float
    ) -> list[AudioLevels | DominantSpeakerChanged]:
        """What everyone is to be told; to be called every `relay.speech.SLOT` seconds. now: seconds on any
        steady clock."""
        levels, changed, heard = [], False, {}
        for publication in publications:
            speech, owner = publication.speech, publication.owner
            level, before = publication.media.take_audio_level(), speech.speaking
            if owner.muted:
                speech.reset()
                continue
            heard[owner.id] = speech
            if speech.update(level, now) or before:
                levels.append(AudioLevel(owner.id, speech.level or 0, speech.speaking))
            changed = changed or speech.speaking is not before
        told: list[AudioLevels | DominantSpeakerChanged] = []
        if levels and (changed or now - self._told_at >= TELL_INTERVAL):
            self._told_at = now
            told.append(AudioLevels(levels=levels))
        if self._dominant.update(heard):
            told.append(DominantSpeakerChanged(participant_id=self._dominant.current))
        return told
