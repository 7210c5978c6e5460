"""Fixtures of the signaling tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.signaling.lab import Lab
from tests.signaling.scene import Scene


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Rooms without a network, which hold nothing once everybody is gone."""
    lab = Lab()
    yield lab
    lab.end_all()


@pytest.fixture
def scene(lab: Lab) -> Scene:
    """Ada, who does it wrong, and two who shall not notice."""
    return Scene(lab)
