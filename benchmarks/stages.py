"""One packet's way, stage by stage, in nanoseconds of CPU time.

    demux       two bytes, and whose address it is
    unprotect   libsrtp's, of what the publisher sent
    cut         header, extension, statistics, timeline: up to the packet that all consumers share
    rewrite     a consumer's copy, under its own numbers
    protect     libsrtp's, of that copy
    send        its share of `sendmmsg`

The first three are done once a packet, the others once a consumer. Stages are seen by difference: the
same code is run up to a stage and up to the one before. Floors are C loops that do only what is named.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from relay import PlaneKind
from relay.address import Address, Path, pack_sockaddr
from relay.python_plane import PythonPlane
from relay.srtp import SrtpContext, ffi, protect, unprotect
from relay.udp import RECEIVE_BATCH, SLOT_SIZE, SendBatch, native_sockaddr, open_socket

from .case import PLANES, Case, Effort, Figures, Group, Unit
from .fixture import (
    LOCALHOST,
    Outbound,
    Publisher,
    Receivers,
    closing_all,
    random_keys,
)
from .tools import PROTECT, REMOVE_STREAM, UNPROTECT, Tool

CONSUMERS = 100

PACKET_SIZE = 112
"""Bytes of a protected packet, as everywhere in these benchmarks."""

_BLOCK = RECEIVE_BATCH
"""Packets between two drains of the consumers' sockets."""
_EXPECTED = 0.04
"""Seconds that a block takes on the Python plane, of which a sample consists."""
_MORE = 64
"""As often is done what takes a few nanoseconds."""
_MANY = _MORE * _BLOCK

_KNOWN, _STRANGER = Address(LOCALHOST, 9), Address(LOCALHOST, 10)


class Clock:
    """CPU time of this thread by stage. spent: nanoseconds."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count what happens inside."""
        begin = time.thread_time_ns()
        yield
        self.spent[stage] += time.thread_time_ns() - begin


class PythonStages:
    """The stages of `relay/forward.py`, on packets where `recvmmsg` would have put them."""

    def __init__(self, floor: Tool, publisher: Publisher, receivers: Receivers) -> None:
        self._plane = PythonPlane(lambda path, datagram, arrival: None)
        local = self._plane.open(Address(LOCALHOST, 0))
        path = Path(local, _KNOWN)
        self._source = self._plane.source(publisher.keys, path, 0.0)
        self._plane.bind(path, self._source)
        self._sinks = [
            self._plane.sink(random_keys(), 1 + index, Path(local, address), 0, 0)
            for index, address in enumerate(receivers.addresses)
        ]
        self._port = self._plane._ports[local]
        self._floor, self._publisher, self._receivers = floor, publisher, receivers
        self._inbound = SrtpContext.inbound(publisher.keys)
        self._outbound = [
            SrtpContext.outbound(random_keys(), 1 + index) for index in range(len(self._sinks))
        ]
        self._batch = SendBatch(socket.AF_INET, len(self._sinks))
        for slot, address in enumerate(receivers.addresses):
            self._batch.address(slot, native_sockaddr(address))
        self._sequence = 0
        self._length = ffi.new("int *")

    def close(self) -> None:
        """Close the socket."""
        self._plane.close()

    def run(self, clock: Clock) -> None:
        """Take a block through every stage."""
        known, stranger = pack_sockaddr(_KNOWN), pack_sockaddr(_STRANGER)
        self._take(clock, "demux", stranger)
        self._unprotect(clock)
        self._take(clock, "take", known)
        for sink in self._sinks:
            self._plane.attach(sink, self._source, 0.0)
        self._take(clock, "forward", known)
        for sink in self._sinks:
            sink.detach()
        self._protect(clock)
        self._send(clock)
        spent = clock.spent
        spent["cut"] = spent["take"] - spent["demux"] - spent["unprotect"]
        spent["rewrite"] = spent["forward"] - spent["take"] - spent["protect"] - spent["send"]

    def _fill(self) -> int:
        """Let the incoming batch hold protected packets; their length."""
        memory = self._floor.ffi.from_buffer("unsigned char[]", self._port.incoming.bytes)
        native = self._publisher.native
        return int(self._floor.lib.write_packets(native, memory, SLOT_SIZE, _BLOCK))

    def _take(self, clock: Clock, stage: str, sender: bytes) -> None:
        plane, port, length = self._plane, self._port, self._fill()
        with clock.timed(stage):
            for index in range(_BLOCK):
                plane._take(port, index, length, sender, 0.0)
        self._receivers.drain()

    def _unprotect(self, clock: Clock) -> None:
        length, handle, size = self._fill(), self._inbound.handle, self._length
        with clock.timed("unprotect"):
            for packet in self._port.incoming.packets:
                size[0] = length
                unprotect(handle, packet, size)

    def _protect(self, clock: Clock) -> None:
        packets, size = self._batch.packets, self._length
        for _ in range(_BLOCK):
            self._sequence += 1
            length = self._floor.lib.write_copies(
                self._floor.ffi.cast("unsigned char *", packets[0]),
                SLOT_SIZE,
                len(packets),
                self._sequence,
            )
            with clock.timed("protect"):
                for context, packet in zip(self._outbound, packets, strict=True):
                    size[0] = length
                    protect(context.handle, packet, size)

    def _send(self, clock: Clock) -> None:
        lengths = [PACKET_SIZE] * len(self._outbound)
        with clock.timed("send"):
            for _ in range(_BLOCK):
                self._batch.send(self._port.descriptor, lengths)
        self._receivers.drain()


class NativeStages:
    """The stages of `relay/native/`, by its own functions."""

    def __init__(self, receivers: Receivers) -> None:
        self._tool = Tool("stages")
        self._udp = open_socket(Address(LOCALHOST, 0))
        self._inbound = SrtpContext.inbound(random_keys())
        self._outbound = Outbound(self._tool, len(receivers.addresses))
        self._receivers = receivers
        self._stages = self._tool.lib.stage_new(
            self._udp.fileno(),
            self._tool.ffi.cast("char *", receivers.native.names),
            len(receivers.addresses),
            self._tool.pointer(self._inbound.address),
            self._outbound.native,
            PROTECT,
            UNPROTECT,
            REMOVE_STREAM,
        )

    def close(self) -> None:
        """Free the plane and close its socket."""
        self._tool.lib.stage_free(self._stages)
        self._udp.close()

    def run(self, clock: Clock) -> None:
        """Take a block through every stage that is the plane's own; it calls libsrtp directly."""
        library = self._tool.lib
        clock.spent["demux"] += library.stage_demux(self._stages, _MANY) // _MORE
        clock.spent["take"] += library.stage_cut(self._stages, _MANY) // _MORE
        clock.spent["forward"] += library.stage_rewrite(self._stages, _MANY) // _MORE
        clock.spent["send"] += library.stage_send(self._stages, _BLOCK)
        clock.spent["cut"] = clock.spent["take"] - clock.spent["demux"]
        clock.spent["rewrite"] = clock.spent["forward"] - clock.spent["take"]
        self._receivers.drain()


class Floors:
    """The same without a relay."""

    def __init__(self, floor: Tool, publisher: Publisher, receivers: Receivers) -> None:
        self._floor, self._publisher, self._receivers = floor, publisher, receivers
        self._stages = Tool("stages")
        self._inbound = SrtpContext.inbound(publisher.keys)
        self._outbound = Outbound(self._stages, len(receivers.addresses))
        self._sequence = 1

    def run(self, clock: Clock) -> None:
        """Take a block through every stage."""
        library, count = self._stages.lib, len(self._receivers.addresses)
        clock.spent["demux"] += library.floor_demux(_MANY) // _MORE
        clock.spent["cut"] += library.floor_cut(_MANY) // _MORE
        clock.spent["rewrite"] += library.floor_rewrite(_BLOCK * count)
        clock.spent["send"] += self._floor.lib.floor_fan_out(
            self._receivers.native,
            self._publisher.native.descriptor,
            self._floor.ffi.NULL,
            0,
            0,
            _BLOCK,
        ).nanoseconds
        self.run_srtp(clock)

    def run_srtp(self, clock: Clock) -> None:
        """Take a block through libsrtp's stages."""
        library, count = self._stages.lib, len(self._receivers.addresses)
        sequence, self._sequence = self._sequence, self._sequence + _BLOCK
        clock.spent["protect"] += library.floor_protect(
            self._outbound.native, count, PROTECT, sequence, _BLOCK
        )
        clock.spent["unprotect"] += library.floor_unprotect(
            self._stages.pointer(self._inbound.address),
            self._publisher.native.context,
            PROTECT,
            UNPROTECT,
            sequence,
            _BLOCK,
        )


def measure(kind: PlaneKind | None, effort: Effort) -> Figures:
    """Every stage of a plane, or of the floor."""
    return asyncio.run(_measure(kind, effort))


async def _measure(kind: PlaneKind | None, effort: Effort) -> Figures:
    floor, clock = Tool("floor"), Clock()
    receivers, publisher = Receivers(floor, CONSUMERS), Publisher(floor)
    blocks = max(2, int(effort.rounds * effort.sample_seconds / _EXPECTED))
    with closing_all(receivers, publisher):
        floors = Floors(floor, publisher, receivers)
        if kind is None:
            _repeat(blocks, clock, floors.run)
        elif kind is PlaneKind.PYTHON:
            with closing_all(python := PythonStages(floor, publisher, receivers)):
                _repeat(blocks, clock, python.run)
        else:
            with closing_all(native := NativeStages(receivers)):
                _repeat(blocks, clock, native.run, floors.run_srtp)
    return _figures(clock.spent, blocks * _BLOCK)


def _repeat(blocks: int, clock: Clock, *runs: Callable[[Clock], None]) -> None:
    """A block to warm up, and then those that count."""
    for run in runs:
        run(Clock())
    for _ in range(blocks):
        for run in runs:
            run(clock)


def _figures(spent: Mapping[str, int], packets: int) -> Figures:
    """Nanoseconds per packet or per copy, and the differences that are no stage by themselves."""
    copies = packets * CONSUMERS
    return {
        "demux": spent["demux"] / packets,
        "unprotect": spent["unprotect"] / packets,
        "cut": spent["cut"] / packets,
        "rewrite": spent["rewrite"] / copies,
        "protect": spent["protect"] / copies,
        "send": spent["send"] / copies,
    }


def _cases(quick: bool) -> list[Case]:
    planes = [Case(kind, partial(measure, kind), kind) for kind in PLANES]
    return [*planes, Case("floor", partial(measure, None))]


STAGES = Group(
    key="stages",
    title="One packet's way, CPU time per stage",
    note="The first three once a packet, the others once a consumer; floors are C loops.",
    columns=dict.fromkeys(
        ("demux", "unprotect", "cut", "rewrite", "protect", "send"), Unit.NANOSECONDS
    ),
    cases=_cases,
    seconds=6,
)
