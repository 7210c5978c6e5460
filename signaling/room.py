"""A room: its people, what they and a moderator ask for, and who is told. No I/O.

In come a participant and its message (`handle`); out go messages to participants, and facts to observers
(`events.py`). What is about connections is `voices.py`'s. The direct reply is returned, so that it is sent
once and with the request's `id`; a reply that has to wait for media is sent when it comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from signaling import events
from signaling.capacity import Capacity
from signaling.errors import forbidden, not_found, wrong_state
from signaling.events import Observers
from signaling.media import MediaRelay
from signaling.messages import (
    AnyClientMessage,
    GetStats,
    MuteHeld,
    MuteParticipant,
    ParticipantInfo,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantMuted,
    ParticipantRemoved,
    Reason,
    ServerDraining,
    ServerMessage,
    SetMuted,
    Stats,
)
from signaling.moderation import Moderation
from signaling.participant import Participant
from signaling.speakers import Speakers
from signaling.voices import Voices

logger = logging.getLogger(__name__)


class Room:
    """Participants who hear each other. name: unique on the server. observers: who is told what happens,
    nobody if None. capacity: the server's, for connections."""

    def __init__(
        self,
        name: str,
        relay: MediaRelay,
        observers: Observers | None = None,
        capacity: Capacity | None = None,
    ) -> None:
        self.name = name
        self.participants: dict[str, Participant] = {}
        self._observers = observers or Observers()
        self.moderation = Moderation()
        self._voices = Voices(name, relay, self._observers, capacity or Capacity(), self._tell_all)
        self._speakers = Speakers()
        self._newcomers: set[Participant] = set()

    def join(self, participant: Participant) -> list[ParticipantInfo]:
        """Let somebody in, tell the others, and return those."""
        others = self.others(participant)
        self._tell_all(ParticipantJoined(participant_id=participant.id, name=participant.name))
        self.participants[participant.id] = participant
        self._newcomers.add(participant)
        self._observers.tell(
            events.ParticipantJoined(
                self.name,
                participant.id,
                participant.name,
                participant.grants.identity,
                at=self._now(),
            )
        )
        if self.moderation.is_held(participant.grants):
            # The others are told now, the newcomer itself after its reply, by `tell_levels`.
            participant.mute_held = True
            self._mute(participant, True, but=participant)
            self._tell_all(MuteHeld(participant_id=participant.id, held=True), but=participant)
        logger.info("room %s: participant %s joined", self.name, participant.id)
        return others

    def leave(self, participant: Participant, reason: Reason) -> None:
        """Let somebody go: close what they had, and tell the others."""
        del self.participants[participant.id]
        self._newcomers.discard(participant)
        self._voices.leave(participant, reason)
        self._tell_all(ParticipantLeft(participant_id=participant.id))
        self._observers.tell(
            events.ParticipantLeft(self.name, participant.id, reason, at=self._now())
        )
        logger.info("room %s: participant %s %s", self.name, participant.id, reason)

    def others(self, participant: Participant) -> list[ParticipantInfo]:
        """Everyone else, as they are now."""
        return [other.info() for other in self.participants.values() if other is not participant]

    def resume(self, participant: Participant, gap: float) -> None:
        """Somebody's signaling is back after `gap` seconds; the others did not notice."""
        self._newcomers.add(participant)
        self._observers.tell(
            events.ParticipantResumed(self.name, participant.id, gap, at=self._now())
        )
        logger.info("room %s: participant %s resumed after %.1f s", self.name, participant.id, gap)

    def handle(self, participant: Participant, message: AnyClientMessage) -> ServerMessage | None:
        """Do what a participant of this room asks.

        Returns the direct reply; None when it has to wait for media, or there is none. Raises
        SignalingError, and nothing has changed then.
        """
        handler = _HANDLERS.get(type(message))
        if handler is None:
            return self._voices.handle(participant, message)
        return handler(self, participant, message)

    def tell_levels(self, now: float, draining: ServerDraining | None = None) -> None:
        """Tell everyone who is heard, once more who just stopped, and who dominates if that is news; to be
        called ten times a second. now: seconds on any steady clock. draining: what everyone else was told
        while somebody was away."""
        dominant = self._speakers.dominant()
        for participant in self._newcomers:
            if dominant is not None:
                participant.send(dominant)
            if draining is not None:
                participant.send(draining)
            self._tell_holds(participant)
        self._newcomers.clear()
        for news in self._speakers.listen(self._voices.publications, now):
            self._tell_all(news)

    def _tell_holds(self, participant: Participant) -> None:
        """Tell who has come, or come back, whom moderators muted and whom they let go since: the reply
        does not list that."""
        if participant.mute_held:
            participant.send(ParticipantMuted(participant_id=participant.id, muted=True))
        for each in self.participants.values():
            if each.mute_held is not None:
                participant.send(MuteHeld(participant_id=each.id, held=each.mute_held))

    # Muting.

    def _set_muted(self, participant: Participant, message: SetMuted) -> ParticipantMuted:
        if participant.mute_held and not message.muted:
            raise forbidden("A moderator has muted you; you can unmute when they let you.")
        return self._mute(participant, message.muted, but=participant)

    def _mute(
        self, participant: Participant, muted: bool, *, but: Participant | None = None
    ) -> ParticipantMuted:
        if participant.muted != muted:
            self._observers.tell(
                events.MuteChanged(self.name, participant.id, muted, at=self._now())
            )
        participant.muted = muted
        if participant.publication is not None:
            participant.publication.media.muted = muted
        news = ParticipantMuted(participant_id=participant.id, muted=muted)
        self._tell_all(news, but=but)
        return news

    # Moderating.

    def _mute_participant(self, moderator: Participant, message: MuteParticipant) -> MuteHeld:
        target = self._moderated(moderator, message.participant_id)
        self.moderation.hold(target.grants, message.muted)
        for twin in self._twins(target, moderator):
            self._tell_all(self._hold_muted(twin, message.muted))
        news = self._hold_muted(target, message.muted)
        self._tell_all(news, but=moderator)
        return news

    def _hold_muted(self, target: Participant, held: bool) -> MuteHeld:
        target.mute_held = held
        # Letting somebody unmute does not unmute them: nobody is heard before they want to be.
        if held and not target.muted:
            self._mute(target, True)
        return MuteHeld(participant_id=target.id, held=held)

    def remove(
        self, moderator: Participant, participant_id: str
    ) -> tuple[list[Participant], ParticipantRemoved]:
        """Tell everyone whom a moderator takes out of the room, and keep them out; `leave` is to follow
        for each of them. Raises SignalingError."""
        target = self._moderated(moderator, participant_id)
        self.moderation.remove(target.grants)
        twins = self._twins(target, moderator)
        for twin in twins:
            self._tell_all(ParticipantRemoved(participant_id=twin.id))
        news = ParticipantRemoved(participant_id=target.id)
        self._tell_all(news, but=moderator)
        removed = [*twins, target]
        for each in removed:
            logger.info(
                "room %s: participant %s is removed by %s", self.name, each.id, moderator.id
            )
        return removed, news

    def _twins(self, target: Participant, moderator: Participant) -> list[Participant]:
        """Who else in the room has the target's identity, in another window perhaps; never the moderator
        that acts."""
        identity = target.grants.identity
        if identity is None:
            return []
        return [
            other
            for other in self.participants.values()
            if other.grants.identity == identity and other not in (target, moderator)
        ]

    def _moderated(self, moderator: Participant, participant_id: str) -> Participant:
        if not moderator.grants.admin:
            raise forbidden("Your access token does not let you mute or remove others.")
        target = self.participants.get(participant_id)
        if target is None:
            raise not_found("No participant with this participant_id is in this room.")
        if target is moderator:
            raise wrong_state("This is yourself; there are set_muted and leave_room for that.")
        return target

    # For all.

    def tell_draining(self, news: ServerDraining) -> None:
        """Tell everyone that the server is going to stop, in so many seconds at the latest."""
        self._tell_all(news)

    def _now(self) -> float:
        return self._observers.now()

    def _get_stats(self, participant: Participant, message: GetStats) -> Stats:
        return participant.stats()

    def _tell_all(self, message: ServerMessage, *, but: Participant | None = None) -> None:
        for participant in self.participants.values():
            if participant is not but:
                participant.send(message)


_HANDLERS: dict[type, Callable[[Room, Participant, Any], ServerMessage | None]] = {
    SetMuted: Room._set_muted,
    MuteParticipant: Room._mute_participant,
    GetStats: Room._get_stats,
}
"""What a participant may ask for inside a room; joining and leaving are `session.py`'s."""
