"""How often CPython looks for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping

import pytest

from signaling.garbage import collect_as_usual, collect_rarely


@pytest.fixture
def looks() -> Iterator[list[int]]:
    """One entry for each look at everything there is."""
    found: list[int] = []

    def note(phase: str, info: Mapping[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            found.append(info["collected"])

    before = gc.get_threshold()
    gc.collect()
    gc.freeze()  # what the other tests left
    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)
    collect_as_usual()
    gc.set_threshold(*before)
    gc.unfreeze()


def _grow(many: int, into: list[list[int]]) -> None:
    into.extend([number] for number in range(many))


def test_a_growing_heap_is_looked_at_whenever_it_has_doubled(looks: list[int]) -> None:
    kept: list[list[int]] = []
    _grow(1_000_000, kept)
    usual = len(looks)
    kept.clear()
    gc.collect()
    looks.clear()
    collect_rarely()
    collect_rarely()
    _grow(1_000_000, kept)
    assert 1 <= len(looks) <= 5
    assert len(looks) < usual / 2


def test_garbage_that_refers_to_itself_is_found(looks: list[int]) -> None:
    kept: list[list[int]] = []
    collect_rarely()
    _grow(100_000, kept)
    gc.collect()
    looks.clear()
    for _ in range(400_000):
        ring: list[object] = []
        ring.append(ring)
    assert sum(looks) == 0  # that was young, and went at once
    rings: list[list[object]] = []
    for _ in range(400_000):
        ring = []
        ring.append(ring)
        rings.append(ring)
    rings.clear()
    del ring
    _grow(500_000, kept)
    assert sum(looks) >= 399_000


def test_usual_again(looks: list[int]) -> None:
    before = len(gc.callbacks)
    collect_rarely()
    collect_as_usual()
    assert gc.get_threshold() == (700, 10, 10)
    assert len(gc.callbacks) == before
