"""One socket's end of the protocol, without the socket: frames in, messages out through an outlet.

A session is in no room or in one; `room.py` says what a message means inside. Whatever comes in, there is
exactly one direct answer to it (the messages with candidates have none but an error), and no exception.
"""

from __future__ import annotations

import logging
from typing import Protocol

from signaling.errors import ErrorCode, SignalingError
from signaling.limits import Visitor
from signaling.messages import (
    AnyClientMessage,
    ConsumerCandidate,
    Error,
    JoinRoom,
    LeaveRoom,
    PublisherCandidate,
    Reason,
    RemoveParticipant,
    ResumeRoom,
    RoomJoined,
    RoomLeft,
    RoomResumed,
    ServerMessage,
    answering,
    decode,
    request_id,
)
from signaling.participant import Participant
from signaling.ratelimit import TokenBucket
from signaling.refusals import Refusal, Refusals
from signaling.room import Room
from signaling.rooms import Rooms

logger = logging.getLogger(__name__)

MESSAGE_RATE = 50.0
"""Messages a second that a socket may send for ever. Pages send far less once they are connected."""

MESSAGE_BURST = 300.0
"""Messages at once: who enters a room of a hundred creates and answers a consumer for each of them."""

CANDIDATE_COST = 0.1
"""Of a message with a candidate: they come ten at a time with every answer, and cost little."""

MAX_DEBT = 100.0
"""Messages beyond the limit, each refused by `rate_limited`, until the socket is closed."""

REFUSED_RATE = 10.0
"""Messages a second that may be refused for the address's sake, `MAX_DEBT` at once: who goes on all the
same is closed, and who says little is not, whatever others behind the same address do."""

POLICY_VIOLATION = 1008
"""Close code (RFC 6455 §7.4.1)."""

RESUMED_ELSEWHERE = 4001
"""Close code (RFC 6455 §7.4.2: for private use) of a socket that another one took over from."""


class Outlet(Protocol):
    """Where a session's messages go. Neither method waits or raises; both do nothing once closed."""

    def send(self, message: ServerMessage) -> None:
        """Queue a message for the client."""

    def close(self, code: int, reason: str) -> None:
        """Close the socket after what is queued."""


class Session:
    """What one client is to the server. now: the time in seconds, on the clock that `receive` gets.
    visitor: who is behind it, for the limits of an address; None for nobody that has any. refusals: counts
    what is turned away. join_timeout: seconds that it may be in no room; 0: for ever."""

    def __init__(
        self,
        rooms: Rooms,
        outlet: Outlet,
        now: float,
        visitor: Visitor | None = None,
        refusals: Refusals | None = None,
        join_timeout: float = 0,
    ) -> None:
        self._rooms = rooms
        self._outlet = outlet
        self._visitor = visitor
        self._group = "" if visitor is None else visitor.group
        self._refusals = refusals or Refusals()
        self._join_timeout = join_timeout
        self._outside_since: float | None = now
        self._bucket = TokenBucket(MESSAGE_RATE, MESSAGE_BURST, now)
        self._patience = TokenBucket(REFUSED_RATE, MAX_DEBT, now)
        self._place: tuple[Room, Participant] | None = None
        self._joined_before = False
        self._confirmed = True
        self._ended = False

    def receive(self, frame: str, now: float) -> None:
        """Handle the text frame that came at the time `now`."""
        if self._ended:
            return
        message: AnyClientMessage | None = None
        reply: ServerMessage | None
        try:
            self._confirm()
            self._admit(frame, now)
            message = decode(frame)
            reply = self._handle(message, now)
        except SignalingError as error:
            id = error.id if message is None else message.id
            reply = answering(Error(code=error.code, message=error.message), id)
        except Exception:
            logger.exception("a message could not be handled")
            reply = _internal_error(message)
        else:
            reply = None if reply is None else answering(reply, message.id)
        if reply is not None:
            self._send(reply, message)

    def _send(self, reply: ServerMessage, message: AnyClientMessage | None) -> None:
        """Send the direct reply to a message. One that cannot be written is a fault of ours, and must not
        end the reading of this socket."""
        try:
            self._outlet.send(reply)
        except Exception:
            logger.exception("a reply could not be sent")
            self._outlet.send(_internal_error(message))

    def end(self, reason: Reason) -> None:
        """The socket is gone, or going, for good: take the participant out of its room. Idempotent."""
        self._ended = True
        self._leave(reason)

    def lose(self, now: float) -> None:
        """The socket is gone, and nobody said that this was leaving: the participant may come back by
        another one. Idempotent."""
        self._ended = True
        if self._place is not None:
            (room, participant), self._place = self._place, None
            self._rooms.lose(room, participant, now)

    def give_up(self) -> None:
        """Too much came, whether it was messages or not: close the socket. Idempotent."""
        if not self._ended:
            self._refusals.count(Refusal.SOCKET_FLOOD)
            self._outlet.close(POLICY_VIOLATION, "messages kept coming too fast")
            self.end(Reason.DISCONNECTED)

    def expire(self, now: float) -> None:
        """Close the socket if it has been in no room for too long; to be called every few seconds."""
        if self._place is not None or self._ended:
            self._outside_since = None
        elif self._outside_since is None:
            self._outside_since = now
        elif self._join_timeout and now - self._outside_since >= self._join_timeout:
            self._refusals.count(Refusal.NOT_JOINED)
            self._outlet.close(POLICY_VIOLATION, "no room was joined")
            self.end(Reason.DISCONNECTED)

    def _admit(self, frame: str, now: float) -> None:
        if self._bucket.take(now):
            if self._visitor is None or self._visitor.may_send(now):
                return
            limit = "your address sends more than it may"
            goes_on = not self._patience.take(now)
        else:
            limit = f"at most {MESSAGE_RATE:g} a second are handled"
            self._refusals.count(Refusal.SOCKET_MESSAGES)
            goes_on = self._bucket.debt > MAX_DEBT
        if goes_on:
            self.give_up()
        raise SignalingError(
            ErrorCode.RATE_LIMITED, f"Messages come too fast; {limit}.", request_id(frame)
        )

    def _admit_entry(self, now: float) -> None:
        """Joining may be tried so often only: by that keys are guessed, and rooms kept busy."""
        if self._visitor is not None and not self._visitor.may_join(now):
            raise SignalingError(
                ErrorCode.RATE_LIMITED, "Your address joins too often; wait a minute."
            )

    def _handle(self, message: AnyClientMessage, now: float) -> ServerMessage | None:
        match message:
            case JoinRoom():
                self._admit_entry(now)
                return self._join(message, now)
            case ResumeRoom():
                self._admit_entry(now)
                return self._resume(message, now)
            case PublisherCandidate() | ConsumerCandidate():
                self._bucket.give_back(1 - CANDIDATE_COST)
                if self._visitor is not None:
                    self._visitor.give_back(1 - CANDIDATE_COST)
        if self._place is None:
            raise SignalingError(
                ErrorCode.WRONG_STATE, "You are in no room; join one by join_room first."
            )
        if isinstance(message, LeaveRoom):
            self._leave(Reason.LEFT)
            return RoomLeft()
        room, participant = self._place
        if isinstance(message, RemoveParticipant):
            return self._rooms.remove(room, participant, message.participant_id)
        return room.handle(participant, message)

    def _confirm(self) -> None:
        """Who says something after `room_resumed` has got that, even if it cannot be read."""
        if not self._confirmed and self._place is not None:
            self._confirmed = True
            self._rooms.confirm(self._place[1])

    def _join(self, message: JoinRoom, now: float) -> RoomJoined:
        if self._place is not None:
            raise SignalingError(
                ErrorCode.WRONG_STATE, "You are in a room already; leave it by leave_room first."
            )
        try:
            room, grants = self._rooms.enter(message.room, message.token)
        except SignalingError as error:
            draining = self._rooms.draining_news(now)
            if draining is not None and error.code is ErrorCode.SERVER_FULL:
                self._outlet.send(draining)
            raise
        name = grants.name or message.name
        participant = Participant(name, self._outlet.send, grants, self._group)
        participant.dismiss = self._dismissed
        others = room.join(participant)
        self._place = room, participant
        self._joined_before = True
        token = self._rooms.hold(room, participant, self._superseded)
        return RoomJoined(
            room=room.name,
            participant_id=participant.id,
            participants=others,
            ice_servers=[],
            resume_token=token,
        )

    def _resume(self, message: ResumeRoom, now: float) -> RoomResumed:
        if self._joined_before:
            raise SignalingError(
                ErrorCode.WRONG_STATE, "Only a new socket can resume; this one has been in a room."
            )
        place, token = self._rooms.resume(
            message.resume_token, self._outlet.send, self._superseded, now
        )
        room, participant = self._place = place.room, place.participant
        self._joined_before = True
        self._confirmed = False
        participant.address_group = self._group
        participant.dismiss = self._dismissed
        return RoomResumed(
            room=room.name,
            participant_id=participant.id,
            participants=room.others(participant),
            ice_servers=[],
            resume_token=token,
            muted=participant.muted,
            publisher=participant.own_publisher(),
            consumers=participant.own_consumers(),
        )

    def _dismissed(self) -> None:
        """A moderator has taken the participant out of its room."""
        self._place = None
        self._ended = True
        self._outlet.close(POLICY_VIOLATION, "removed from the room")

    def _superseded(self) -> None:
        """Another socket has the place now."""
        self._place = None
        self._ended = True
        self._outlet.close(RESUMED_ELSEWHERE, "resumed by another socket")

    def _leave(self, reason: Reason) -> None:
        if self._place is None:
            return
        room, participant = self._place
        self._place = None
        self._rooms.leave(room, participant, reason)


_INTERNAL_ERROR = Error(
    code=ErrorCode.INTERNAL,
    message="The server failed to handle this message and has logged why; the socket can be used on.",
)


def _internal_error(message: AnyClientMessage | None) -> ServerMessage:
    return _INTERNAL_ERROR if message is None else answering(_INTERNAL_ERROR, message.id)
