"""Candidates and media hosts: tables, on a machine of our own making."""

from __future__ import annotations

from ipaddress import ip_address

import ifaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.address import Address
from relay.errors import ParameterError
from relay.interfaces import ANNOUNCE_LOCAL, candidates, machine_addresses, media_hosts

IPV4, IPV6 = Address("192.0.2.1", 40000), Address("2001:db8::1", 40000)
IPV4_TOO = Address("192.0.2.2", 40000)
PUBLIC_IPV4, PUBLIC_IPV6 = "203.0.113.7", "2001:db8:ffff::7"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two interfaces beside loopback, as `ifaddr` tells them."""

    def adapter(name: str, *hosts: str) -> ifaddr.Adapter:
        entries = [
            ifaddr.IP((host, 0, 0), 64, name) if ":" in host else ifaddr.IP(host, 24, name)
            for host in hosts
        ]
        return ifaddr.Adapter(name, name, entries)

    adapters = [
        adapter("lo", "127.0.0.1", "::1"),
        adapter("eth0", "192.0.2.1", "fe80::1", "2001:db8::1"),
        adapter("eth1", "192.0.2.2", "169.254.0.9", "192.0.2.1"),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("hosts", "loopback", "expected"),
    [
        ([], True, ["2001:db8::1", "192.0.2.1", "192.0.2.2", "::1", "127.0.0.1"]),
        ([], False, ["2001:db8::1", "192.0.2.1", "192.0.2.2"]),
        (["0.0.0.0"], True, ["192.0.2.1", "192.0.2.2", "127.0.0.1"]),
        (["0.0.0.0"], False, ["192.0.2.1", "192.0.2.2"]),
        (["::"], False, ["2001:db8::1"]),
        (["0:0::0"], False, ["2001:db8::1"]),
        (["0.0.0.0", "::"], False, ["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
        (["192.0.2.9"], True, ["192.0.2.9"]),
        (["127.0.0.1"], False, ["127.0.0.1"]),  # asked for by name
        (["2001:DB8:0::9", "2001:db8::9"], True, ["2001:db8::9"]),
        (["192.0.2.2", "0.0.0.0"], False, ["192.0.2.2", "192.0.2.1"]),
    ],
)
def test_media_hosts(hosts: list[str], loopback: bool, expected: list[str]) -> None:
    assert media_hosts(hosts, loopback=loopback) == expected


@pytest.mark.parametrize("host", ["localhost", "", "192.0.2.0/24", "1.2.3", "[::1]"])
def test_a_media_host_is_an_address(host: str) -> None:
    with pytest.raises(ParameterError, match="an IPv4 or IPv6 address"):
        media_hosts([host])


def test_this_machine_has_loopback_and_nothing_link_local() -> None:
    found = [ip_address(host) for host in machine_addresses(loopback=True)]
    assert ip_address("127.0.0.1") in found
    assert not any(address.is_link_local for address in found)
    outside = [address for address in found if not address.is_loopback]
    assert list(map(str, outside)) == machine_addresses(loopback=False)


def told(local: list[Address], announce: list[str]) -> list[str]:
    return [f"{c.address} {c.port}" for c in candidates(local, announce)]


@pytest.mark.parametrize(
    ("announce", "expected"),
    [
        ([], ["2001:db8::1 40000", "192.0.2.1 40000"]),
        # An announced address stands for the local ones of its family, and of no other.
        ([PUBLIC_IPV4], ["203.0.113.7 40000", "2001:db8::1 40000"]),
        ([PUBLIC_IPV6], ["2001:db8:ffff::7 40000", "192.0.2.1 40000"]),
        ([PUBLIC_IPV4, PUBLIC_IPV6], ["203.0.113.7 40000", "2001:db8:ffff::7 40000"]),
        # `local` keeps them, after the announced ones.
        (["local", PUBLIC_IPV4], ["203.0.113.7 40000", "2001:db8::1 40000", "192.0.2.1 40000"]),
        ([PUBLIC_IPV4, "local"], ["203.0.113.7 40000", "2001:db8::1 40000", "192.0.2.1 40000"]),
        (["local"], ["2001:db8::1 40000", "192.0.2.1 40000"]),
        # Said twice, or said though it is local: told once.
        ([PUBLIC_IPV4, PUBLIC_IPV4], ["203.0.113.7 40000", "2001:db8::1 40000"]),
        (["192.0.2.1", "local"], ["192.0.2.1 40000", "2001:db8::1 40000"]),
        (["2001:DB8:FFFF:0::7"], ["2001:db8:ffff::7 40000", "192.0.2.1 40000"]),
    ],
)
def test_announced_addresses(announce: list[str], expected: list[str]) -> None:
    assert told([IPV6, IPV4], announce) == expected


def test_an_announced_address_without_a_socket_of_its_family_is_of_no_use() -> None:
    assert told([IPV4], [PUBLIC_IPV6]) == ["192.0.2.1 40000"]


def test_an_announced_address_is_told_once_for_sockets_that_share_a_port() -> None:
    assert told([IPV4, IPV4_TOO], [PUBLIC_IPV4]) == ["203.0.113.7 40000"]


def test_an_announced_address_is_told_with_every_port() -> None:
    elsewhere = IPV4_TOO._replace(port=40001)
    assert told([IPV4, elsewhere], [PUBLIC_IPV4]) == ["203.0.113.7 40000", "203.0.113.7 40001"]


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "",
        "LOCAL",
        "203.0.113.7:40000",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "fe80::1%eth0",
    ],
)
def test_an_announced_address_is_an_address_of_one_machine(host: str) -> None:
    with pytest.raises(ParameterError, match="or 'local'"):
        candidates([IPV4], [host])


def test_a_candidate_is_a_udp_host_candidate_of_the_first_component() -> None:
    (candidate,) = candidates([IPV4], [])
    assert (candidate.component, candidate.protocol, candidate.type) == (1, "udp", "host")
    # RFC 8445 §5.1.2.1: type preference 126, local preference 65535, component 1.
    assert candidate.priority == 126 * 2**24 + 65535 * 2**8 + 255


sockets = st.lists(st.builds(Address, st.ip_addresses().map(str), st.integers(1, 65535)))
machines = st.ip_addresses().filter(lambda host: not (host.is_unspecified or host.is_multicast))
announced = st.lists(st.one_of(st.just(ANNOUNCE_LOCAL), machines.map(str)))


@given(sockets, announced)
def test_priorities_descend_and_nothing_is_told_twice(
    local: list[Address], announce: list[str]
) -> None:
    found = candidates(local, announce)
    priorities = [candidate.priority for candidate in found]
    assert priorities == sorted(set(priorities), reverse=True)
    assert all(0 < priority < 2**31 for priority in priorities)
    assert len({(c.address, c.port) for c in found}) == len(found)
    assert len({c.foundation for c in found}) == len(found)
