"""Destinations that the system refuses to send to: one costs the others nothing, in either plane."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from relay.address import Address
from relay.stats import DropReason

from .media import Studio, contiguous, frame, heard

ALONE = [name for _, name in socket.if_nameindex()] == ["lo"]
"""Whether this is a network of our own (`scripts/in-loopback-network`), whose routes may be changed."""

REFUSED = {
    "198.51.100.1": "unreachable",  # EHOSTUNREACH
    "198.51.100.2": "prohibit",  # EACCES
    "198.51.100.3": "blackhole",  # EINVAL
    "198.51.100.4": None,  # ENETUNREACH
}


@pytest.fixture
def routes() -> Iterator[None]:
    """Routes that lead nowhere, each in its own way."""
    ip = shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not ALONE or ip is None:
        pytest.skip("routes can only be changed in a network of our own")
    kinds = [(kind, host) for host, kind in REFUSED.items() if kind is not None]
    for kind, host in kinds:
        subprocess.run([ip, "route", "add", kind, host], check=True)
    yield
    for kind, host in kinds:
        subprocess.run([ip, "route", "del", kind, host], check=True)


@pytest.mark.usefixtures("routes")
async def test_one_bad_destination_costs_the_others_nothing(studio: Studio) -> None:
    speaker = studio.speaker()
    listeners = [studio.listener(speaker)]
    for host in REFUSED:
        nowhere = studio.listener(speaker)
        studio.plane.direct(nowhere.sink, nowhere.path._replace(remote=Address(host, 9)))
        listeners.append(studio.listener(speaker))

    speaker.say(frame(0), frame(1))
    await studio.settle()

    assert studio.drops == {DropReason.SEND_FAILED: 2 * len(REFUSED)}
    assert studio.plane.counters().packets_forwarded == 2 * len(listeners)
    for listener in listeners:
        assert heard(listener) == contiguous(0, 1)


@pytest.mark.usefixtures("routes")
async def test_control_to_a_bad_destination(studio: Studio) -> None:
    peer = studio.peer()
    for host in REFUSED:
        studio.plane.send(peer.path._replace(remote=Address(host, 9)), b"x")
    studio.plane.send(peer.path, b"y")

    assert studio.plane.counters().control_unsent == {DropReason.SEND_FAILED: len(REFUSED)}
    assert peer.arrived() == [b"y"]


async def test_a_port_that_nobody_has(studio: Studio) -> None:
    """Its ICMP answers reach no socket that is connected to nobody: neither sending nor receiving fails."""
    speaker = studio.speaker()
    gone, listener = studio.listener(speaker), studio.listener(speaker)
    gone.udp.close()
    for index in range(4):
        speaker.say(frame(index))
        await studio.settle()

    assert studio.drops == {}
    assert heard(listener) == contiguous(0, 1, 2, 3)
