"""Hundreds of people come and go, and nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
import weakref
from typing import Any

import pytest

from relay import CloseReason, Consumer, Publisher, Relay

from .conftest import Room
from .light_peer import LightPeer
from .media import Tone
from .waiting import PATIENCE

WARM_UP = 40
"""Cycles until caches, free lists and allocators have what they want."""

CYCLES = 200

AT_ONCE = 5
"""Cycles that overlap: ICE spends most of its time waiting."""

TRACED_CYCLES = 50

PYTHON_GROWTH = 100_000
"""Bytes of Python objects that may stay of TRACED_CYCLES; their connections take twenty times that."""

RESIDENT_GROWTH = 6 << 20
"""Bytes that the process may grow by during CYCLES; an OpenSSL object of each would be 32 MB, an SRTP
context of each 1.6 MB a kind."""


class Witness:
    """Remembers objects without keeping them."""

    def __init__(self) -> None:
        self._references: list[weakref.ref[Any]] = []

    def watch(self, connection: Publisher | Consumer) -> None:
        """Remember a connection and its transport."""
        self._references += [weakref.ref(connection), weakref.ref(connection._transport)]

    @property
    def watched(self) -> int:
        return len(self._references)

    def alive(self) -> list[Any]:
        """What is still there."""
        gc.collect()
        return [it for it in (reference() for reference in self._references) if it is not None]


async def cycle(relay: Relay, witness: Witness, number: int) -> None:
    """Somebody publishes, somebody listens, both leave, in one of several ways."""
    speaker = LightPeer(relay.create_publisher())
    witness.watch(speaker.connection)
    await speaker.connect()
    assert isinstance(speaker.connection, Publisher)
    listener = LightPeer(relay.create_consumer(speaker.connection))
    witness.watch(listener.connection)
    await listener.connect()
    for index in range(3):
        await speaker.send(number + index, 960 * index, 1 + number)
    await listener.wait_received(3)
    if number % 3 == 0:
        speaker.connection.close()  # and the listener with it
    elif number % 3 == 1:
        listener.connection.close(CloseReason.FAILED)
    await listener.close()
    await speaker.close()


async def cycles(relay: Relay, witness: Witness, count: int) -> None:
    """Many cycles, AT_ONCE at a time."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await cycle(relay, witness, number)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def assert_tables_are_empty(relay: Relay) -> None:
    router = relay._router
    await asyncio.wait_for(router.ice.close(), PATIENCE)  # agents end one turn of the loop later
    assert router.bindings == {}
    assert router.ice.transactions == {}
    assert router.ice._agents == {}
    assert router.ice.selected == {}
    assert relay._connections == set()
    for port in getattr(router.plane, "_ports", {}).values():
        assert getattr(port, "sources", {}) == {}
    stats = relay.stats()
    assert (stats.publishers, stats.consumers, stats.bound_addresses) == (0, 0, 0)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_nothing_stays(relay: Relay) -> None:
    witness = Witness()
    await cycles(relay, witness, WARM_UP)
    await assert_tables_are_empty(relay)
    assert witness.alive() == []
    tasks, descriptors, before = len(asyncio.all_tasks()), open_descriptors(), resident()
    await cycles(relay, witness, CYCLES)
    await assert_tables_are_empty(relay)
    assert witness.watched == 4 * (WARM_UP + CYCLES)
    assert witness.alive() == []
    assert len(asyncio.all_tasks()) == tasks
    assert open_descriptors() == descriptors
    assert resident() - before < RESIDENT_GROWTH
    assert await python_growth(relay) < PYTHON_GROWTH


async def python_growth(relay: Relay) -> int:
    """Bytes of Python objects that are more after TRACED_CYCLES."""
    tracemalloc.start()
    try:
        await cycles(relay, Witness(), AT_ONCE)  # so that what is counted first includes caches
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        await cycles(relay, Witness(), TRACED_CYCLES)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"], indirect=True)
async def test_nothing_stays_of_aiortc_peers(room: Room) -> None:
    witness = Witness()
    for _ in range(3):
        speaker = await room.publish(Tone(440.0))
        listener = await room.consume(speaker)
        witness.watch(speaker.connection)
        witness.watch(listener.connection)
        await listener.received(2)
        await room.leave(listener)
        await room.leave(speaker)
    await assert_tables_are_empty(room.relay)
    del speaker, listener
    assert witness.alive() == []
