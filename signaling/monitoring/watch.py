"""Notices when a connection sounds bad for a while, once. Pure: it is fed with scores and tells facts."""

from __future__ import annotations

from dataclasses import dataclass

from signaling.events import QualityFell
from signaling.monitoring.meters import Quality
from signaling.monitoring.quality import BAD, DISSATISFIED
from signaling.monitoring.sampler import ParticipantSample

PATIENCE = 3
"""Intervals in a row, 30 seconds, that must be bad; and as many that must be good before it can fall
again."""


@dataclass(slots=True)
class _State:
    fallen: bool = False
    streak: int = 0
    total: float = 0.0


class Watch:
    """Watches everybody's connections. Intervals without a score change nothing."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def take(self, samples: list[ParticipantSample]) -> list[QualityFell]:
        """What fell in this interval."""
        states: dict[str, _State] = {}
        fallen = []
        for sample in samples:
            for id, quality in (*sample.uplinks.items(), *sample.downlinks.items()):
                state = states[id] = self._states.get(id) or _State()
                score = _falls(state, quality)
                if score is not None:
                    fallen.append(
                        QualityFell(
                            sample.room, sample.participant_id, id, score, BAD, at=quality.at
                        )
                    )
        self._states = states
        return fallen


def _falls(state: _State, quality: Quality) -> float | None:
    """Note an interval; the mean score of the last ones when the quality falls by it."""
    score = quality.score
    if score is None:
        return None
    turns = score >= DISSATISFIED if state.fallen else score < BAD
    if not turns:
        state.streak, state.total = 0, 0.0
        return None
    state.streak += 1
    state.total += score
    if state.streak < PATIENCE:
        return None
    mean = state.total / state.streak
    state.fallen = not state.fallen
    state.streak, state.total = 0, 0.0
    return mean if state.fallen else None
