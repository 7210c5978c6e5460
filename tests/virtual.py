"""Two endpoints, a link that misbehaves as told, and a clock that is turned by hand.

No socket, no sleep: a datagram is delivered at the moment it is sent, or never, twice, or late, as a `Plan`
says for its index. When nothing is under way any more, time jumps to the next deadline of an endpoint.
Datagrams are counted from 0 in the order in which they are sent, both directions together.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Endpoint(Protocol):
    """A sans-I/O protocol endpoint. now: seconds on the virtual clock."""

    def receive(self, datagram: bytes, now: float) -> object:
        """Take a datagram."""

    def datagrams(self) -> list[bytes]:
        """What is to be sent."""

    def deadline(self) -> float | None:
        """When `handle_timeout` is due."""

    def handle_timeout(self, now: float) -> None:
        """The deadline has passed."""


@dataclass(frozen=True)
class Plan:
    """What becomes of datagrams, by index.

    dropped: never arrive. duplicated: arrive twice. delayed: the datagram `i` arrives right after the
    datagram `delayed[i]` was sent, and never if that one never is.
    """

    dropped: Container[int] = ()
    duplicated: Container[int] = ()
    delayed: Mapping[int, int] = field(default_factory=dict)


PERFECT = Plan()


@dataclass(frozen=True)
class Chance:
    """Bernoulli trials in place of a table, the same for the same seed."""

    seed: int
    probability: float
    limit: int
    """Only the first `limit` datagrams are at risk, so that every run comes to an end."""

    def plan(self) -> Plan:
        """Throw the dice."""
        dice = random.Random(self.seed)

        def chosen() -> frozenset[int]:
            return frozenset(i for i in range(self.limit) if dice.random() < self.probability)

        return Plan(chosen(), chosen(), {i: i + dice.randint(1, 3) for i in chosen()})


class Link:
    """What joins two endpoints.

    now: the virtual time in seconds. sent: every datagram with its sender, 0 or 1, in order.
    """

    def __init__(self, first: Endpoint, second: Endpoint, plan: Plan = PERFECT) -> None:
        self.now = 0.0
        self.sent: list[tuple[int, bytes]] = []
        self._endpoints = (first, second)
        self._plan = plan
        self._under_way: deque[tuple[int, bytes]] = deque()
        self._held: list[tuple[int, int, bytes]] = []  # released by which index, for whom, what

    def run(self, done: Callable[[], bool], *, watch: Callable[[], None] | None = None) -> bool:
        """Let things happen until `done` and nothing is under way. False: both ends fell silent.

        watch: called after each single thing that happened.
        """
        while True:
            self._collect()
            if watch is not None:
                watch()
            if self._under_way:
                self._deliver()
            elif done():
                return True
            elif not self._jump():
                return False

    def _collect(self) -> None:
        for sender, endpoint in enumerate(self._endpoints):
            for datagram in endpoint.datagrams():
                self._send(sender, datagram)

    def _send(self, sender: int, datagram: bytes) -> None:
        index, receiver = len(self.sent), 1 - sender
        self.sent.append((sender, datagram))
        if index in self._plan.delayed:
            self._held.append((self._plan.delayed[index], receiver, datagram))
        elif index not in self._plan.dropped:
            copies = 2 if index in self._plan.duplicated else 1
            self._under_way.extend([(receiver, datagram)] * copies)
        for entry in [entry for entry in self._held if entry[0] == index]:
            self._held.remove(entry)
            self._under_way.append(entry[1:])

    def _deliver(self) -> None:
        receiver, datagram = self._under_way.popleft()
        self._endpoints[receiver].receive(datagram, self.now)

    def _jump(self) -> bool:
        """Turn the clock to the next deadline; False when there is none."""
        deadlines = [endpoint.deadline() for endpoint in self._endpoints]
        waiting = [deadline for deadline in deadlines if deadline is not None]
        if not waiting:
            return False
        self.now = max(self.now, min(waiting))
        for endpoint, deadline in zip(self._endpoints, deadlines, strict=True):
            if deadline is not None and deadline <= self.now:
                endpoint.handle_timeout(self.now)
        return True
