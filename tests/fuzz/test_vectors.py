"""Every target's seeds, and every input that was wrong once; without atheris."""

from __future__ import annotations

import pytest

from . import vectors
from .oracle import judge
from .target import Target
from .targets import NAMES, load


@pytest.fixture(scope="module")
def targets() -> dict[str, Target]:
    """By name. Their event loops and sockets stay open for as long as the process lives."""
    return {name: load(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_seeds(targets: dict[str, Target], name: str) -> None:
    seeds = targets[name].seeds()

    assert seeds
    for seed in seeds:
        assert len(seed) <= targets[name].max_length
        judge(targets[name], seed)


@pytest.mark.parametrize(
    ("target", "data"),
    [
        pytest.param(target, data, id=f"{target}/{name}")
        for target in NAMES
        for name, data in vectors.of(target).items()
    ],
)
def test_what_was_wrong_once(targets: dict[str, Target], target: str, data: bytes) -> None:
    judge(targets[target], data)


def test_no_vector_is_forgotten() -> None:
    folders = {path.name for path in vectors.FOLDER.iterdir() if path.is_dir()}

    assert folders <= set(NAMES)
