"""The event loop stands still, as it does when a program computes: voices go on in the native plane."""

from __future__ import annotations

import select
import socket
import time

import pytest

from relay import Relay, RelayConfig
from relay.native import AVAILABLE
from relay.server import PlaneKind

from .light_peer import LightPeer

STALL = 2.0
"""Seconds; a hundred packets."""

INTERVAL = 0.02
PATIENCE = 10.0
"""Seconds for one packet on a machine with much to do."""


@pytest.mark.skipif(not AVAILABLE, reason="the native media plane was not built")
async def test_packets_flow_while_the_event_loop_stands_still(host: str) -> None:
    relay = Relay(RelayConfig((host,), 0, media_plane=PlaneKind.NATIVE))
    await relay.start()
    publisher = relay.create_publisher()
    speaker = LightPeer(publisher)
    await speaker.connect()
    listener = LightPeer(relay.create_consumer(publisher))
    await listener.connect()
    await speaker.send(100, 0, 1234)
    await listener.wait_received(1)

    # From here on nothing is awaited: whatever the loop is to do, it does not.
    outgoing, incoming = speaker.raw_socket(), listener.raw_socket()
    began = time.monotonic()
    arrived = 0
    with outgoing, incoming:
        for number in range(1, round(STALL / INTERVAL) + 1):
            speaker.send_raw(outgoing, 100 + number, 960 * number, 1234)
            arrived += _wait_for_rtp(incoming)
            time.sleep(INTERVAL)  # noqa: ASYNC251
    assert time.monotonic() - began >= STALL
    assert arrived == round(STALL / INTERVAL)

    await speaker.close()
    await listener.close()
    await relay.close()


def _wait_for_rtp(incoming: socket.socket) -> bool:
    deadline = time.monotonic() + PATIENCE
    while (left := deadline - time.monotonic()) > 0:
        if select.select([incoming], [], [], left)[0]:
            datagram = incoming.recv(2000)
            if 128 <= datagram[0] <= 191 and not 192 <= datagram[1] <= 223:
                return True
    return False
