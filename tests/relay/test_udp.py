"""Batches of datagrams over real loopback sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

import relay.udp
from relay.address import Address, family_of, pack_sockaddr, unpack_sockaddr
from relay.errors import AddressError
from relay.udp import (
    MAX_DATAGRAM,
    RECEIVE_BATCH,
    SLOT_SIZE,
    ReceiveBatch,
    SendBatch,
    ffi,
    native_sockaddr,
    open_socket,
)

both_families = pytest.mark.parametrize("host", ["127.0.0.1", "::1"])


@contextlib.contextmanager
def bound(host: str) -> Iterator[tuple[socket.socket, Address]]:
    """One of the relay's sockets on a free port."""
    with open_socket(Address(host, 0)) as udp:
        yield udp, Address(*udp.getsockname()[:2])


def datagram(batch: ReceiveBatch, index: int) -> bytes:
    start = index * SLOT_SIZE
    return bytes(batch.bytes[start : start + batch.length(index)])


CAPACITY = 64


class Filled(SendBatch):
    """A batch that is filled from bytes."""

    def __init__(self, host: str) -> None:
        super().__init__(family_of(host), CAPACITY)
        self.lengths: list[int] = []

    def add(self, data: bytes, destination: Address) -> None:
        slot = len(self.lengths)
        self.views[slot][: len(data)] = data
        self.address(slot, native_sockaddr(destination))
        self.lengths.append(len(data))

    def flush(self, descriptor: int, skipped: tuple[int, ...] = ()) -> tuple[int, int]:
        lengths, self.lengths = self.lengths, []
        return self.send(descriptor, lengths, skipped)


@both_families
def test_a_socket_is_bound_where_it_was_asked_for(host: str) -> None:
    with bound(host) as (udp, address):
        assert address.host == host
        assert address.port != 0
        assert not udp.getblocking()


def test_an_ipv6_socket_leaves_ipv4_alone() -> None:
    with bound("::1") as (udp, _):
        assert udp.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


@both_families
def test_a_busy_port(host: str) -> None:
    with bound(host) as (_, address), pytest.raises(AddressError) as caught:
        open_socket(address)
    assert (caught.value.host, caught.value.port) == address
    assert caught.value.reason == os.strerror(errno.EADDRINUSE)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (Address("192.0.2.1", 0), os.strerror(errno.EADDRNOTAVAIL)),  # RFC 5737: nobody's
        (Address("2001:db8::1", 0), os.strerror(errno.EADDRNOTAVAIL)),
        (Address("localhost", 0), "not an IP address"),
        (Address("", 0), "not an IP address"),
        (Address("127.0.0.1", 65536), "not a port"),
        (Address("127.0.0.1", -1), "not a port"),
    ],
)
def test_an_address_that_cannot_be_had(address: Address, reason: str) -> None:
    with pytest.raises(AddressError) as caught:
        open_socket(address)
    assert (caught.value.host, caught.value.port) == address
    assert caught.value.reason == reason


def test_no_more_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "whatever the system says")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(AddressError, match=os.strerror(errno.EMFILE)):
        open_socket(Address("127.0.0.1", 0))


FORCED = {32, 33}  # SO_SNDBUFFORCE, SO_RCVBUFFORCE: for the privileged
BUFFERS = {socket.SO_RCVBUF, socket.SO_SNDBUF}


@pytest.mark.parametrize("refused", [FORCED, FORCED | BUFFERS], ids=["no force", "no change"])
def test_buffers_are_as_large_as_the_system_lets_them(
    monkeypatch: pytest.MonkeyPatch, refused: set[int]
) -> None:
    asked = []

    class Restricted(socket.socket):
        def setsockopt(self, level: int, option: int, value: int) -> None:  # type: ignore[override]
            if level == socket.SOL_SOCKET and option in FORCED | BUFFERS:
                asked.append(option)
            if level == socket.SOL_SOCKET and option in refused:
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
            super().setsockopt(level, option, value)

    monkeypatch.setattr(socket, "socket", Restricted)
    with bound("127.0.0.1"):
        assert set(asked) == FORCED | BUFFERS


@both_families
def test_a_native_sockaddr_is_the_packed_one(host: str) -> None:
    packed = pack_sockaddr(Address(host, 9))
    assert bytes(ffi.buffer(native_sockaddr(Address(host, 9)), len(packed))) == packed


@both_families
def test_nothing_to_receive(host: str) -> None:
    with bound(host) as (udp, _):
        assert ReceiveBatch(udp.family).receive(udp.fileno()) == 0


def test_a_closed_socket_gives_its_error() -> None:
    with bound("127.0.0.1") as (udp, _):
        descriptor = udp.fileno()
    assert ReceiveBatch(socket.AF_INET).receive(descriptor) == -errno.EBADF


@both_families
def test_receives_in_order_and_tells_the_sender(host: str) -> None:
    with bound(host) as (udp, address), bound(host) as (one, first), bound(host) as (two, second):
        batch = ReceiveBatch(udp.family)
        one.sendto(b"a", address)
        two.sendto(b"", address)
        one.sendto(b"ccc", address)
        assert batch.receive(udp.fileno()) == 3
        assert [datagram(batch, index) for index in range(3)] == [b"a", b"", b"ccc"]
        assert [batch.sender(index) for index in range(3)] == [
            pack_sockaddr(sender) for sender in (first, second, first)
        ]
        assert unpack_sockaddr(batch.sender(1)) == second


@both_families
def test_a_batch_is_bounded_and_the_next_takes_the_rest(host: str) -> None:
    with bound(host) as (udp, address), bound(host) as (sender, _):
        batch = ReceiveBatch(udp.family)
        sent = [b"%d" % number for number in range(RECEIVE_BATCH + 3)]
        for data in sent:
            sender.sendto(data, address)
        assert batch.receive(udp.fileno()) == RECEIVE_BATCH
        received = [datagram(batch, index) for index in range(RECEIVE_BATCH)]
        assert batch.receive(udp.fileno()) == 3
        received += [datagram(batch, index) for index in range(3)]
        assert received == sent


@both_families
def test_a_datagram_that_is_too_long_is_told_apart(host: str) -> None:
    with bound(host) as (udp, address), bound(host) as (sender, _):
        batch = ReceiveBatch(udp.family)
        for length in (MAX_DATAGRAM, MAX_DATAGRAM + 1, 9000, 5):
            sender.sendto(b"x" * length, address)
        assert batch.receive(udp.fileno()) == 4
        assert [batch.length(index) for index in range(4)] == [MAX_DATAGRAM, -1, -1, 5]
        # The next batch is unharmed by that.
        sender.sendto(b"y" * MAX_DATAGRAM, address)
        assert batch.receive(udp.fileno()) == 1
        assert datagram(batch, 0) == b"y" * MAX_DATAGRAM


@both_families
def test_age_counts_from_the_kernels_stamp(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with bound(host) as (udp, address), bound(host) as (sender, _):
        batch = ReceiveBatch(udp.family)
        before = time.time()
        sender.sendto(b"x", address)
        assert batch.receive(udp.fileno()) == 1
        after = time.time()
        monkeypatch.setattr(time, "time", lambda: after + 10.0)
        assert 10.0 - 1e-6 <= batch.age() <= 10.0 + after - before + 1e-6
        # A clock that was set back makes nothing younger than new.
        monkeypatch.setattr(time, "time", lambda: before - 10.0)
        assert batch.age() == 0.0


def test_nothing_has_no_age() -> None:
    assert ReceiveBatch(socket.AF_INET).age() == 0.0


@both_families
def test_sends_to_many(host: str) -> None:
    with bound(host) as (udp, ours), bound(host) as (one, first), bound(host) as (two, second):
        batch = Filled(host)
        batch.add(b"to one", first)
        batch.add(b"x" * (MAX_DATAGRAM + 16), second)
        batch.add(b"", first)
        assert batch.flush(udp.fileno()) == (0, 0)
        assert one.recvfrom(2000)[0] == b"to one"
        assert one.recvfrom(2000)[0] == b""
        data, sender = two.recvfrom(2000)
        assert data == b"x" * (MAX_DATAGRAM + 16)
        assert Address(*sender[:2]) == ours


@both_families
def test_a_full_batch(host: str) -> None:
    with bound(host) as (udp, _), bound(host) as (receiver, address):
        batch = Filled(host)
        for number in range(CAPACITY):
            batch.add(b"%d" % number, address)
        assert batch.flush(udp.fileno()) == (0, 0)
        received = [receiver.recv(100) for _ in range(CAPACITY)]
        assert received == [b"%d" % number for number in range(CAPACITY)]


def test_an_empty_batch_sends_nothing() -> None:
    with bound("127.0.0.1") as (udp, _):
        assert SendBatch(udp.family, 1).send(udp.fileno(), []) == (0, 0)


@both_families
@pytest.mark.parametrize("bad", [{0}, {1}, {4}, {0, 1, 3}, {0, 1, 2, 3, 4}])
def test_a_refused_destination_costs_itself_only(host: str, bad: set[int]) -> None:
    """Port 0 is nobody's: the system says EINVAL."""
    with bound(host) as (udp, _), bound(host) as (receiver, address):
        batch = Filled(host)
        for index in range(5):
            batch.add(b"%d" % index, address._replace(port=0) if index in bad else address)
        assert batch.flush(udp.fileno()) == (0, len(bad))
        received = [receiver.recv(100) for _ in range(5 - len(bad))]
        assert received == [b"%d" % index for index in range(5) if index not in bad]


@both_families
@pytest.mark.parametrize("skipped", [(), (0,), (2,), (4,), (0, 1), (1, 3), (0, 1, 2, 3, 4)])
def test_skipped_slots_stay(host: str, skipped: tuple[int, ...]) -> None:
    with bound(host) as (udp, _), bound(host) as (receiver, address):
        batch = Filled(host)
        for index in range(5):
            batch.add(b"%d" % index, address)
        assert batch.flush(udp.fileno(), skipped) == (0, 0)
        kept = [b"%d" % index for index in range(5) if index not in skipped]
        assert [receiver.recv(100) for _ in kept] == kept
        with pytest.raises(BlockingIOError):
            receiver.recv(100)


def test_a_slot_goes_to_its_latest_address() -> None:
    with bound("127.0.0.1") as (udp, _), bound("127.0.0.1") as (receiver, address):
        batch = Filled("127.0.0.1")
        batch.add(b"x", Address("127.0.0.1", 9))
        batch.address(0, None)
        batch.address(0, native_sockaddr(address))
        assert batch.flush(udp.fileno()) == (0, 0)
        assert receiver.recv(100) == b"x"


def test_a_closed_socket_refuses_everything() -> None:
    with bound("127.0.0.1") as (udp, address):
        descriptor = udp.fileno()
    batch = Filled("127.0.0.1")
    for _ in range(3):
        batch.add(b"x", address)
    assert batch.flush(descriptor) == (0, 3)


def test_a_full_send_buffer_costs_the_rest_of_the_batch() -> None:
    """Loopback never fills a UDP socket's buffer; that of TCP fills when nobody reads."""
    batch = Filled("127.0.0.1")
    with full_stream() as stream:
        for _ in range(3):
            batch.add(b"x", Address("127.0.0.1", 9))
        assert batch.flush(stream.fileno()) == (3, 0)
        for _ in range(3):
            batch.add(b"x", Address("127.0.0.1", 9))
        assert batch.flush(stream.fileno(), (0, 2)) == (1, 0)


@contextlib.contextmanager
def full_stream() -> Iterator[socket.socket]:
    """A socket that has no room for one byte more."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as stream,
    ):
        stream.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                stream.send(bytes(1 << 16))
        yield stream


class Moody:
    """The C library, whose `sendmmsg` fails for one address in a given way, and is interrupted at first."""

    def __init__(self, real: Any, port: int, error: int) -> None:
        self._real = real
        self._port = port.to_bytes(2, "big")
        self._error = error
        self._interrupted = False

    def sendmmsg(self, descriptor: int, messages: Any, count: int, flags: int) -> int:
        if not self._interrupted:
            self._interrupted = True
            return self._fail(errno.EINTR)
        for index in range(count):
            name = ffi.buffer(messages[index].msg_hdr.msg_name, 16)[:]
            if name[2:4] == self._port:
                if index == 0:
                    return self._fail(self._error)
                count = index
                break
        return int(self._real.sendmmsg(descriptor, messages, count, flags))

    def _fail(self, error: int) -> int:
        ffi.errno = error
        return -1


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (errno.ENOBUFS, (1, 0)),
        (errno.EPERM, (0, 1)),
        (errno.ENETUNREACH, (0, 1)),
        (errno.EHOSTUNREACH, (0, 1)),
        (errno.ECONNREFUSED, (0, 1)),
        (errno.EMSGSIZE, (0, 1)),
        (errno.EAGAIN, (2, 0)),  # our own buffer: whoever comes behind is lost, too
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
def test_one_bad_destination(
    monkeypatch: pytest.MonkeyPatch, error: int, lost: tuple[int, int]
) -> None:
    with bound("127.0.0.1") as (udp, _), bound("127.0.0.1") as (receiver, address):
        monkeypatch.setattr("relay.udp._libc", Moody(relay.udp._libc, 9, error))
        batch = Filled("127.0.0.1")
        for data, destination in (
            (b"1", address),
            (b"2", Address("127.0.0.1", 9)),
            (b"3", address),
        ):
            batch.add(data, destination)
        assert batch.flush(udp.fileno()) == lost
        assert receiver.recv(100) == b"1"
        if error != errno.EAGAIN:
            assert receiver.recv(100) == b"3"


def test_what_nobody_listens_to_is_no_error() -> None:
    """The answer of a closed port (ICMP) reaches no socket that is connected to nobody."""
    with bound("127.0.0.1") as (udp, _), bound("127.0.0.1") as (receiver, address):
        batch = Filled("127.0.0.1")
        for _ in range(3):
            batch.add(b"x", Address("127.0.0.1", 9))
            batch.add(b"y", address)
            assert batch.flush(udp.fileno()) == (0, 0)
            assert receiver.recv(100) == b"y"
        assert ReceiveBatch(udp.family).receive(udp.fileno()) == 0
