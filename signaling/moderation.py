"""What moderators did to people of a room, so that it holds when they come back. No I/O.

It is remembered by the identity of the access token, for as long as the room lasts. There are no moderators
without tokens.
"""

from __future__ import annotations

from signaling.access import Grants

MAX_IDENTITIES = 1000
"""That are remembered of each kind; the one that was noted first is forgotten for one more."""


class Moderation:
    """A room's removed and silenced people."""

    def __init__(self) -> None:
        self._removed: dict[str, None] = {}
        self._held: dict[str, None] = {}

    def remove(self, grants: Grants) -> None:
        """They may not come back."""
        _note(self._removed, grants)

    def is_removed(self, grants: Grants) -> bool:
        """Whether they were removed."""
        return grants.identity in self._removed

    def hold(self, grants: Grants, held: bool) -> None:
        """They may not unmute themselves, or may again."""
        if held:
            _note(self._held, grants)
        elif grants.identity is not None:
            self._held.pop(grants.identity, None)

    def is_held(self, grants: Grants) -> bool:
        """Whether they may not unmute themselves."""
        return grants.identity in self._held


def _note(identities: dict[str, None], grants: Grants) -> None:
    if grants.identity is None:
        return
    identities.pop(grants.identity, None)
    identities[grants.identity] = None
    if len(identities) > MAX_IDENTITIES:
        del identities[next(iter(identities))]
