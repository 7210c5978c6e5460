"""Answers to the check that a connected peer repeats for hours (RFC 7675, RFC 8445 §7.3).

Once `consent.py` has learnt what it looks like, the media plane answers it by itself, in both of its
implementations; `native/responder.c` is the twin of this. It answers a request whose attributes are to the
byte those of the one before, and which is authentic. Whatever else comes goes up to `ice.py`.
"""

from __future__ import annotations

from ipaddress import ip_address

from . import binding
from .address import Address
from .binding import IntegrityKey
from .screening import Budget

ANSWER_RATE, ANSWER_BURST = 10.0, 20.0
"""Checks of one peer that are answered here: so many a second, and so many at once. A connected browser
sends one in 2.5 s; the rest goes up, to the budget of `ice_agent.py`."""


class Responder:
    """Answers one peer's usual request. remote: where it comes from; password: of ours, which signs it;
    body: its attributes before MESSAGE-INTEGRITY. budget: whoever answers takes from it."""

    __slots__ = ("_host", "_key", "_port", "body", "budget", "password")

    def __init__(self, remote: Address, password: str, body: bytes) -> None:
        self.password = password.encode()
        self.body = body
        self.budget = Budget(ANSWER_RATE, ANSWER_BURST)
        self._key = IntegrityKey(password)
        self._host, self._port = ip_address(remote.host).packed, remote.port

    def answer(self, datagram: bytes) -> bytes | None:
        """The response to that request; None for any other datagram."""
        if datagram[:2] != binding.REQUEST or binding.body_of(datagram) != self.body:
            return None
        if not binding.is_authentic(datagram, self._key):
            return None
        transaction = datagram[binding.TRANSACTION]
        body = binding.mapped_address(self._host, self._port, transaction)
        return binding.sealed(binding.RESPONSE, transaction, body, self._key)
