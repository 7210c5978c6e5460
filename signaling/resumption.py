"""Who may come back after a lost socket: tokens, and places that are kept for a while. No I/O.

    held       a session has the place; whoever shows its token takes it over
    waiting    its socket is lost; nobody in the room is told, and its media goes on

    hold             -> held
    lose             held -> waiting
    take             held or waiting -> held, under a new token; the one before holds as well
    confirm          the new token has come to its client: the one before is of no use any more
    give_up          the place is gone, and so is its token
    expired          waiting for longer than `grace`: to be given up

The answer that holds the new token may be lost with its socket, and then the client has none but the one
before. That one holds until the client says anything else by the new socket, and for `UNCONFIRMED` seconds
at most: whoever gets hold of it afterwards can take nothing over.

A place that waits costs what its participant costs, less the socket: what is told meanwhile is not kept,
for `room_resumed` tells how things stand.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from signaling.messages import ServerMessage
from signaling.participant import Participant
from signaling.room import Room

TOKEN_SIZE = 24
"""Bytes of a token: 192 random bits, where 128 cannot be guessed."""

UNCONFIRMED = 60.0
"""Seconds that the token which a place was taken by holds when its client says nothing afterwards: one that
got the answer says something at once, and one that did not tries again sooner than that."""

MAX_WAITING = 10_000
"""Places of a server that wait at the same time; with one more the participant leaves at once."""


@dataclass(eq=False, slots=True)
class Place:
    """A participant's place in a room. superseded: ends the session that has it; lost_at: since when it
    waits, None while a session has it. used: the token that it was taken by at `taken_at`, while nobody
    knows whether its client got the next one."""

    room: Room
    participant: Participant
    superseded: Callable[[], None]
    digest: bytes
    lost_at: float | None = None
    used: bytes | None = None
    taken_at: float = 0.0


class Places:
    """The places of a server. grace: seconds that one is kept for; 0: none is, and there are no tokens."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._by_digest: dict[bytes, Place] = {}
        self._by_participant: dict[str, Place] = {}
        self._waiting: dict[str, Place] = {}  # by participant, the longest lost first

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def hold(
        self, room: Room, participant: Participant, superseded: Callable[[], None]
    ) -> str | None:
        """Note who has just joined; the token to come back by, None when nobody may."""
        if not self._grace:
            return None
        token, digest = _new_token()
        place = Place(room, participant, superseded, digest)
        self._by_digest[digest] = self._by_participant[participant.id] = place
        return token

    def is_waiting(self, participant: Participant) -> bool:
        """Whether the participant's socket is lost and its place is kept."""
        return participant.id in self._waiting

    def lose(self, participant: Participant, now: float) -> bool:
        """The participant's socket is lost; whether its place is kept."""
        place = self._by_participant.get(participant.id)
        if place is None or len(self._waiting) >= MAX_WAITING:
            return False
        place.lost_at = now
        participant.send = _tell_nobody
        self._waiting[participant.id] = place
        return True

    def take(
        self,
        token: str,
        send: Callable[[ServerMessage], None],
        superseded: Callable[[], None],
        now: float,
    ) -> tuple[Place, str, float] | None:
        """Give a place to another session, whose messages go to `send`: the place, its next token, and for
        how many seconds nobody had it. None when no place is kept for this token."""
        # The digest is what is looked up, so that the time it takes tells nothing of any token.
        digest = _digest(token)
        place = self._by_digest.get(digest)
        if place is None or (digest == place.used and now - place.taken_at >= UNCONFIRMED):
            return None
        lost_at = place.lost_at
        if lost_at is None:
            place.superseded()  # half-open: the client knows before us that its socket is lost
        elif now - lost_at >= self._grace:
            return None  # it is on its way out
        self._forget_tokens(place)
        self._waiting.pop(place.participant.id, None)
        next_token, place.digest = _new_token()
        place.used, place.taken_at = digest, now
        self._by_digest[place.digest] = self._by_digest[digest] = place
        place.lost_at = None
        place.superseded = superseded
        place.participant.send = send
        return place, next_token, 0.0 if lost_at is None else now - lost_at

    def confirm(self, participant: Participant) -> None:
        """The participant's client has shown that it got what `take` returned."""
        place = self._by_participant.get(participant.id)
        if place is not None and place.used is not None:
            del self._by_digest[place.used]
            place.used = None

    def give_up(self, participant: Participant) -> None:
        """The participant leaves; nothing happens when there is no place of its own."""
        place = self._by_participant.pop(participant.id, None)
        if place is not None:
            self._forget_tokens(place)
            self._waiting.pop(participant.id, None)

    def _forget_tokens(self, place: Place) -> None:
        del self._by_digest[place.digest]
        if place.used is not None:
            del self._by_digest[place.used]
            place.used = None

    def expired(self, now: float) -> list[Place]:
        """Those that have waited long enough."""
        found = []
        for place in self._waiting.values():
            if place.lost_at is not None and now - place.lost_at < self._grace:
                break
            found.append(place)
        return found

    def all_waiting(self) -> list[Place]:
        """Those that wait."""
        return list(self._waiting.values())


def _new_token() -> tuple[str, bytes]:
    token = secrets.token_urlsafe(TOKEN_SIZE)
    return token, _digest(token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _tell_nobody(message: ServerMessage) -> None:
    """Takes what is said to somebody who is away."""
