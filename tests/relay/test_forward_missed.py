"""Datagrams that the kernel drops before a media plane reads them, by really filling a socket's buffer."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from relay.stats import DropReason

from .media import IPV4, IPV6, Studio, descriptor_of, until

BURST, MOST_BURSTS = 500, 200
SMALL = 4096  # bytes; the kernel makes more of it, and takes its own overhead from that


@contextlib.contextmanager
def small_receive_buffer(studio: Studio, host: str) -> Iterator[None]:
    """Room for a few datagrams in the plane's socket."""
    with socket.socket(fileno=os.dup(descriptor_of(studio.addresses[host]))) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        yield


@pytest.mark.parametrize("host", [IPV4, IPV6])
async def test_what_found_the_buffer_full_is_counted(studio: Studio, host: str) -> None:
    """It is none of what was received: nobody saw it. The sums of what was stay whole."""
    stranger = studio.peer(host)
    with small_receive_buffer(studio, host):
        for _ in range(
            MOST_BURSTS
        ):  # a media thread may empty it as fast as we fill it, for a while
            for _ in range(BURST):
                stranger.send(b"\x80 hardly voice")
            if studio.plane.counters().datagrams_missed:
                break

        def all_accounted_for() -> bool:
            counters = studio.plane.counters()
            return counters.datagrams_received + counters.datagrams_missed == studio.sent

        await until(all_accounted_for)
    counters = studio.plane.counters()
    assert counters.datagrams_missed > 0
    assert counters.datagrams_received == counters.drops[DropReason.RTP_UNKNOWN_ADDRESS] > 0
    missed = counters.datagrams_missed
    studio.plane.close()
    assert studio.plane.counters().datagrams_missed == missed


async def test_nothing_is_missed_with_room(studio: Studio) -> None:
    stranger = studio.peer()
    for _ in range(100):
        stranger.send(b"\x80 hardly voice")
    await studio.settle()
    assert studio.plane.counters().datagrams_missed == 0
