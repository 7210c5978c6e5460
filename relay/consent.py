"""Consent on a selected pair, both ways (RFC 7675): whether the peer still wants what we send, and our
answers to its asking the same.

No I/O, and time is an argument: `ice_agent.py` sends what this makes, and asks it when a datagram or a
timer comes. The usual requests do not come here: `responder.py` answers them on the media plane. One
`Consent` is for one path and one pair of ICE credentials; another path or an ICE restart has another.
"""

from __future__ import annotations

import os
import random

from . import binding
from .address import Path
from .binding import IntegrityKey
from .responder import Responder

INTERVAL = 5.0
"""Seconds between checks on the average, each between 0.8 and 1.2 of it (RFC 7675 §5.1)."""

EXPIRY = 30.0
"""Seconds that an answer is worth (RFC 7675 §5.1)."""

PROMPT = 0.5
"""Seconds within which an answer tells the round-trip time; a later one may have waited for a phone."""

MAX_OUTSTANDING = 8
"""Checks whose answers are waited for; more than fit between an answer and the expiry."""


class Consent:
    """The peer's consent to get media by `path`.

    template: the attributes of our checks. round_trip_time: seconds, as the latest prompt answer told;
    None before. expires: when there is no consent any more, on the clock of `now`. responder: what
    answers requests like the peer's last one; None before there was one.
    """

    __slots__ = (
        "_local_password",
        "_outstanding",
        "_remote",
        "_template",
        "expires",
        "path",
        "remote_password",
        "responder",
        "round_trip_time",
    )

    def __init__(
        self, path: Path, local_password: str, remote_password: str, template: bytes, now: float
    ) -> None:
        self.path = path
        self.remote_password = remote_password
        self.responder: Responder | None = None
        self._local_password = local_password
        self._remote = IntegrityKey(remote_password)
        self.round_trip_time: float | None = None
        self.expires = now + EXPIRY
        self._template = template
        self._outstanding: dict[bytes, float] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether a check has not been answered yet."""
        return bool(self._outstanding)

    def delay(self, now: float) -> float:
        """Seconds until `check` or the expiry is due, whichever comes first."""
        return min(INTERVAL * random.uniform(0.8, 1.2), max(0.0, self.expires - now))

    def check(self, now: float) -> bytes:
        """A new Binding request. Never the same twice: an answer cannot be made in advance."""
        transaction = os.urandom(12)
        if len(self._outstanding) >= MAX_OUTSTANDING:
            del self._outstanding[next(iter(self._outstanding))]
        self._outstanding[transaction] = now
        return binding.sealed(binding.REQUEST, transaction, self._template, self._remote)

    def expects(self, datagram: bytes) -> bool:
        """Whether it answers a check, if it is authentic."""
        return datagram[binding.TRANSACTION] in self._outstanding

    def is_answer(self, datagram: bytes) -> bool:
        """Whether it is a success response of the usual form, and authentic."""
        return datagram[:2] == binding.RESPONSE and binding.is_authentic(datagram, self._remote)

    def renew(self, datagram: bytes, now: float) -> None:
        """Take an authentic answer that was expected."""
        # It counts as come when the first of those did that were received with it: perhaps before we asked.
        elapsed = max(0.0, now - self._outstanding[datagram[binding.TRANSACTION]])
        if elapsed < PROMPT:
            self.round_trip_time = elapsed
        self._outstanding.clear()
        self.expires = now + EXPIRY

    def learn(self, datagram: bytes) -> None:
        """Remember an authentic request that asked for nothing but an answer."""
        if not binding.is_sealed(datagram):
            self.responder = None
        elif self.responder is None or self.responder.body != binding.body_of(datagram):
            body = binding.body_of(datagram)
            self.responder = Responder(self.path.remote, self._local_password, body)

    def answer(self, datagram: bytes) -> bytes | None:
        """The response to an authentic request like the one before; None for any other message, which
        somebody else has to look at."""
        return self.responder.answer(datagram) if self.responder is not None else None
