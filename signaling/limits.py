"""How much one address may ask for, whatever it asks by how many sockets. Pure; time is an argument.

An address is an IPv4 address, or an IPv6 network of 64 bits: that is what one household or one machine
gets. Behind a proxy it is who the proxy says it speaks for, if the operator trusts the proxy; a header that
anybody else sends is nobody's address.

A rate is what may go on for ever, and `BURST` seconds of it may come at once: a room of a hundred behind
one address enters within seconds, and is not to notice. What is remembered is bounded: an address without
sockets is forgotten once its allowance is whole again.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from signaling.ratelimit import TokenBucket
from signaling.refusals import Refusal, Refusals

BURST = 60.0
"""Seconds of a rate that may be used up at once, and after which an idle address is forgotten."""

READS = 5
"""Frames, and reads of a socket, for each message that an address may send. Who enters a room of a hundred
sends some 200 messages and 1,000 candidates, so a room of a hundred behind one address enters twice."""

MAX_ADDRESSES = 20_000
"""That are remembered; about 1 KiB each."""

_LOOKS = 8
"""At old entries for each new one: bounded work, and quick enough to keep the table small."""

_IPV6_PREFIX = 64

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class AddressLimits:
    """For each address; 0 is no limit.

    sockets: TCP connections at once. socket_rate, join_rate, message_rate: new connections, attempts to
    join, and messages, each a second.
    """

    sockets: int = 1000
    socket_rate: int = 100
    join_rate: int = 10
    message_rate: int = 1000


@dataclass(slots=True)
class _Entry:
    sockets: int
    used: float
    connecting: TokenBucket
    joining: TokenBucket
    talking: TokenBucket
    reading: TokenBucket


class Addresses:
    """All that were here lately."""

    def __init__(self, limits: AddressLimits, refusals: Refusals) -> None:
        self._limits = limits
        self._refusals = refusals
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # the longest unused first

    def __len__(self) -> int:
        return len(self._entries)

    def open(self, group: str, now: float) -> Refusal | None:
        """Count a new socket of a group (`address_group`); the reason, if there may be none. now:
        seconds on any steady clock, here and below. After None, `close` it in the end."""
        entry = self._entry(group, now)
        refusal = None
        if self._limits.sockets and entry.sockets >= self._limits.sockets:
            refusal = Refusal.ADDRESS_SOCKETS
        elif not entry.connecting.spend(now):
            refusal = Refusal.ADDRESS_SOCKET_RATE
        else:
            entry.sockets += 1
        if refusal is not None:
            self._refusals.count(refusal)
        return refusal

    def close(self, group: str) -> None:
        """A socket is gone."""
        entry = self._entries.get(group)
        if entry is not None:
            entry.sockets -= 1

    def may_join(self, group: str, now: float) -> bool:
        """Whether one more attempt to join is allowed; counts it."""
        return self._may(self._entry(group, now).joining, Refusal.ADDRESS_JOINS, now)

    def may_send(self, group: str, now: float) -> bool:
        """Whether one more message is allowed; counts it."""
        return self._may(self._entry(group, now).talking, Refusal.ADDRESS_MESSAGES, now)

    def may_read(self, group: str, now: float) -> bool:
        """Whether one more frame, or piece of one, is looked at; counts it."""
        return self._may(self._entry(group, now).reading, Refusal.ADDRESS_READS, now)

    def give_back(self, group: str, messages: float) -> None:
        """Return a part of a message that cost less."""
        entry = self._entries.get(group)
        if entry is not None:
            entry.talking.give_back(messages)

    def _may(self, bucket: TokenBucket, refusal: Refusal, now: float) -> bool:
        allowed = bucket.spend(now)
        if not allowed:
            self._refusals.count(refusal)
        return allowed

    def _entry(self, group: str, now: float) -> _Entry:
        entry = self._entries.get(group)
        if entry is None:
            self._forget(now)
            limits = self._limits
            entry = self._entries[group] = _Entry(
                0,
                now,
                _bucket(limits.socket_rate, now),
                _bucket(limits.join_rate, now),
                _bucket(limits.message_rate, now),
                _bucket(limits.message_rate * READS, now),
            )
        entry.used = now
        self._entries.move_to_end(group)
        return entry

    def _forget(self, now: float) -> None:
        """Make room for one more: forget who was idle for long, and whoever has to go. Who has sockets
        open stays; of those there are no more than the server takes."""
        for _ in range(_LOOKS):
            if not self._entries:
                return
            group, entry = next(iter(self._entries.items()))
            if now - entry.used < BURST and len(self._entries) < MAX_ADDRESSES:
                return
            del self._entries[group]
            if entry.sockets:
                # Seen as used now, so that the next one does not have to look at it again.
                entry.used = now
                self._entries[group] = entry


class Visitor:
    """Who is behind one socket, to the limits. group: what the address counts as."""

    def __init__(self, addresses: Addresses, group: str) -> None:
        self.group = group
        self._addresses = addresses

    def may_join(self, now: float) -> bool:
        """Whether one more attempt to join is allowed; counts it."""
        return self._addresses.may_join(self.group, now)

    def may_send(self, now: float) -> bool:
        """Whether one more message is allowed; counts it."""
        return self._addresses.may_send(self.group, now)

    def may_read(self, now: float) -> bool:
        """Whether one more frame, or piece of one, is looked at; counts it."""
        return self._addresses.may_read(self.group, now)

    def give_back(self, messages: float) -> None:
        """Return a part of a message that cost less."""
        self._addresses.give_back(self.group, messages)


def address_group(address: str) -> str:
    """What limits count an address as: itself, or the network of 64 bits around an IPv6 address. What is
    no address, such as a Unix socket's, counts as itself."""
    try:
        found = ip_address(address.partition("%")[0])  # a link-local one may name its interface
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ip_network((int(found), _IPV6_PREFIX), strict=False))
    return str(found)


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address belongs to one of the networks."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def client_address(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """Who asks. peer: the other end of the socket; forwarded: the values of X-Forwarded-For, which is read
    only when the peer is a trusted proxy. Each proxy appends whom it heard: the last one that is none of
    ours is the client. What cannot be read is the proxy's own doing."""
    if not is_within(peer, proxies):
        return peer
    for entry in reversed(",".join(forwarded).split(",")):
        address = _bare_address(entry.strip())
        if address is None:
            return peer
        if not is_within(address, proxies):
            return address
    return peer


_WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](?::[0-9]+)?|(?P<four>[0-9.]+):[0-9]+")


def _bare_address(entry: str) -> str | None:
    """An address without brackets and port, which some proxies add."""
    found = _WITH_PORT.fullmatch(entry)
    text = (found["six"] or found["four"]) if found else entry
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _bucket(rate: int, now: float) -> TokenBucket:
    # Without a limit the bucket holds more than anybody takes in the time in which it is filled again.
    return TokenBucket(rate, rate * BURST, now) if rate else TokenBucket(1e12, 1e12, now)
