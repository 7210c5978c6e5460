"""What settled peers send that is urgent for nobody: it may wait, in the order it came, and is not lost.

Arrivals in an hour from now stand for what came just now, and is not due yet however slow the machine is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from relay.native import AVAILABLE, NativePlane
from relay.responder import Responder

from .media import Peer, Studio, open_studio, until

HALF_OF_THE_RING = 512
HOUR = 3600.0

RESPONSE = bytes.fromhex("01010000 2112a442") + bytes(12)
ERROR_RESPONSE = bytes.fromhex("01110000 2112a442") + bytes(12)
REQUEST = bytes.fromhex("00010000 2112a442") + bytes(12)
SENDER_REPORT, RECEIVER_REPORT = b"\x80\xc8\0\x06" + bytes(24), b"\x81\xc9\0\x07" + bytes(28)
GOODBYE, FEEDBACK = b"\x81\xcb\0\x01" + bytes(4), b"\x81\xcd\0\x03" + bytes(12)
DTLS = b"\x16\xfe\xfd" + bytes(20)


def settled(studio: Studio, *, reports_wait: bool) -> Peer:
    peer = studio.peer()
    responder = Responder(peer.address, "password", b"")
    studio.plane.settle(peer.path, responder, reports_wait=reports_wait)
    return peer


async def turns() -> None:
    """Give the event loop time to find out what it is woken for."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_it_is_told_when_it_came(studio: Studio) -> None:
    peer = settled(studio, reports_wait=True)
    for arrival in (1000.0, 1000.5):
        studio.plane.inject(peer.path, DTLS, arrival)
    await studio.passed_up(2)
    assert studio.arrivals == [1000.0, 1000.5]


async def test_it_is_told_when_the_kernel_got_it(studio: Studio) -> None:
    peer = settled(studio, reports_wait=True)
    before = time.monotonic()
    peer.send(RESPONSE)
    await studio.passed_up(1)
    assert before - 0.05 < studio.arrivals[0] <= time.monotonic()  # its clock may be set a little


@pytest.mark.parametrize("datagram", [RESPONSE, SENDER_REPORT, RECEIVER_REPORT])
async def test_nothing_waits_for_ever(studio: Studio, datagram: bytes) -> None:
    peer = settled(studio, reports_wait=True)
    peer.send(datagram)
    await studio.passed_up(1)
    assert studio.control == [(peer.path, datagram)]


async def test_the_order_stays(studio: Studio) -> None:
    peer = settled(studio, reports_wait=True)
    soon = time.monotonic() + HOUR
    course = [RESPONSE, RECEIVER_REPORT, RESPONSE, DTLS, REQUEST]
    for datagram in course:
        studio.plane.inject(peer.path, datagram, soon)
    await studio.passed_up(len(course))
    assert [datagram for _, datagram in studio.control] == course


class TestWaiting:
    """Of the native plane; the Python one has no reason to wait."""

    pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the native plane was not built")

    @pytest.fixture
    async def native(self) -> AsyncIterator[Studio]:
        async with open_studio(NativePlane) as opened:
            yield opened

    @pytest.mark.parametrize("datagram", [RESPONSE, SENDER_REPORT, RECEIVER_REPORT])
    async def test_until_somebody_asks(self, native: Studio, datagram: bytes) -> None:
        peer = settled(native, reports_wait=True)
        for number in range(3):
            native.plane.inject(peer.path, datagram, time.monotonic() + HOUR)
            await turns()
            assert len(native.control) == number
            native.plane.poll()
            assert native.control == [(peer.path, datagram)] * (number + 1)

    @pytest.mark.parametrize("datagram", [ERROR_RESPONSE, REQUEST, GOODBYE, FEEDBACK, DTLS])
    async def test_what_may_be_urgent_does_not(self, native: Studio, datagram: bytes) -> None:
        peer = settled(native, reports_wait=True)
        native.plane.inject(peer.path, datagram, time.monotonic() + HOUR)
        await native.passed_up(1)

    @pytest.mark.parametrize("datagram", [SENDER_REPORT, RECEIVER_REPORT])
    async def test_reports_of_peers_who_put_more_behind_them_do_not(
        self, native: Studio, datagram: bytes
    ) -> None:
        peer = settled(native, reports_wait=False)
        native.plane.inject(peer.path, RESPONSE, time.monotonic() + HOUR)
        await turns()
        assert native.control == []
        native.plane.inject(peer.path, datagram, time.monotonic() + HOUR)
        await native.passed_up(2)

    @pytest.mark.parametrize("datagram", [RESPONSE, RECEIVER_REPORT])
    async def test_only_settled_peers_do(self, native: Studio, datagram: bytes) -> None:
        peer = settled(native, reports_wait=True)
        native.plane.unsettle(peer.path)
        native.plane.inject(peer.path, datagram, time.monotonic() + HOUR)
        await native.passed_up(1)

    async def test_no_longer_than_it_is_due(self, native: Studio) -> None:
        peer = settled(native, reports_wait=True)
        native.plane.inject(peer.path, RESPONSE, time.monotonic() + HOUR)
        await turns()
        assert native.control == []
        native.plane.poll()
        native.plane.inject(peer.path, RESPONSE, time.monotonic() - 1.0)
        await native.passed_up(2)

    async def test_until_the_ring_is_half_full(self, native: Studio) -> None:
        peer = settled(native, reports_wait=True)
        for _ in range(HALF_OF_THE_RING - 1):
            native.plane.inject(peer.path, RESPONSE, time.monotonic() + HOUR)
        await turns()
        assert native.control == []
        native.plane.inject(peer.path, RESPONSE, time.monotonic() + HOUR)
        await until(lambda: len(native.control) == HALF_OF_THE_RING)

    async def test_nobody_asks_a_closed_plane(self, native: Studio) -> None:
        peer = settled(native, reports_wait=True)
        native.plane.inject(peer.path, RESPONSE, time.monotonic() + HOUR)
        native.plane.close()
        native.plane.poll()
        assert native.control == []
