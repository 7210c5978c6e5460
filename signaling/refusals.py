"""What the signaling side turns away, by a named reason, as `relay.DropReason` does for packets. Pure."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum


class Refusal(StrEnum):
    """Why somebody or something was turned away; docs/troubleshooting.md explains each."""

    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    ORIGIN = "origin"
    SERVER_SOCKETS = "server_sockets"
    ADDRESS_SOCKETS = "address_sockets"
    ADDRESS_SOCKET_RATE = "address_socket_rate"
    ADDRESS_JOINS = "address_joins"
    ADDRESS_MESSAGES = "address_messages"
    ADDRESS_READS = "address_reads"
    SOCKET_MESSAGES = "socket_messages"
    SOCKET_FLOOD = "socket_flood"
    NOT_JOINED = "not_joined"
    NOT_TEXT = "not_text"
    SLOW_READER = "slow_reader"
    ROOM_FULL = "room_full"
    SERVER_FULL = "server_full"
    HANDSHAKES = "handshakes"
    DISPLACED = "displaced"
    UNANSWERED = "unanswered"
    NO_DESCRIPTOR = "no_descriptor"


class Refusals:
    """How often, since the start."""

    def __init__(self) -> None:
        self._counts: Counter[Refusal] = Counter()

    def count(self, refusal: Refusal) -> None:
        """One more."""
        self._counts[refusal] += 1

    def __getitem__(self, refusal: Refusal) -> int:
        return self._counts[refusal]

    def as_dict(self) -> dict[str, int]:
        """Those that ever happened, by their names."""
        return {refusal.value: count for refusal, count in self._counts.items()}
