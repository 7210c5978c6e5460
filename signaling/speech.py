"""Who speaks: a decision that does not flap, from audio levels several times a second. Pure: time is an
argument.

Two bounds and a pause, as voice activity detectors have: speech begins above the first bound, and ends when
it has been below the second for longer than the gap between words.
"""

from __future__ import annotations

BEGINS_ABOVE = -45
"""In dBov. Speech into a headset is -35 to -20, a quiet room below -60."""

ENDS_BELOW = -52
"""In dBov, low enough under `BEGINS_ABOVE` for the end of a word to pass."""

PAUSE = 0.6
"""Seconds below `ENDS_BELOW` that still belong to speech."""


class Speech:
    """Whether one participant speaks. level: the last one, in dBov; None while it is not heard."""

    __slots__ = ("_heard_at", "level", "speaking")

    def __init__(self) -> None:
        self.speaking = False
        self.level: int | None = None
        self._heard_at = 0.0

    def update(self, level: int, now: float) -> bool:
        """Take the level since the last call, in dBov. now: seconds on any steady clock. Whether the
        participant speaks."""
        self.level = level
        if level > (ENDS_BELOW if self.speaking else BEGINS_ABOVE):
            self.speaking = True
            self._heard_at = now
        elif now - self._heard_at > PAUSE:
            self.speaking = False
        return self.speaking

    def reset(self) -> None:
        """The participant is not heard, whatever it says."""
        self.level = None
        self.speaking = False
