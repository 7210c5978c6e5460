"""What one address may ask for: arithmetic by hand-turned clocks, and nothing that grows."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import limits
from signaling.limits import (
    BURST,
    READS,
    Addresses,
    AddressLimits,
    Visitor,
    address_group,
    client_address,
    is_within,
)
from signaling.refusals import Refusal, Refusals

ADA, BOB = "192.0.2.1", "192.0.2.2"


def _addresses(limits: AddressLimits | None = None) -> tuple[Addresses, Refusals]:
    refusals = Refusals()
    return Addresses(limits or AddressLimits(), refusals), refusals


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket's path", "a socket's path"),
    ],
)
def test_what_counts_as_one_address(address: str, group: str) -> None:
    assert address_group(address) == group


def test_sockets_at_once() -> None:
    addresses, refusals = _addresses(AddressLimits(sockets=2))

    assert [addresses.open(ADA, 0.0) for _ in range(3)] == [None, None, Refusal.ADDRESS_SOCKETS]
    assert addresses.open(BOB, 0.0) is None
    addresses.close(ADA)
    assert addresses.open(ADA, 0.0) is None
    assert refusals.as_dict() == {"address_sockets": 1}


def test_new_sockets_a_second() -> None:
    addresses, refusals = _addresses(AddressLimits(sockets=0, socket_rate=2))
    burst = int(2 * BURST)

    assert [addresses.open(ADA, 0.0) for _ in range(burst)] == [None] * burst
    for now in (0.0, 0.4):
        assert addresses.open(ADA, now) is Refusal.ADDRESS_SOCKET_RATE
    # No debt: whoever is behind the same address does not pay for those that were refused.
    assert [addresses.open(ADA, 1.0) for _ in range(3)] == [None, None, Refusal.ADDRESS_SOCKET_RATE]
    assert addresses.open(BOB, 1.0) is None
    assert refusals[Refusal.ADDRESS_SOCKET_RATE] == 3


@pytest.mark.parametrize(
    ("ask", "rate", "refusal"),
    [
        (Visitor.may_join, 1, Refusal.ADDRESS_JOINS),
        (Visitor.may_send, 1, Refusal.ADDRESS_MESSAGES),
        (Visitor.may_read, READS, Refusal.ADDRESS_READS),
    ],
    ids=["joins", "messages", "reads"],
)
def test_joins_messages_and_reads_a_second(ask: object, rate: int, refusal: Refusal) -> None:
    assert callable(ask)
    addresses, refusals = _addresses(AddressLimits(join_rate=1, message_rate=1))
    ada, too, bob = Visitor(addresses, ADA), Visitor(addresses, ADA), Visitor(addresses, BOB)

    assert all(ask(ada, 0.0) for _ in range(int(rate * BURST)))
    assert not ask(ada, 0.0)
    assert not ask(too, 0.0)  # by whichever socket
    assert ask(bob, 0.0)
    assert ask(too, 1.0)
    assert refusals.as_dict() == {refusal.value: 2}


def test_a_message_that_costs_less() -> None:
    addresses, _ = _addresses(AddressLimits(message_rate=1))
    ada = Visitor(addresses, ADA)
    count = 0
    while ada.may_send(0.0):
        ada.give_back(0.9)
        count += 1
    assert count >= BURST * 9


def test_no_limits() -> None:
    addresses, refusals = _addresses(AddressLimits(0, 0, 0, 0))
    ada = Visitor(addresses, ADA)

    for _ in range(10_000):
        assert addresses.open(ADA, 0.0) is None
        assert ada.may_join(0.0)
        assert ada.may_send(0.0)
        assert ada.may_read(0.0)
    assert refusals.as_dict() == {}


def test_a_room_of_a_hundred_behind_one_address_is_not_bothered() -> None:
    """The page's files, its socket, joining; everybody consumes everybody; then reloads, all at once."""
    addresses, refusals = _addresses()
    for now in (0.0, 60.0):
        for _ in range(100):
            visitor = Visitor(addresses, ADA)
            for _ in range(40):
                assert addresses.open(ADA, now) is None
                addresses.close(ADA)
            assert addresses.open(ADA, now) is None
            assert visitor.may_join(now)
            for _ in range(99 * 2 + 10):
                assert visitor.may_read(now)
                assert visitor.may_send(now)
            for _ in range(99 * 10):
                assert visitor.may_read(now)
                assert visitor.may_send(now)
                visitor.give_back(0.9)
        for _ in range(100):
            addresses.close(ADA)
    assert refusals.as_dict() == {}


# Memory.


def test_idle_addresses_are_forgotten_and_busy_ones_are_not() -> None:
    addresses, _ = _addresses(AddressLimits(sockets=1))
    addresses.open(ADA, 0.0)
    addresses.open(BOB, 0.0)
    addresses.close(BOB)
    assert len(addresses) == 2

    addresses.open("192.0.2.3", BURST + 1)
    assert len(addresses) == 2
    assert addresses.open(ADA, BURST + 1) is Refusal.ADDRESS_SOCKETS
    addresses.close(BOB)  # of somebody forgotten: nothing happens


def test_a_flood_of_addresses_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ADDRESSES", 50)
    addresses, _ = _addresses(AddressLimits(sockets=1))
    for number in range(20):
        addresses.open(f"10.0.0.{number}", 0.0)
    for number in range(5000):
        group = f"10.1.{number // 250}.{number % 250}"
        addresses.open(group, 0.001 * number)
        addresses.close(group)
        assert len(addresses) <= 50 + 20
    for number in range(20):
        assert addresses.open(f"10.0.0.{number}", 5.0) is Refusal.ADDRESS_SOCKETS


# Behind a proxy.

PROXIES = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.9", ["203.0.113.1"], "192.0.2.9"),  # no proxy of ours: anybody can write a header
        ("127.0.0.1", ["203.0.113.1"], "203.0.113.1"),
        ("::ffff:127.0.0.1", ["203.0.113.1"], "203.0.113.1"),
        (
            "127.0.0.1",
            ["198.51.100.1, 203.0.113.1"],
            "203.0.113.1",
        ),  # the first is the client's own
        ("127.0.0.1", ["198.51.100.1", "203.0.113.1, 10.1.2.3"], "203.0.113.1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", ["[2001:db8::1]:5000"], "2001:db8::1"),
        ("127.0.0.1", ["203.0.113.1:5000"], "203.0.113.1"),
        ("127.0.0.1", ["10.1.2.3"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1, unknown"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("", ["203.0.113.1"], ""),
    ],
)
def test_who_a_proxy_speaks_for(peer: str, forwarded: list[str], client: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == client


@given(st.lists(st.text(max_size=50), max_size=5))
def test_no_header_raises(forwarded: list[str]) -> None:
    found = client_address("127.0.0.1", forwarded, PROXIES)
    assert found == "127.0.0.1" or not is_within(found, PROXIES)
