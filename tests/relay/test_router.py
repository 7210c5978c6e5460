"""From a datagram to who takes it."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.address import Address, Path
from relay.stats import DropReason

from .fake_plane import FakeNetwork
from .ice_peer import LOCAL, PATH

DTLS = b"\x16\xfe\xfd"
RTCP = b"\x80\xc8"
STUN = b"\x00\x01"
ELSEWHERE = Path(LOCAL, Address("203.0.113.66", 6_666))


class Taker:
    """An endpoint that writes down what it gets."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Path, bytes]] = []
        self.lost: list[Path] = []

    def receive_dtls(self, path: Path, datagram: bytes) -> None:
        self.taken.append(("dtls", path, datagram))

    reports_wait = False

    def receive_rtcp(self, path: Path, datagram: bytes, arrival: float) -> None:
        self.taken.append(("rtcp", path, datagram))

    def path_taken(self, path: Path) -> None:
        self.lost.append(path)


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", DropReason.UNKNOWN_PROTOCOL),
        (b"\x16", DropReason.UNKNOWN_PROTOCOL),
        (b"\xff\xff", DropReason.UNKNOWN_PROTOCOL),
        (STUN, DropReason.STUN_MALFORMED),
        (DTLS, DropReason.DTLS_UNKNOWN_ADDRESS),
        (RTCP, DropReason.RTCP_UNKNOWN_ADDRESS),
    ],
)
def test_for_nobody(datagram: bytes, reason: DropReason) -> None:
    network = FakeNetwork()
    network.router.bind(ELSEWHERE, Taker())
    network.receive(PATH, datagram)
    assert network.router.drops == {reason: 1}
    assert network.plane.sent == []


def test_by_path() -> None:
    network, first, second = FakeNetwork(), Taker(), Taker()
    network.router.bind(PATH, first)
    network.router.bind(ELSEWHERE, second)
    network.receive(PATH, DTLS)
    network.receive(ELSEWHERE, RTCP)
    assert first.taken == [("dtls", PATH, DTLS)]
    assert second.taken == [("rtcp", ELSEWHERE, RTCP)]
    assert network.router.drops == {}


def test_the_local_address_counts() -> None:
    network, taker = FakeNetwork(), Taker()
    network.router.bind(PATH, taker)
    network.receive(Path(Address("192.0.2.2", LOCAL.port), PATH.remote), DTLS)
    assert taker.taken == []


def test_the_latest_binding_wins() -> None:
    network, first, second = FakeNetwork(), Taker(), Taker()
    network.router.bind(PATH, first)
    network.router.bind(PATH, second)
    assert first.lost == [PATH]
    network.router.bind(PATH, second)
    network.router.unbind(PATH, first)  # it has lost the path: nothing happens
    network.receive(PATH, DTLS)
    assert second.lost == []
    assert first.taken == []
    assert len(second.taken) == 1
    network.router.unbind(PATH, second)
    assert network.router.bindings == {}


def test_a_fault_is_counted_and_goes_no_further(caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(Taker):
        def receive_dtls(self, path: Path, datagram: bytes) -> None:
            raise RuntimeError("a bug")

    network = FakeNetwork()
    network.router.bind(PATH, Faulty())
    with caplog.at_level(logging.ERROR):
        network.receive(PATH, DTLS)
    assert network.router.drops == {DropReason.INTERNAL_ERROR: 1}
    assert "a bug" in caplog.text


@given(st.binary(max_size=1500))
def test_whatever_arrives_is_counted(datagram: bytes) -> None:
    network = FakeNetwork()
    network.receive(PATH, datagram)
    assert network.router.drops.total() == 1
    assert DropReason.INTERNAL_ERROR not in network.router.drops
