"""All rooms of a server, and their door: a room begins with its first participant, ends with its last.

Somebody whose socket is lost stays for a while (`resumption.py`); `expire` takes out who did not come back.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from signaling.access import Access, Grants
from signaling.capacity import Capacity
from signaling.errors import ErrorCode, SignalingError
from signaling.events import Observers, RoomEnded, RoomStarted
from signaling.media import MediaRelay
from signaling.messages import ParticipantRemoved, Reason, ServerDraining, ServerMessage
from signaling.participant import Participant
from signaling.refusals import Refusal, Refusals
from signaling.resumption import Place, Places
from signaling.room import Room

logger = logging.getLogger(__name__)


class Rooms:
    """Rooms by their name. max_rooms: at the same time; max_participants: in each; max_server_participants:
    in all. access: who may come in, everybody if None. capacity: for connections. refusals: counts who is
    turned away. resume_grace: seconds that somebody whose socket is lost is waited for. observers: who is
    told what happens in them, nobody if None."""

    def __init__(
        self,
        relay: MediaRelay,
        *,
        max_rooms: int,
        max_participants: int,
        max_server_participants: int = 10_000,
        access: Access | None = None,
        capacity: Capacity | None = None,
        refusals: Refusals | None = None,
        resume_grace: float = 0,
        observers: Observers | None = None,
    ) -> None:
        self._relay = relay
        self._max_rooms = max_rooms
        self._max_participants = max_participants
        self._max_server_participants = max_server_participants
        self._access = access or Access()
        self._capacity = capacity or Capacity()
        self._refusals = refusals or Refusals()
        self._observers = observers or Observers()
        self._rooms: dict[str, Room] = {}
        self._places = Places(resume_grace)
        self._drained_at: float | None = None

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def participant_count(self) -> int:
        """Participants in all rooms."""
        return sum(len(room.participants) for room in self._rooms.values())

    @property
    def waiting_count(self) -> int:
        """Those among them whose socket is lost, and who may come back."""
        return self._places.waiting

    @property
    def draining(self) -> bool:
        """Whether nobody may join any more. Who is in stays, and may resume."""
        return self._drained_at is not None

    def draining_news(self, now: float) -> ServerDraining | None:
        """What somebody has to know who was not in a room when `drain` told everyone; None: nothing."""
        return None if self._drained_at is None else _draining_news(self._drained_at - now)

    def get(self, name: str) -> Room | None:
        """The open room of this name."""
        return self._rooms.get(name)

    def all(self) -> tuple[Room, ...]:
        """Those that are open now."""
        return tuple(self._rooms.values())

    def enter(self, name: str, token: str | None = None) -> tuple[Room, Grants]:
        """The room of this name with a free place, to be joined at once, and what its new participant may
        do there; `leave` takes the room away again.

        Raises SignalingError: `unauthorized` and `forbidden` for who it is, `server_full` for one room
        too many, `room_full` for one participant.
        """
        try:
            grants = self._access.enter(token, name, self._observers.now())
            self._check_places(name, grants)
        except SignalingError as error:
            self._refusals.count(Refusal(error.code.value))
            raise
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room(name, self._relay, self._observers, self._capacity)
            self._observers.tell(RoomStarted(name, at=self._observers.now()))
        return room, grants

    def _check_places(self, name: str, grants: Grants) -> None:
        """Raises SignalingError when there is no place in the room of this name."""
        if self.draining:
            raise SignalingError(
                ErrorCode.SERVER_FULL,
                "The server is about to stop and takes nobody in; try again in a moment.",
            )
        room = self._rooms.get(name)
        if room is not None and room.moderation.is_removed(grants):
            raise SignalingError(
                ErrorCode.FORBIDDEN, "A moderator has removed you from this room, while it lasts."
            )
        if room is None and len(self._rooms) >= self._max_rooms:
            raise SignalingError(
                ErrorCode.SERVER_FULL,
                f"The server has no place for another room; {self._max_rooms} are open.",
            )
        if room is not None and len(room.participants) >= self._max_participants:
            raise SignalingError(
                ErrorCode.ROOM_FULL,
                f"The room has no place for another participant; {self._max_participants} are in it.",
            )
        if self.participant_count >= self._max_server_participants:
            raise SignalingError(
                ErrorCode.SERVER_FULL,
                "The server has no place for another participant;"
                f" {self._max_server_participants} are on it.",
            )

    def hold(
        self, room: Room, participant: Participant, superseded: Callable[[], None]
    ) -> str | None:
        """The token by which who has just joined may come back; None when that is off. superseded: called
        when another socket takes over."""
        return self._places.hold(room, participant, superseded)

    def lose(self, room: Room, participant: Participant, now: float) -> None:
        """Somebody's socket is lost: wait, or take them out of the room where that is off. now: seconds on
        any steady clock, here and below."""
        if self._places.lose(participant, now):
            logger.info("room %s: participant %s is away", room.name, participant.id)
        else:
            self.leave(room, participant, Reason.DISCONNECTED)

    def is_away(self, participant: Participant) -> bool:
        """Whether the participant's socket is lost, and it is waited for."""
        return self._places.is_waiting(participant)

    def resume(
        self,
        token: str,
        send: Callable[[ServerMessage], None],
        superseded: Callable[[], None],
        now: float,
    ) -> tuple[Place, str]:
        """Give somebody back their place: that, and the next token. send: takes messages for the socket
        that they have now; superseded: as in `hold`. Raises SignalingError (`not_found`)."""
        found = self._places.take(token, send, superseded, now)
        if found is None:
            raise SignalingError(
                ErrorCode.NOT_FOUND,
                "No participant waits for this resume_token; join by join_room.",
            )
        place, next_token, gap = found
        place.room.resume(place.participant, gap)
        return place, next_token

    def confirm(self, participant: Participant) -> None:
        """Somebody who has come back has shown that they got the next token."""
        self._places.confirm(participant)

    def expire(self, now: float) -> None:
        """Take out who was waited for long enough, and give up offers that nobody answers; to be called
        several times a second."""
        self._capacity.expire(now)
        for place in self._places.expired(now):
            self.leave(place.room, place.participant, Reason.DISCONNECTED)

    def end_waiting(self, reason: Reason) -> None:
        """Wait for nobody any longer."""
        for place in self._places.all_waiting():
            self.leave(place.room, place.participant, reason)

    def leave(self, room: Room, participant: Participant, reason: Reason) -> None:
        """Take somebody out of a room, and the room away when it is empty then."""
        self._places.give_up(participant)
        try:
            room.leave(participant, reason)
        finally:
            if not room.participants and self._rooms.pop(room.name, None) is not None:
                self._observers.tell(RoomEnded(room.name, at=self._observers.now()))

    def remove(self, room: Room, moderator: Participant, participant_id: str) -> ParticipantRemoved:
        """Take somebody out of a room because a moderator wants it, in each of their windows: what the
        moderator is told. Raises SignalingError."""
        removed, news = room.remove(moderator, participant_id)
        for participant in removed:
            self.leave(room, participant, Reason.REMOVED)
            participant.dismiss()
        return news

    def drain(self, seconds: int, now: float) -> None:
        """Take nobody in any more, and tell everyone that the server stops in so many seconds at the
        latest."""
        self._drained_at = now + seconds
        for room in self.all():
            room.tell_draining(_draining_news(seconds))

    def tell_levels(self, now: float) -> None:
        """Tell every room who is heard. now: seconds on any steady clock."""
        draining = self.draining_news(now)
        for room in tuple(self._rooms.values()):
            room.tell_levels(now, draining)


def _draining_news(seconds: float) -> ServerDraining:
    return ServerDraining(seconds=max(0, math.ceil(seconds)))
