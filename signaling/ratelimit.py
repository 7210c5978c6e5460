"""How fast a socket's messages may come: a token bucket that goes into debt. Pure; time is an argument."""

from __future__ import annotations


class TokenBucket:
    """Holds up to `burst` tokens, and gets `rate` new ones a second.

    A message is taken while there is a token for it. One that comes when there is none makes the debt
    larger: who goes on all the same is told by `debt`, who slows down is soon out of it.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, tokens: float = 1) -> bool:
        """Take one token, or so many, at the time `now` (seconds); whether they were there."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        self._tokens -= tokens
        return self._tokens >= 0

    def spend(self, now: float) -> bool:
        """Take one token if there is one; nobody gets into debt."""
        if self.take(now):
            return True
        self.give_back(1)
        return False

    def give_back(self, tokens: float) -> None:
        """Return a part of a token, for a message that cost less."""
        self._tokens = min(self._burst, self._tokens + tokens)

    @property
    def debt(self) -> float:
        """Tokens that were taken without being there."""
        return max(0.0, -self._tokens)
