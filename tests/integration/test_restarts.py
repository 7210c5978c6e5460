"""ICE restarts on real sockets, with each media plane."""

from __future__ import annotations

import secrets

from benchmarks.load import stun
from relay import ConnectionState, IceParameters, NetworkChange, Relay, TransportParameters

from .test_ports import Client


class Restarting(Client):
    """Answers offers of a restart. answered: whether the relay has answered its checks since."""

    answered = False

    def answer(self, offer: TransportParameters) -> TransportParameters:
        """Take one, and begin to check by it."""
        self.answered = False
        self._ice = IceParameters(secrets.token_hex(4), secrets.token_hex(12))
        self.start(offer)
        return self.local

    def receive(self, datagram: bytes) -> None:
        if stun.message_type(datagram) == stun.RESPONSE:
            self.answered = True
        super().receive(datagram)


async def test_offers_that_cross_are_one(relay: Relay) -> None:
    """The relay offers a restart by itself, and the client asks for one before it can know: what it answers
    to the first offer is right for the second."""
    client = Restarting(relay.create_publisher())
    connection = client.connection
    await client.connect()
    changes: list[NetworkChange] = []
    connection.add_listener("network_changed", changes.append)
    own = connection.restart_ice()
    answer = client.answer(own)
    asked = connection.restart_ice()
    connection.reconnect(answer)
    await client.until(lambda: NetworkChange.RESTART in changes and client.answered)
    assert asked == own
    assert connection.state is ConnectionState.CONNECTED
    client.vanish()
    connection.close()
