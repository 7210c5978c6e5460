"""All rooms of a server: a room begins with its first participant and ends with its last."""

from __future__ import annotations

from signaling.errors import ErrorCode, SignalingError
from signaling.events import Observers, RoomEnded, RoomStarted
from signaling.media import MediaRelay
from signaling.messages import Reason
from signaling.participant import Participant
from signaling.room import Room


class Rooms:
    """Rooms by their name. max_rooms: at the same time; max_participants: in each. observers: who is told
    what happens in them, nobody if None."""

    def __init__(
        self,
        relay: MediaRelay,
        *,
        max_rooms: int,
        max_participants: int,
        observers: Observers | None = None,
    ) -> None:
        self._relay = relay
        self._max_rooms = max_rooms
        self._max_participants = max_participants
        self._observers = observers or Observers()
        self._rooms: dict[str, Room] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def participant_count(self) -> int:
        """Participants in all rooms."""
        return sum(len(room.participants) for room in self._rooms.values())

    def enter(self, name: str) -> Room:
        """The room of this name with a free place, to be joined at once; `leave` takes it away again.

        Raises SignalingError: `server_full` for one room too many, `room_full` for one participant.
        """
        room = self._rooms.get(name)
        if room is None:
            if len(self._rooms) >= self._max_rooms:
                raise SignalingError(
                    ErrorCode.SERVER_FULL,
                    f"The server has no place for another room; {self._max_rooms} are open.",
                )
            room = self._rooms[name] = Room(name, self._relay, self._observers)
            self._observers.tell(RoomStarted(name, at=self._observers.now()))
        elif len(room.participants) >= self._max_participants:
            raise SignalingError(
                ErrorCode.ROOM_FULL,
                f"The room has no place for another participant; {self._max_participants} are in it.",
            )
        return room

    def leave(self, room: Room, participant: Participant, reason: Reason) -> None:
        """Take somebody out of a room, and the room away when it is empty then."""
        try:
            room.leave(participant, reason)
        finally:
            if not room.participants and self._rooms.pop(room.name, None) is not None:
                self._observers.tell(RoomEnded(room.name, at=self._observers.now()))

    def tell_levels(self, now: float) -> None:
        """Tell every room who is heard. now: seconds on any steady clock."""
        for room in tuple(self._rooms.values()):
            room.tell_levels(now)
