"""Addresses as the kernel writes them: compared with what real sockets give."""

from __future__ import annotations

import ctypes
import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.address import Address, Path, family_of, pack_sockaddr, unpack_sockaddr

LOOPBACKS = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]

hosts = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
addresses = st.builds(Address, hosts, st.integers(0, 65535))


def kernel_sockaddr(udp: socket.socket) -> bytes:
    """What `getsockname(2)` writes for a socket."""
    name = ctypes.create_string_buffer(128)
    length = ctypes.c_uint32(len(name))
    assert ctypes.CDLL(None).getsockname(udp.fileno(), name, ctypes.byref(length)) == 0
    return name.raw[: length.value]


@pytest.mark.parametrize(("family", "host"), LOOPBACKS)
def test_packs_as_the_kernel_does(family: int, host: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.bind((host, 0))
        address = Address(*udp.getsockname()[:2])
        packed = kernel_sockaddr(udp)
    assert pack_sockaddr(address) == packed
    assert unpack_sockaddr(packed) == address


@given(addresses)
def test_unpack_undoes_pack(address: Address) -> None:
    packed = pack_sockaddr(address)
    assert len(packed) == (28 if ":" in address.host else 16)
    unpacked = unpack_sockaddr(packed)
    assert unpacked.port == address.port
    # The kernel's text of an address may differ from Python's (`::1.2.3.4`), never its meaning.
    kind = IPv6Address if ":" in address.host else IPv4Address
    assert kind(unpacked.host) == kind(address.host)
    assert pack_sockaddr(unpacked) == packed


@given(addresses, addresses)
def test_packed_addresses_are_equal_when_addresses_are(one: Address, other: Address) -> None:
    assert (pack_sockaddr(one) == pack_sockaddr(other)) == (one == other)


@pytest.mark.parametrize(
    ("host", "family"),
    [
        ("127.0.0.1", socket.AF_INET),
        ("255.255.255.255", socket.AF_INET),
        ("::", socket.AF_INET6),
        ("2001:db8::1", socket.AF_INET6),
        ("::ffff:192.0.2.1", socket.AF_INET6),
    ],
)
def test_family_of_a_literal(host: str, family: int) -> None:
    assert family_of(host) == family


@pytest.mark.parametrize("host", ["", "localhost", "1.2.3", "1.2.3.4.5", "f00.local", "[::1]"])
def test_a_name_has_no_family(host: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        family_of(host)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("192.0.2.1", 40000), "192.0.2.1:40000"),
        (Address("2001:db8::1", 9), "[2001:db8::1]:9"),
    ],
)
def test_an_address_as_text(address: Address, text: str) -> None:
    assert str(address) == text


def test_a_path_as_text() -> None:
    path = Path(Address("192.0.2.1", 40000), Address("::1", 9))
    assert str(path) == "192.0.2.1:40000 <-> [::1]:9"
