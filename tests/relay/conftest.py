"""A relay on loopback, for the tests of its API, and its media plane alone, in every implementation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from relay import Relay, RelayConfig
from relay.plane import Control, MediaPlane
from tests.hosts import gather_only

from .media import PLANES, Studio, open_studio


@pytest.fixture
async def relay(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    """A running relay on 127.0.0.1; peers that use aioice are there, too."""
    gather_only(monkeypatch, "127.0.0.1")
    relay = Relay(RelayConfig(media_hosts=("127.0.0.1",), media_port=0))
    await relay.start()
    yield relay
    await relay.close()
    assert "internal_error" not in relay.stats().drops


@pytest.fixture(params=PLANES)
def implementation(request: pytest.FixtureRequest) -> Callable[[Control], MediaPlane]:
    """How to make a media plane."""
    return PLANES[request.param]


@pytest.fixture
async def studio(implementation: Callable[[Control], MediaPlane]) -> AsyncIterator[Studio]:
    """A media plane on loopback, and whoever a test lets speak and listen there."""
    async with open_studio(implementation) as opened:
        yield opened
