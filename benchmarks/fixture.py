"""A media plane alone, with one publisher and its consumers, and nothing of ICE, DTLS or RTCP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from relay import PlaneKind
from relay.address import Address, Path, pack_sockaddr
from relay.native import NativePlane
from relay.plane import MediaPlane
from relay.python_plane import PythonPlane
from relay.srtp import PROFILES, SrtpContext, SrtpKeys

from . import cpu
from .tools import PROTECT, Tool

LOCALHOST = "127.0.0.1"
PROFILE = PROFILES[0]


def raise_descriptor_limit() -> None:
    """Have as many sockets as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def random_keys() -> SrtpKeys:
    """Keys as a handshake would make them."""
    length = PROFILE.key_length + PROFILE.salt_length
    return SrtpKeys(PROFILE, local=os.urandom(length), remote=os.urandom(length))


def mirrored(keys: SrtpKeys) -> SrtpKeys:
    """The other end's."""
    return SrtpKeys(keys.profile, local=keys.remote, remote=keys.local)


class Receivers:
    """Sockets that packets are sent to and that nobody waits at, as C sees them.

    native: a `struct receivers`; addresses: theirs, in the same order.
    """

    def __init__(self, floor: Tool, count: int) -> None:
        self._floor = floor
        self._sockets = [_bound_socket() for _ in range(count)]
        self.addresses = [Address(*udp.getsockname()) for udp in self._sockets]
        self._names = floor.ffi.new("char[]", b"".join(map(pack_sockaddr, self.addresses)))
        self._descriptors = floor.ffi.new("int[]", [udp.fileno() for udp in self._sockets])
        self.native = floor.ffi.new("struct receivers *", [count, self._descriptors, self._names])

    def drain(self) -> None:
        """Throw away what came."""
        self._floor.lib.drain(self.native)

    def close(self) -> None:
        """Close the sockets."""
        for udp in self._sockets:
            udp.close()


class Outbound:
    """libsrtp contexts to send with, as C sees them. native: an array of `srtp_t`, for SSRC 1 up."""

    def __init__(self, tool: Tool, count: int) -> None:
        self._contexts = [SrtpContext.outbound(random_keys(), 1 + index) for index in range(count)]
        self.native = tool.ffi.new(
            "void *[]", [tool.pointer(one.address) for one in self._contexts]
        )


class Publisher:
    """A socket that sends packets of SSRC 1 to a plane.

    keys: the plane's side; native: a `struct sender`.
    """

    def __init__(self, floor: Tool) -> None:
        self._socket = _bound_socket()
        self._context = SrtpContext.outbound(mirrored(keys := random_keys()), 1)
        self.keys = keys
        self.address = Address(*self._socket.getsockname())
        self.native = floor.ffi.new("struct sender *")
        self.native.descriptor = self._socket.fileno()
        self.native.context = floor.pointer(self._context.address)
        self.native.protect = PROTECT
        self.native.sequence = 1

    def direct(self, address: Address) -> None:
        """Send there from now on."""
        self.native.name = pack_sockaddr(address)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Wiring:
    """A plane with one or more publishers, each with consumers of its own.

    plane_threads: native ids of the threads that forward. local: the plane's addresses, one per
    publisher.
    """

    def __init__(self, kind: PlaneKind, threads: int = 1) -> None:
        before = cpu.threads()
        self.kind = kind
        self.plane: MediaPlane = (
            NativePlane(_ignore, threads, realtime=True)
            if kind is PlaneKind.NATIVE
            else PythonPlane(_ignore)
        )
        self.local = [self.plane.open(Address(LOCALHOST, 0), thread) for thread in range(threads)]
        new = cpu.threads() - before
        self.plane_threads = (
            sorted(new) if kind is PlaneKind.NATIVE else [threading.get_native_id()]
        )
        self._kept: list[Any] = []

    def connect(self, publisher: Publisher, receivers: Receivers, thread: int = 0) -> None:
        """Let `receivers` get what `publisher` sends."""
        local = self.local[thread]
        publisher.direct(local)
        path = Path(local, publisher.address)
        source = self.plane.source(publisher.keys, path, time.monotonic())
        self.plane.bind(path, source)
        self._kept.append(source)
        for index, address in enumerate(receivers.addresses):
            sink = self.plane.sink(random_keys(), 1 + index, Path(local, address), 0, 0)
            self.plane.attach(sink, source, time.monotonic())
            self._kept.append(sink)

    def used(self) -> cpu.CpuTime:
        """CPU time of what forwards."""
        return sum(map(cpu.of_thread, self.plane_threads), start=cpu.NONE)

    def forwarded(self) -> int:
        """Packets so far."""
        return self.plane.counters().packets_forwarded


@contextlib.asynccontextmanager
async def open_wiring(kind: PlaneKind, threads: int = 1) -> AsyncIterator[Wiring]:
    """A plane that is closed in the end."""
    made = Wiring(kind, threads)
    try:
        yield made
    finally:
        made.plane.close()


@contextlib.contextmanager
def closing_all(*closable: Any) -> Iterator[None]:
    """Close everything in the end."""
    with contextlib.ExitStack() as stack:
        for one in closable:
            stack.callback(one.close)
        yield


async def in_thread(function: Any, *arguments: Any) -> Any:
    """Run a C function on another thread; it holds no GIL."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def _bound_socket() -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((LOCALHOST, 0))
    return udp


def _ignore(path: Path, datagram: bytes, arrival: float) -> None:
    """Take what is not RTP; nothing sends any here."""
