"""Fixtures of the signaling tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.signaling.lab import Client, Lab
from tests.signaling.scene import Scene


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Rooms without a network, which hold nothing once everybody is gone."""
    lab = Lab()
    yield lab
    lab.end_all()


@pytest.fixture
def ada(lab: Lab) -> Client:
    """The first one in the room."""
    return lab.joined("Ada")


@pytest.fixture
def bob(lab: Lab, ada: Client) -> Client:
    """The second one."""
    return lab.joined("Bob")


@pytest.fixture
def scene(lab: Lab) -> Scene:
    """Ada, who does it wrong, and two who shall not notice."""
    return Scene(lab)
