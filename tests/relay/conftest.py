"""A relay on loopback, for the tests of its API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relay import Relay, RelayConfig


@pytest.fixture
async def relay(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    """A running relay on 127.0.0.1; peers that use aioice are there, too."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    relay = Relay(RelayConfig(media_hosts=("127.0.0.1",), media_port=0))
    await relay.start()
    yield relay
    await relay.close()
    assert "internal_error" not in relay.stats().drops
