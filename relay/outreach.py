"""Whom the relay may check for connectivity, who never asked it to. No I/O; time is an argument.

A page names the addresses that checks go to, and may name somebody else's: then the relay would send there
for it. So checks to addresses that have proven nothing share one budget, over all connections, for each
such host and in all. What is beyond it is not sent. That delays nobody who is there: a browser checks too,
and who is heard of may be checked.

    an address that                              may be checked
    answered a check of this connection          always: the answer shows that it gets them
    sent an authentic check, and answered none   `PER_REQUEST` times for each that it sent: its sender may
                                                 be forged (RFC 9000 §8 bounds servers in the same way)
    is only named                                out of what everybody shares
"""

from __future__ import annotations

import math
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from .screening import Budget

HOST_RATE, HOST_BURST = 50.0, 200.0
"""Checks to one host that was only named, whatever the ports: so many a second, and so many at once. One
candidate gets seven in half a minute. A host is an IPv4 address, or an IPv6 network of 64 bits."""

RATE, BURST = 1000.0, 4000.0
"""Likewise to all of them: about 1 Mbit/s for ever."""

PER_REQUEST = 2
"""Checks for each authentic one that came: with the answer to it that makes three datagrams for one."""

MAX_CREDIT = 8
"""Of those, that are saved up."""

_IDLE = HOST_BURST / HOST_RATE  # s until a host's budget is whole again
_IPV6_PREFIX = 8  # bytes

RemoteAddress = tuple[str, int]


class Outreach:
    """What all connections of a relay share."""

    def __init__(self) -> None:
        self._all = Budget(RATE, BURST)
        # With when it was used last, the longest unused first. Only what was sent adds one, and idle ones
        # go: there are never more than `BURST + RATE * _IDLE`.
        self._hosts: OrderedDict[bytes, tuple[Budget, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._hosts)

    def take(self, host: str, now: float) -> bool:
        """Whether a host that was only named may be checked once more. now: seconds on any steady clock,
        here and below."""
        key = _key(host)
        self._forget_idle(now)
        budget, _ = self._hosts.get(key) or (Budget(HOST_RATE, HOST_BURST), now)
        # The host's own comes first, so that checks to one host take nothing from all others.
        if not budget.take(now) or not self._all.take(now):
            return False
        self._hosts[key] = budget, now
        self._hosts.move_to_end(key)
        return True

    def _forget_idle(self, now: float) -> None:
        while self._hosts:
            oldest, (_, used) = next(iter(self._hosts.items()))
            if now - used < _IDLE:
                return
            del self._hosts[oldest]


class Acquaintances:
    """The addresses of one connection's other end, as one of our addresses has heard of them."""

    def __init__(self, outreach: Outreach) -> None:
        self._outreach = outreach
        self._credit: dict[RemoteAddress, float] = {}

    def heard(self, address: RemoteAddress) -> None:
        """An authentic check came from there."""
        credit = self._credit.get(address, 0)
        if credit < MAX_CREDIT:
            self._credit[address] = min(credit + PER_REQUEST, MAX_CREDIT)

    def answered(self, address: RemoteAddress) -> None:
        """A check of ours was answered from there."""
        self._credit[address] = math.inf

    def forget(self, address: RemoteAddress) -> None:
        """It has to prove itself anew."""
        self._credit.pop(address, None)

    def may_check(self, address: RemoteAddress, now: float) -> bool:
        """Whether a check may go there; if so, it counts as sent."""
        credit = self._credit.get(address, 0)
        if credit < 1:
            return self._outreach.take(address[0], now)
        self._credit[address] = credit - 1
        return True


def _key(host: str) -> bytes:
    """What a host's budget is kept by."""
    try:
        address = ip_address(host)
    except ValueError:  # one that the system wrote in a way of its own
        return host.encode()
    packed = address.packed
    if not isinstance(address, IPv6Address) or address.ipv4_mapped is not None:
        return packed[-4:]
    return packed[:_IPV6_PREFIX]
