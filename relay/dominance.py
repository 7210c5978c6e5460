"""Who dominates a conversation: one of those who speak, and not somebody else at every cough. Pure.

After the idea of Ilana Volfin and Israel Cohen, "Dominant speaker identification for multipoint
videoconferencing", Computer Speech & Language 27 (2013), first shown at IEEEI 2012: each voice has three
scores, of what it is just saying, of its last word and of its last sentence, and takes over from the
dominant one only where it leads in all three. A cough leads in the first; an "mhm" in the first two; who
really takes the floor leads in all of them after a second, and at once where nobody else has spoken lately.

A score is the logarithm of how much likelier so many active units of n are in speech (binomial, each unit
active as often as not) than in noise (exponential), as in section 3 of that paper:

    immediate   units of 4 dB above the noise in the latest slot    of 10
    medium      slots with speech in the last half second           of 5
    long        half seconds with a word in the last three seconds  of 6

Unlike there, differences of scores are compared, and levels stand in for sub-bands of the spectrum, since
the relay sees no sound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Generic, TypeVar

from .speech import SLOTS, UNITS, Speech

K = TypeVar("K")

MEDIUM_SLOTS = 5
LONG_BLOCKS = SLOTS // MEDIUM_SLOTS

ACTIVE_UNITS = 4
"""Units that a slot has to have to hold speech: 16 dB above the noise."""

ACTIVE_SLOTS = 3
"""Slots that a block has to have to hold a word: a cough is shorter."""

LEADS = (5.0, 3.0, 0.0)
"""By how much a voice has to lead: immediate, medium, long."""


def _scores(units: int, rate: float) -> tuple[float, ...]:
    """The score of 0 to `units` active ones. rate: of the exponential; more than ln(units), so that more
    activity never scores less."""
    return tuple(
        math.log(math.comb(units, active)) - units * math.log(2) - math.log(rate) + rate * active
        for active in range(units + 1)
    )


_IMMEDIATE, _MEDIUM, _LONG = (
    _scores(UNITS, 2.4),
    _scores(MEDIUM_SLOTS, 2.0),
    _scores(LONG_BLOCKS, 2.0),
)


def scores(speech: Speech) -> tuple[float, float, float]:
    """A voice's immediate, medium and long score."""
    words = [active >= ACTIVE_UNITS for active in speech.activity]
    blocks = [sum(words[at : at + MEDIUM_SLOTS]) for at in range(0, SLOTS, MEDIUM_SLOTS)]
    long = sum(block >= ACTIVE_SLOTS for block in blocks)
    return _IMMEDIATE[speech.activity[-1]], _MEDIUM[blocks[-1]], _LONG[long]


class DominantSpeaker(Generic[K]):
    """Who dominates a group. current: its key; None before anybody has spoken, and when it has gone."""

    def __init__(self) -> None:
        self.current: K | None = None

    def update(self, group: Mapping[K, Speech]) -> bool:
        """Decide, after the levels of a slot were told to everybody's speech; whether `current` changed.
        group: who can be heard now. Who dominates does so through pauses, until another takes over."""
        before = self.current
        if before not in group:
            self.current = None
        speaking = {key: speech for key, speech in group.items() if speech.speaking}
        if len(speaking) > (self.current in speaking):
            self.current = self._decide(speaking, group)
        return self.current != before

    def _decide(self, speaking: Mapping[K, Speech], group: Mapping[K, Speech]) -> K | None:
        rated = {key: scores(speech) for key, speech in speaking.items()}
        if self.current is None:
            return max(rated, key=lambda key: sum(rated[key]))
        theirs = scores(group[self.current])
        leading = [
            key
            for key, own in rated.items()
            if all(
                mine - their > lead for mine, their, lead in zip(own, theirs, LEADS, strict=True)
            )
        ]
        return max(leading, key=lambda key: sum(rated[key]), default=self.current)
