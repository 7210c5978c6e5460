"""A quality that falls is told once, and not again before it has risen."""

from __future__ import annotations

import pytest

from signaling.monitoring.quality import BAD
from signaling.monitoring.watch import PATIENCE, Watch
from tests.signaling.monitoring.history.course import quality, sample

B, G, M = 2.0, 4.4, 3.3  # bad, good, in the middle


def _falls(scores: list[float | None]) -> list[int]:
    """The intervals in which it fell."""
    watch = Watch()
    found = []
    for place, score in enumerate(scores):
        if watch.take([sample("a", "ada", quality(place, score))]):
            found.append(place)
    return found


@pytest.mark.parametrize(
    ("scores", "falls"),
    [
        ([G, G, G, G], []),
        ([B, B], []),
        ([B, B, B], [2]),
        ([B, B, B, B, B, B, B], [2]),
        ([B, B, G, B, B], []),
        ([B, B, M, B, B, B], [5]),
        ([B, None, B, None, B], [4]),
        ([B, B, B, G, G, B, B, B], [2]),
        ([B, B, B, G, G, G, B, B, B], [2, 8]),
        ([B, B, B, M, M, M, B, B, B], [2]),
    ],
)
def test_falls(scores: list[float | None], falls: list[int]) -> None:
    assert _falls(scores) == falls


def test_what_is_told() -> None:
    watch = Watch()
    for at in range(PATIENCE):
        fallen = watch.take(
            [sample("a", "ada", quality(at), bob=quality(at, 1.0 + at / 2), cyd=quality(at))]
        )
    (fact,) = fallen
    assert (fact.room, fact.participant_id, fact.connection_id) == ("a", "ada", "ada-bob")
    assert (fact.score, fact.bound, fact.at) == (1.5, BAD, 2)


def test_who_went_is_forgotten() -> None:
    watch = Watch()
    for at in (0, 1):
        watch.take([sample("a", "ada", quality(at, B))])
    watch.take([])
    assert watch.take([sample("a", "ada", quality(4, B))]) == []
