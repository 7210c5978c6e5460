"""A relay on loopback, and peers that are closed when a test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relay import Relay, RelayConfig
from relay.native import AVAILABLE
from relay.server import PlaneKind
from tests.hosts import gather_only

from .aiortc_peer import AiortcPeer
from .media import Tone


@pytest.fixture(params=["127.0.0.1"])
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one address that everybody has. Tests parametrize it for IPv6."""
    host = str(request.param)
    gather_only(monkeypatch, host)
    return host


@pytest.fixture(params=[PlaneKind.PYTHON, PlaneKind.NATIVE])
def plane(request: pytest.FixtureRequest) -> PlaneKind:
    """Each media plane in turn."""
    if request.param is PlaneKind.NATIVE and not AVAILABLE:
        pytest.skip("the native media plane was not built")
    return PlaneKind(request.param)


@pytest.fixture
async def relay(host: str, plane: PlaneKind) -> AsyncIterator[Relay]:
    """A running relay; it drops nothing for a fault of its own."""
    relay = Relay(RelayConfig(media_hosts=(host,), media_port=0, media_plane=plane))
    await relay.start()
    yield relay
    await relay.close()
    assert "internal_error" not in relay.stats().drops


class Room:
    """Makes peers of a relay, and closes them."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self._peers: list[AiortcPeer] = []

    async def publish(self, track: Tone) -> AiortcPeer:
        """A peer that is connected and sends `track`."""
        peer = AiortcPeer(self.relay.create_publisher())
        self._peers.append(peer)
        await peer.connect(track)
        return peer

    async def consume(self, publisher: AiortcPeer) -> AiortcPeer:
        """A peer that is connected and hears what `publisher` sends."""
        peer = AiortcPeer(self.relay.create_consumer(publisher.publisher))
        self._peers.append(peer)
        await peer.connect()
        return peer

    async def leave(self, peer: AiortcPeer) -> None:
        """Close a peer and forget it."""
        self._peers.remove(peer)
        await peer.close()

    async def close(self) -> None:
        """Close every peer."""
        while self._peers:
            await self.leave(self._peers[-1])


@pytest.fixture
async def room(relay: Relay) -> AsyncIterator[Room]:
    """Where peers are made."""
    room = Room(relay)
    yield room
    await room.close()
