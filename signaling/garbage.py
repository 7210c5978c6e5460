"""How often CPython looks at everything there is for garbage that refers to itself.

Such a look stops the event loop, for half a second with three thousand connections that are being set up.
CPython takes one whenever a quarter has been added: while a server fills, each object is looked at five
times, and newcomers wait. Here as much as there was has to be added, so that it is twice.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping

_YOUNG, _MIDDLE, _OLD = 700, 10, 10
"""CPython's own thresholds: objects, looks at the young, looks at the middle-aged."""


def collect_rarely() -> None:
    """From now on, for the whole process. May be called again."""
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    if _adapt not in gc.callbacks:
        gc.callbacks.append(_adapt)


def collect_as_usual() -> None:
    """Undo `collect_rarely`."""
    if _adapt in gc.callbacks:
        gc.callbacks.remove(_adapt)
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


def _adapt(phase: str, info: Mapping[str, int]) -> None:
    if phase == "stop" and info["generation"] == 2:
        living = len(gc.get_objects(generation=2))
        gc.set_threshold(_YOUNG, _MIDDLE, max(_OLD, living // (_YOUNG * _MIDDLE)))
