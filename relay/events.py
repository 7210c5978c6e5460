"""The words of a connection's life: its states, and why it ended.

A connection (`connection.py`) emits, through pyee:

    connected                       ICE and DTLS are done, media can flow
    closed(reason: CloseReason)     once, however it came about
    local_candidate(candidate)      an `IceCandidate` found after the offer
    network_changed(NetworkChange)  media takes another path from now on
    doubtful                        the other end has stopped answering; an ICE restart may help
    restart_failed                  the ICE restart that was begun found no path; things are as before
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


class NetworkChange(StrEnum):
    """Why media takes another path."""

    RESTART = "restart"
    """An ICE restart (RFC 8445 §9) has found it."""
    ADDRESS = "address"
    """The other end has moved: its checks come from another address, or by another one of ours."""
