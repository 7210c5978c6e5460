"""What is said of faults that come again and again, and that a relay says it of its sockets."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import AsyncIterator

import pytest

from relay import Relay, RelayConfig
from relay.address import Address, Path
from relay.faults import Complaint, Complaints, Fault, error_name, error_text
from relay.native import AVAILABLE
from relay.server import PlaneKind

from .media import descriptor_of, until

NO_ROUTE = Fault("datagrams could not be sent", "ENETUNREACH")
NO_MEMORY = Fault("receiving failed", "ENOMEM")


def test_the_first_of_a_kind_is_told_at_once_and_then_sums() -> None:
    complaints = Complaints(interval=60.0)
    assert complaints.due({}, 0.0) == []
    assert complaints.due({NO_ROUTE: 3}, 1.0) == [Complaint(NO_ROUTE, 3, None)]
    assert complaints.due({NO_ROUTE: 9}, 60.9) == []
    assert complaints.due({NO_ROUTE: 10, NO_MEMORY: 1}, 61.0) == [
        Complaint(NO_ROUTE, 7, 60.0),
        Complaint(NO_MEMORY, 1, None),
    ]


def test_what_has_ceased_is_not_told_again() -> None:
    complaints = Complaints(interval=60.0)
    assert len(complaints.due({NO_ROUTE: 3}, 0.0)) == 1
    assert complaints.due({NO_ROUTE: 3}, 1000.0) == []
    assert complaints.due({NO_ROUTE: 4}, 1001.0) == [Complaint(NO_ROUTE, 1, 1001.0)]


def test_nothing_is_said_of_none() -> None:
    assert Complaints().due({NO_ROUTE: 0}, 5.0) == []


def test_the_words() -> None:
    first = Complaint(NO_ROUTE, 3, None)
    reason = os.strerror(errno.ENETUNREACH)
    assert str(first) == f"datagrams could not be sent: ENETUNREACH ({reason}); 3 times"
    assert str(Complaint(Fault("buffer full"), 2, 60.4)) == "buffer full; 2 times in 60 s"


def test_errors_of_any_number_have_a_name() -> None:
    assert error_name(errno.ENOBUFS) == "ENOBUFS"
    assert error_name(0) == "error 0"
    assert error_text("error 0") == "unknown"


@pytest.fixture(params=[PlaneKind.PYTHON] + [PlaneKind.NATIVE] * AVAILABLE)
async def relay(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Relay]:
    """Of either plane; it looks for faults all the time."""
    monkeypatch.setattr("relay.server.FAULTS_STEP", 0.0)
    relay = Relay(RelayConfig(("127.0.0.1",), 0, media_plane=request.param))
    await relay.start()
    yield relay
    await relay.close()


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


async def test_a_relay_tells_what_the_system_refused(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    plane, (local,) = relay._router.plane, relay.addresses
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, descriptor_of(local))
    os.close(null)

    for _ in range(3):
        plane.send(Path(local, Address("127.0.0.1", 9)), b"x")
    await until(lambda: bool(told(caplog)))
    for _ in range(3):
        plane.send(Path(local, Address("127.0.0.1", 9)), b"x")
    assert relay.stats().send_errors == {"ENOTSOCK": 6}
    await relay.close()
    (line,) = told(caplog)
    assert line.startswith("datagrams could not be sent: ENOTSOCK (")
    assert "127.0.0.1" not in line


async def test_a_relay_tells_of_datagrams_that_found_no_room(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    (local,) = relay.addresses
    with socket.socket(fileno=os.dup(descriptor_of(local))) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # as little as the system allows
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        while not relay.stats().datagrams_missed:  # a media thread may be as fast as we are
            for _ in range(500):
                stranger.sendto(b"\x80 hardly voice", local)
    await until(lambda: bool(told(caplog)))
    assert told(caplog)[0].startswith("datagrams found a receive buffer full; ")
