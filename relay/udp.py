"""UDP sockets that receive and send in batches: `recvmmsg(2)` and `sendmmsg(2)`.

One system call moves many datagrams, and their memory is laid out once: the forwarder reads and writes
packets where they lie. Only this module knows sockets.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

import cffi

from .address import Address, family_of, pack_sockaddr
from .clock import StampClock
from .errors import AddressError
from .srtp import MAX_TRAILER_LENGTH
from .stats import DropReason

MAX_DATAGRAM = 1500
"""Longest datagram taken, in bytes: what an Ethernet frame carries. Longer ones are dropped."""

SLOT_SIZE = 1664
"""Bytes between one packet and the next: a datagram, libsrtp's trailer, and alignment to 64."""

RECEIVE_BATCH = 64

FAILURES_BEFORE_PAUSE = 4
"""So often in a row a call may fail before it is left alone for a while; most errors are of one moment."""

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 1.0
"""Seconds; each pause is twice as long as the one before."""

BUFFER_SIZE = 4 << 20
"""Socket buffers in bytes, so that a burst outlives a pause of ours: 0.4 s of 300 consumers."""

_SOCKADDR_SIZE = 32
_SO_TIMESTAMPNS = 35
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_SO_MEMINFO, _MEMINFO_LENGTH, _MEMINFO_DROPS = 55, 36, 8  # SK_MEMINFO_DROPS: the ninth word

assert SLOT_SIZE >= MAX_DATAGRAM + MAX_TRAILER_LENGTH

ffi: Any = cffi.FFI()
ffi.cdef(
    """
    struct iovec { void *iov_base; size_t iov_len; };
    struct msghdr {
        void *msg_name; unsigned int msg_namelen;
        struct iovec *msg_iov; size_t msg_iovlen;
        void *msg_control; size_t msg_controllen;
        int msg_flags;
    };
    struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
    struct stamp { size_t cmsg_len; int cmsg_level; int cmsg_type; int64_t seconds, nanoseconds; };
    int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, void *timeout);
    int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);
    """
)
_libc: Any = ffi.dlopen(None)
_DONTWAIT = int(socket.MSG_DONTWAIT)
_TRUNCATED = int(socket.MSG_TRUNC)


def open_socket(address: Address) -> socket.socket:
    """A UDP socket bound to `address` (port 0: any), non-blocking and with large buffers.

    Raises AddressError.
    """
    try:
        family = family_of(address.host)
    except ValueError as error:
        raise AddressError(address.host, address.port, "not an IP address") from error
    if not 0 <= address.port <= 65535:
        raise AddressError(address.host, address.port, "not a port")
    try:
        udp = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise AddressError(address.host, address.port, os.strerror(error.errno or 0)) from error
    try:
        udp.setblocking(False)
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        _enlarge(udp, _SO_RCVBUFFORCE, socket.SO_RCVBUF)
        _enlarge(udp, _SO_SNDBUFFORCE, socket.SO_SNDBUF)
        udp.bind(tuple(address))
    except OSError as error:
        udp.close()
        raise AddressError(address.host, address.port, os.strerror(error.errno or 0)) from error
    return udp


def pause_after(failures: int) -> float:
    """Seconds to leave a call alone that failed so often, one time after the other."""
    doubled = failures - FAILURES_BEFORE_PAUSE
    return min(FIRST_PAUSE * 2.0 ** min(doubled, 16), LONGEST_PAUSE) if doubled >= 0 else 0.0


def unsent_reason(error: OSError) -> DropReason:
    """Why one datagram was not sent. A full buffer is ours (EAGAIN), or on the way (ENOBUFS)."""
    full = error.errno in (errno.EAGAIN, errno.ENOBUFS)
    return DropReason.SEND_BUFFER_FULL if full else DropReason.SEND_FAILED


class MissedDatagrams:
    """Counts what the kernel dropped because a socket's receive buffer was full, or for a wrong checksum:
    SK_MEMINFO_DROPS, a count modulo 2**32."""

    def __init__(self) -> None:
        self._sockets: dict[socket.socket, int] = {}
        self._count = 0

    def add(self, udp: socket.socket) -> None:
        """Count those of one more socket, from its beginning."""
        self._sockets[udp] = 0

    def count(self) -> int:
        """How many so far."""
        for udp, before in self._sockets.items():
            with contextlib.suppress(OSError):  # it may be closed; then there is nothing new
                words = udp.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO_LENGTH)
                drops = memoryview(words).cast("I")[_MEMINFO_DROPS]
                self._count += (drops - before) & 0xFFFFFFFF
                self._sockets[udp] = drops
        return self._count

    def close(self) -> None:
        """Count once more before the sockets are closed."""
        self.count()
        self._sockets.clear()


def _enlarge(udp: socket.socket, force: int, option: int) -> None:
    """Set a buffer size past the system's limit where we may, else up to it."""
    try:
        udp.setsockopt(socket.SOL_SOCKET, force, BUFFER_SIZE)
    except PermissionError:
        with contextlib.suppress(OSError):
            udp.setsockopt(socket.SOL_SOCKET, option, BUFFER_SIZE)


def native_sockaddr(address: Address) -> Any:
    """`address` as C memory that stays while the returned object does."""
    return ffi.new("char[]", pack_sockaddr(address))


class ReceiveBatch:
    """Memory for the datagrams of one `recvmmsg`.

    bytes: all of it, writable; datagram i lies at `i * SLOT_SIZE`. packets[i]: a C pointer to it.
    """

    def __init__(self, family: int) -> None:
        memory = ffi.new("char[]", RECEIVE_BATCH * SLOT_SIZE)
        self.bytes = memoryview(ffi.buffer(memory)).cast("B")
        self.packets = [memory + index * SLOT_SIZE for index in range(RECEIVE_BATCH)]
        self._memory = memory
        self._names = ffi.new("char[]", RECEIVE_BATCH * _SOCKADDR_SIZE)
        self._name_bytes = ffi.buffer(self._names)
        self._name_length = 16 if family == socket.AF_INET else 28
        self._stamp = ffi.new("struct stamp *")
        self._clock = StampClock()
        self._iovecs = ffi.new("struct iovec[]", RECEIVE_BATCH)
        self._messages = ffi.new("struct mmsghdr[]", RECEIVE_BATCH)
        self._size = ffi.sizeof(self._messages)
        self._pristine = ffi.new("struct mmsghdr[]", RECEIVE_BATCH)
        for index, message in enumerate(self._pristine):
            self._iovecs[index].iov_base = self.packets[index]
            self._iovecs[index].iov_len = MAX_DATAGRAM
            message.msg_hdr.msg_name = self._names + index * _SOCKADDR_SIZE
            message.msg_hdr.msg_namelen = _SOCKADDR_SIZE
            message.msg_hdr.msg_iov = self._iovecs + index
            message.msg_hdr.msg_iovlen = 1
        # One time stamp a batch is enough: it is the oldest.
        self._pristine[0].msg_hdr.msg_control = self._stamp
        self._pristine[0].msg_hdr.msg_controllen = ffi.sizeof("struct stamp")

    def receive(self, descriptor: int) -> int:
        """Take what the socket has, at most `RECEIVE_BATCH`; how many came. Below zero: the system's error,
        which is not that there is nothing."""
        ffi.memmove(self._messages, self._pristine, self._size)  # the kernel wrote over the lengths
        count: int = _libc.recvmmsg(descriptor, self._messages, RECEIVE_BATCH, _DONTWAIT, ffi.NULL)
        if count < 0:
            return 0 if ffi.errno == errno.EAGAIN else -int(ffi.errno)
        return count

    def length(self, index: int) -> int:
        """Bytes of a datagram; -1 when it was longer than `MAX_DATAGRAM`."""
        message = self._messages[index]
        return -1 if message.msg_hdr.msg_flags & _TRUNCATED else int(message.msg_len)

    def sender(self, index: int) -> bytes:
        """The packed `sockaddr` that a datagram came from."""
        start = index * _SOCKADDR_SIZE
        packed: bytes = self._name_bytes[start : start + self._name_length]
        return packed

    def age(self) -> float:
        """Seconds since the kernel received the first datagram."""
        stamp = self._stamp
        if not stamp.seconds:
            return 0.0
        received = float(stamp.seconds) + float(stamp.nanoseconds) * 1e-9
        return self._clock.age(time.time(), time.monotonic(), received)


class SendBatch:
    """Memory for datagrams that leave with one `sendmmsg`, each slot to an address of its own.

    views[i], packets[i]: slot i, as writable bytes and as a C pointer. capacity: slots. errors: how many
    the system did not take, by its error's number; whoever reads it clears it.
    """

    def __init__(self, family: int, capacity: int) -> None:
        self.capacity = capacity
        self.errors: Counter[int] = Counter()
        self._memory = ffi.new("char[]", capacity * SLOT_SIZE)
        self.packets = [self._memory + index * SLOT_SIZE for index in range(capacity)]
        whole = memoryview(ffi.buffer(self._memory)).cast("B")
        self.views = [whole[start : start + SLOT_SIZE] for start in range(0, len(whole), SLOT_SIZE)]
        self._names: list[Any] = [None] * capacity
        self._iovecs = ffi.new("struct iovec[]", capacity)
        self._messages = ffi.new("struct mmsghdr[]", capacity)
        for index, message in enumerate(self._messages):
            self._iovecs[index].iov_base = self.packets[index]
            message.msg_hdr.msg_namelen = 16 if family == socket.AF_INET else 28
            message.msg_hdr.msg_iov = self._iovecs + index
            message.msg_hdr.msg_iovlen = 1
        # An iovec is a pointer and a length: every second word.
        self._lengths = memoryview(ffi.buffer(self._iovecs)).cast("B").cast("L")[1::2]

    def address(self, slot: int, name: Any) -> None:
        """Send a slot to `name` (from `native_sockaddr`) from now on; None: the slot is not in use."""
        self._names[slot] = name
        self._messages[slot].msg_hdr.msg_name = ffi.NULL if name is None else name

    def send(
        self, descriptor: int, lengths: Sequence[int], skipped: Sequence[int] = ()
    ) -> tuple[int, int]:
        """Send the first slots, as many as there are `lengths`, without the `skipped` ones.

        How many found a buffer full, and how many the system refused; those are lost. Our own buffer
        (EAGAIN) has no room for the rest either; a queue on the way to one of them (ENOBUFS) has nothing
        to do with the others, nor has a refusal.
        """
        self._lengths[: len(lengths)] = memoryview(array("L", lengths))
        start, full, failed, interrupted = 0, 0, 0, 0
        for end in (*skipped, len(lengths)):
            while start < end:
                sent = _libc.sendmmsg(descriptor, self._messages + start, end - start, _DONTWAIT)
                if sent > 0:
                    start += sent
                    continue
                error = ffi.errno
                if error == errno.EINTR and interrupted < FAILURES_BEFORE_PAUSE - 1:
                    interrupted += 1
                    continue
                if error == errno.EAGAIN:
                    left_out = sum(slot >= start for slot in skipped)
                    unsent = len(lengths) - start - left_out
                    self.errors[error] += unsent
                    return full + unsent, failed
                self.errors[error] += 1
                start += 1
                if error == errno.ENOBUFS:
                    full += 1
                else:
                    failed += 1
            start = end + 1
        return full, failed
