"""How many connections the server carries, and how many it sets up at the same time. No I/O.

A connection costs memory for as long as it lives (about 40 KiB), and twice that and some CPU while it
shakes hands. One address gets at most half of what is being set up, so that it cannot keep everybody else
out; an offer that nobody answers is given up, so that it cannot by doing nothing. Many addresses cannot
either: when everything is taken, who has been setting up for long makes room for who is new. It is of the
address that has the most of those which have been there longest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import islice
from operator import itemgetter

from relay import CloseReason, ConnectionState
from signaling.errors import ErrorCode, SignalingError
from signaling.media import MediaConnection
from signaling.refusals import Refusal, Refusals

MAX_SHARE = 0.5
"""Of the connections that are being set up, for one address."""

YIELD_AFTER = 3.0
"""Seconds after which a connection that is being set up makes room for another, when there is none left.
Browsers are done within one on a good network."""

OFFER_TIMEOUT = 30.0
"""Seconds that an offer waits for its answer. Browsers answer at once: the microphone is open before."""

_OLDEST = 32  # of those that are being set up, one of which makes room


class Capacity:
    """max_connections: publishers and consumers together; max_handshakes: of them, those whose media
    cannot flow yet."""

    def __init__(
        self,
        max_connections: int = 50_000,
        max_handshakes: int = 5000,
        refusals: Refusals | None = None,
    ) -> None:
        self.connections = 0
        self.handshakes = 0
        self._max_connections = max_connections
        self._max_handshakes = max_handshakes
        self._refusals = refusals or Refusals()
        self._shares: Counter[str] = Counter()
        self._offers: dict[MediaConnection, float | None] = {}  # the oldest first
        self._settling: dict[MediaConnection, tuple[str, float]] = {}  # likewise: whose, since when
        self._now = 0.0

    def check(self, group: str) -> None:
        """Whether there is a place for one more connection. group: what the address of who asks counts
        as, empty if that is not known. Raises SignalingError: `server_full`, `rate_limited`."""
        if self.connections >= self._max_connections:
            self._refusals.count(Refusal.SERVER_FULL)
            raise SignalingError(
                ErrorCode.SERVER_FULL,
                f"The server has no place for another connection; {self._max_connections} are open.",
            )
        share = self._max_handshakes * MAX_SHARE
        if (group and self._shares[group] >= share) or not self._has_room():
            self._refusals.count(Refusal.HANDSHAKES)
            raise SignalingError(
                ErrorCode.RATE_LIMITED,
                "Too many connections are being set up; try again in a moment.",
            )

    def _has_room(self) -> bool:
        """Whether one more may be set up; another one may have to go for it."""
        if self.handshakes < self._max_handshakes:
            return True
        oldest = [
            (self._shares[group], media)
            for media, (group, since) in islice(self._settling.items(), _OLDEST)
            if self._now - since >= YIELD_AFTER
        ]
        if not oldest:
            return False
        _, media = max(oldest, key=itemgetter(0))
        self._refusals.count(Refusal.DISPLACED)
        media.close(CloseReason.FAILED)
        return self.handshakes < self._max_handshakes

    def follow(self, media: MediaConnection, group: str) -> None:
        """Count a new connection until it closes."""
        self.connections += 1
        self.handshakes += 1
        self._shares[group] += 1
        self._offers[media] = None
        self._settling[media] = group, self._now
        settle = _once(partial(self._settle, media, group))
        media.add_listener("connected", settle)
        media.add_listener("closed", partial(self._closed, media, settle))

    def expire(self, now: float) -> None:
        """Close what was offered and not answered; to be called several times a second, for it also tells
        the time. now: seconds on any steady clock."""
        self._now = now
        for media, since in tuple(self._offers.items()):
            if media.state is not ConnectionState.NEW:
                del self._offers[media]
            elif since is None:
                self._offers[media] = now
            elif now - since >= OFFER_TIMEOUT:
                self._refusals.count(Refusal.UNANSWERED)
                media.close(CloseReason.FAILED)

    def _settle(self, media: MediaConnection, group: str) -> None:
        del self._settling[media]
        self.handshakes -= 1
        self._shares[group] -= 1
        if not self._shares[group]:
            del self._shares[group]

    def _closed(self, media: MediaConnection, settle: Callable[[], None], _: CloseReason) -> None:
        settle()
        self.connections -= 1
        self._offers.pop(media, None)


def _once(do: Callable[[], None]) -> Callable[[], None]:
    """The same, which does nothing from the second call on."""
    left = [do]

    def done() -> None:
        if left:
            left.pop()()

    return done
