"""How many connections the server carries, and how many it sets up at the same time. No I/O.

A connection costs memory for as long as it lives (about 40 KiB), and twice that and some CPU while it
shakes hands. One address gets at most half of what is being set up, so that it cannot keep everybody else
out; an offer that nobody answers is given up, so that it cannot by doing nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from relay import CloseReason, ConnectionState
from signaling.errors import ErrorCode, SignalingError
from signaling.media import MediaConnection
from signaling.refusals import Refusal, Refusals

MAX_SHARE = 0.5
"""Of the connections that are being set up, for one address."""

OFFER_TIMEOUT = 30.0
"""Seconds that an offer waits for its answer. Browsers answer at once: the microphone is open before."""


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
        if self.handshakes >= self._max_handshakes or (group and self._shares[group] >= share):
            self._refusals.count(Refusal.HANDSHAKES)
            raise SignalingError(
                ErrorCode.RATE_LIMITED,
                "Too many connections are being set up; try again in a moment.",
            )

    def follow(self, media: MediaConnection, group: str) -> None:
        """Count a new connection until it closes."""
        self.connections += 1
        self.handshakes += 1
        self._shares[group] += 1
        self._offers[media] = None
        settle = _once(partial(self._settle, group))
        media.add_listener("connected", settle)
        media.add_listener("closed", partial(self._closed, media, settle))

    def expire(self, now: float) -> None:
        """Close what was offered and not answered; to be called now and then. now: seconds on any steady
        clock."""
        for media, since in tuple(self._offers.items()):
            if media.state is not ConnectionState.NEW:
                del self._offers[media]
            elif since is None:
                self._offers[media] = now
            elif now - since >= OFFER_TIMEOUT:
                self._refusals.count(Refusal.UNANSWERED)
                media.close(CloseReason.FAILED)

    def _settle(self, group: str) -> None:
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
