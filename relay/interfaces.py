"""Which addresses the machine has, and which candidates clients get for them. Only this module knows
`ifaddr`."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

import ifaddr

from .address import Address, family_of
from .errors import ParameterError
from .parameters import IceCandidate

ANNOUNCE_LOCAL = "local"
"""In place of an announced address: the local addresses, too."""

_HOST_TYPE_PREFERENCE = 126
_WILDCARDS = {"0.0.0.0": 4, "::": 6}


def machine_addresses(*, loopback: bool) -> list[str]:
    """IPv4 and IPv6 literals of every interface, IPv6 first (RFC 8421 §4), link-local ones left out:
    a browser cannot use them without a zone. Loopback ones come last, if at all."""
    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            address = ip_address(entry.ip if isinstance(entry.ip, str) else entry.ip[0])
            if not address.is_link_local and (loopback or not address.is_loopback):
                found.append(address)
    found.sort(key=lambda address: (address.is_loopback, -address.version))
    return list(dict.fromkeys(map(str, found)))


def media_hosts(hosts: Iterable[str], *, loopback: bool = True) -> list[str]:
    """The addresses to open sockets on: `hosts` in canonical form, each wildcard replaced by the
    machine's addresses of that family; all of the machine's when there are none.

    loopback: whether the machine's loopback addresses count among its own. Raises ParameterError.
    """
    wanted = list(hosts)
    if not wanted:
        return machine_addresses(loopback=loopback)
    expanded: list[str] = []
    for host in wanted:
        try:
            address = ip_address(host)
        except ValueError:
            raise ParameterError(f"media host {host!r}", "an IPv4 or IPv6 address") from None
        if str(address) in _WILDCARDS:
            expanded += [
                own
                for own in machine_addresses(loopback=loopback)
                if ip_address(own).version == _WILDCARDS[str(address)]
            ]
        else:
            expanded.append(str(address))
    return list(dict.fromkeys(expanded))


def candidates(local: Iterable[Address], announce: Iterable[str]) -> tuple[IceCandidate, ...]:
    """What clients are told, best first.

    An announced address stands for the local ones of its family, on their port; `local` among the
    announced keeps those as well. Raises ParameterError for what is no address of one machine.
    """
    sockets = list(local)
    announced = list(announce)
    public = [_announced(host) for host in announced if host != ANNOUNCE_LOCAL]
    replaced = set() if ANNOUNCE_LOCAL in announced else {family_of(host) for host in public}
    addresses = [
        Address(host, own.port)
        for host in public
        for own in sockets
        if family_of(host) == family_of(own.host)
    ]
    addresses += [own for own in sockets if family_of(own.host) not in replaced]
    return tuple(
        _candidate(index, address) for index, address in enumerate(dict.fromkeys(addresses))
    )


def _announced(host: str) -> str:
    """An address that clients elsewhere may send to: one of a single machine, and without a zone, which
    means something on that machine only (RFC 4007 §6)."""
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is None or "%" in host or address.is_unspecified or address.is_multicast:
        raise ParameterError(
            f"announced address {host!r}", "an IPv4 or IPv6 address of one machine, or 'local'"
        )
    return str(address)


def _candidate(index: int, address: Address) -> IceCandidate:
    # RFC 8445 §5.1.2.1; each address has a local preference of its own.
    priority = (_HOST_TYPE_PREFERENCE << 24) + ((65535 - index) << 8) + 255
    return IceCandidate(str(index + 1), 1, "udp", priority, address.host, address.port, "host")
