"""Following a peer that moves: by which path media should go. No I/O; time is an argument.

A peer changes from Wi-Fi to LTE, or its NAT gives it another port, and nobody says so: its checks come by
another path, and ours by the selected one are answered no more. The relay controls (RFC 8445 §8.1.1), so it
is the relay that has to notice, and to nominate another path, long before consent expires.

    state       leaves it when                                              to
    WATCHING    a check comes by another path, or ours was not answered     PROBING
    any state   another connection has the selected path                    MOVING
    PROBING     the selected path answers                                   WATCHING
    PROBING     PROBES in a row are not answered                            MOVING
    MOVING      the selected path answers, or another one is selected       WATCHING
    MOVING      every other path was nominated ROUNDS times in vain         LOST
    LOST        the selected path answers, or another one is selected       WATCHING
    LOST        a check comes by another path                               MOVING

A path that is not known yet does not wait for any of this: `ice_agent.py` nominates it as soon as it is
validated.
"""

from __future__ import annotations

from enum import Enum, auto

from .address import Path

QUIET = 0.5
"""Seconds that an answer is fresh for: a check by another path within them arouses no suspicion."""

PROBE_INTERVAL = 0.5
"""Seconds between steps while the selected path is in doubt; the first retransmission of STUN takes as long
(RFC 8489 §6.2.1)."""

PROBES = 3
"""Unanswered checks after which the selected path counts as dead, for the time being."""

ROUNDS = 2
"""Nominations of every other path before the peer counts as lost."""

MAX_PATHS = 32
"""That a peer's checks may come by. RFC 8445 §6.1.2.5 bounds pairs by 100; a browser on many interfaces has
a dozen."""

FORGET_AFTER = 10.0
"""Seconds without a check after which a path makes room for another one: an hour behind a restless NAT
takes hundreds of them. Its price is that many new paths in so many seconds, at most."""


class Step(Enum):
    """What to do next. PROBE: check the selected path. NOMINATE: check another one (`rival`). GIVE_UP:
    nothing answers. REST: nothing."""

    PROBE = auto()
    NOMINATE = auto()
    GIVE_UP = auto()
    REST = auto()


class _State(Enum):
    WATCHING = auto()
    PROBING = auto()
    MOVING = auto()
    LOST = auto()


class Roaming:
    """The paths of one peer. selected: the one that media takes, None before the first. rival: the one to
    be nominated."""

    def __init__(self) -> None:
        self.selected: Path | None = None
        self.rival: Path | None = None
        self._heard: dict[Path, float] = {}  # the one heard last stands last
        self._answered_at = 0.0
        self._state = _State.WATCHING
        self._probes = 0
        self._rivals: list[Path] = []

    @property
    def paths(self) -> frozenset[Path]:
        """Those that authentic checks came by, and are not forgotten."""
        return frozenset(self._heard)

    @property
    def is_searching(self) -> bool:
        """Whether the selected path is in doubt."""
        return self._state is not _State.WATCHING

    def admit(self, path: Path, now: float) -> tuple[bool, Path | None]:
        """Note an authentic check: whether its path may be used, and which one is forgotten for it."""
        forgotten = None
        if path not in self._heard and len(self._heard) >= MAX_PATHS:
            forgotten = self._forgettable(now)
            if forgotten is None:
                return False, None
            del self._heard[forgotten]
        self._heard.pop(path, None)
        self._heard[path] = now
        return True, forgotten

    def _forgettable(self, now: float) -> Path | None:
        for path, at in self._heard.items():
            if path != self.selected:
                return path if now - at >= FORGET_AFTER else None
        return None

    def suspect(self, path: Path | None, now: float) -> bool:
        """A check came by `path`, or one of ours was not answered in time (None): whether to begin to take
        steps at once, and then every PROBE_INTERVAL."""
        if self.selected is None or path == self.selected:
            return False
        if self._state is _State.LOST and path is not None:
            self._state, self._rivals = _State.MOVING, [path]
            return True
        if self._state is _State.WATCHING and (path is None or now - self._answered_at > QUIET):
            self._state, self._probes = _State.PROBING, 0
            return True
        return False

    def step(self) -> Step:
        """What to do now."""
        if self._state is _State.PROBING:
            if self._probes < PROBES:
                self._probes += 1
                return Step.PROBE
            self.lose()
        if self._state is not _State.MOVING:
            return Step.REST
        if self._rivals:
            self.rival = self._rivals.pop(0)
            return Step.NOMINATE
        self._state = _State.LOST
        return Step.GIVE_UP

    def lose(self) -> None:
        """The selected path leads to the peer no more: the others are to be tried."""
        # The one heard last is where the peer is, most likely.
        others = [path for path in reversed(self._heard) if path != self.selected]
        self._state, self._rivals = _State.MOVING, others * ROUNDS

    def answered(self, now: float) -> None:
        """The selected path is alive."""
        self._answered_at = now
        self._state = _State.WATCHING

    def select(self, path: Path, now: float) -> None:
        """Media takes `path` from now on."""
        self.selected = path
        self.answered(now)
