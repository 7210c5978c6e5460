"""What is decided about a socket before it may ask for anything: is there a place, and who is it? No I/O.

    arrive      a TCP connection is there             503, or 429 for too many of one address
    identify    its request is there                  429, for who a trusted proxy speaks for
    admit_page  the request is for a WebSocket        403, for pages of other origins
    leave       the connection is gone

The first answer costs the server no reading: it is given before a byte of the request is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from signaling.limits import Addresses, Network, Visitor, address_group, client_address, is_within
from signaling.origins import Origins
from signaling.refusals import Refusal, Refusals

STATUS = {
    Refusal.SERVER_SOCKETS: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.ADDRESS_SOCKETS: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.ADDRESS_SOCKET_RATE: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.ORIGIN: HTTPStatus.FORBIDDEN,
}
"""What a refused request is answered by."""

RETRY_AFTER = 10
"""Seconds, for those who are told to come again."""


@dataclass(slots=True)
class Arrival:
    """A connection that may ask. peer: the other end of it; group: whom it counts for, None until a trusted
    proxy has said so."""

    peer: str
    group: str | None


class Gate:
    """max_sockets: connections at the same time. proxies: whose X-Forwarded-For is believed."""

    def __init__(
        self,
        addresses: Addresses,
        refusals: Refusals,
        max_sockets: int = 10_000,
        origins: Origins | None = None,
        proxies: Sequence[Network] = (),
    ) -> None:
        self.sockets = 0
        self._addresses = addresses
        self._refusals = refusals
        self._max_sockets = max_sockets
        self._origins = origins or Origins()
        self._proxies = tuple(proxies)

    def arrive(self, peer: str, now: float) -> Arrival | Refusal:
        """Somebody connects. peer: their address; now: seconds on any steady clock, here and below. Who
        gets an arrival must `leave` in the end."""
        if self.sockets >= self._max_sockets:
            self._refusals.count(Refusal.SERVER_SOCKETS)
            return Refusal.SERVER_SOCKETS
        arrival = Arrival(peer, None)
        if not is_within(peer, self._proxies):
            refusal = self._count(arrival, peer, now)
            if refusal is not None:
                return refusal
        self.sockets += 1
        return arrival

    def identify(self, arrival: Arrival, forwarded: Sequence[str], now: float) -> Refusal | None:
        """The request is there. forwarded: the values of its X-Forwarded-For."""
        if arrival.group is not None:
            return None
        return self._count(arrival, client_address(arrival.peer, forwarded, self._proxies), now)

    def admit_page(self, origins: Sequence[str], hosts: Sequence[str]) -> Refusal | None:
        """It is for a WebSocket. origins, hosts: the values of `Origin` and `Host`."""
        if self._origins.allow(origins, hosts):
            return None
        self._refusals.count(Refusal.ORIGIN)
        return Refusal.ORIGIN

    def visitor(self, arrival: Arrival) -> Visitor:
        """Who it is, to the limits of what they say."""
        return Visitor(self._addresses, arrival.group or "")

    def leave(self, arrival: Arrival) -> None:
        """The connection is gone."""
        self.sockets -= 1
        if arrival.group is not None:
            self._addresses.close(arrival.group)

    def _count(self, arrival: Arrival, address: str, now: float) -> Refusal | None:
        group = address_group(address)
        refusal = self._addresses.open(group, now)
        if refusal is None:
            arrival.group = group
        return refusal
