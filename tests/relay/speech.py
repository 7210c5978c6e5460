"""Levels of speech, one for every 20 ms, in -dBov."""

from __future__ import annotations

from pathlib import Path

SPEECH = {
    path.stem: [int(level) for level in path.read_text().split()]
    for path in sorted((Path(__file__).parents[1] / "vectors" / "speech").glob("*.txt"))
}
"""Whole sentences; `tests/vectors/speech/README.md` says of whom."""

ROOM_NOISE = 68
"""What their microphones hear between words."""

_LEAST_PAUSE = 5
"""Packets of noise between two bursts."""


def bursts(levels: list[int]) -> list[range]:
    """The packets of each burst of sound, with gaps shorter than 100 ms in it."""
    found: list[range] = []
    for index in (index for index, level in enumerate(levels) if level < ROOM_NOISE - 8):
        if found and index - found[-1].stop < _LEAST_PAUSE:
            found[-1] = range(found[-1].start, index + 1)
        else:
            found.append(range(index, index + 1))
    return found
