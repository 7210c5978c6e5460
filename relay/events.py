"""The words of a connection's life: its states, and why it ended.

A connection (`connection.py`) emits, through pyee:

    connected                       ICE and DTLS are done, media can flow
    closed(reason: CloseReason)     once, however it came about
    local_candidate(candidate)      an `IceCandidate` found after the offer
"""

from __future__ import annotations

from enum import StrEnum


class ConnectionState(StrEnum):
    """Where a connection stands."""

    NEW = "new"
    """It has local parameters to offer, and waits for the other end's."""
    CONNECTING = "connecting"
    """ICE checks run, or the DTLS handshake does."""
    CONNECTED = "connected"
    """Keys are exchanged; media can flow."""
    CLOSED = "closed"


class CloseReason(StrEnum):
    """Why a connection ended."""

    CLOSED = "closed"
    """Its owner asked for it."""
    FAILED = "failed"
    """Its media path never came, was refused by DTLS, or lost consent (RFC 7675)."""
    PUBLISHER_CLOSED = "publisher_closed"
    """A consumer whose publisher is gone."""
    SHUTDOWN = "shutdown"
    """The relay itself was closed."""
