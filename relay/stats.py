"""What the relay counts, and why it dropped what it dropped.

Counter names follow the W3C's webrtc-stats where it has one. Bytes are payload bytes, without RTP
headers, padding or SRTP's tag, as there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class DropReason(StrEnum):
    """Why a datagram went no further. Every one that is received is forwarded, used, or counted here."""

    UNKNOWN_PROTOCOL = "unknown_protocol"
    """Neither STUN, DTLS, RTP nor RTCP."""
    OVERSIZED = "oversized"
    """Longer than any datagram that a peer of ours sends."""
    STUN_MALFORMED = "stun_malformed"
    STUN_UNKNOWN_USER = "stun_unknown_user"
    """A check for a username fragment that nobody here has."""
    STUN_UNAUTHENTICATED = "stun_unauthenticated"
    """A check whose MESSAGE-INTEGRITY is missing or wrong."""
    STUN_UNEXPECTED = "stun_unexpected"
    """A response to nothing that was asked, or an indication."""
    STUN_TOO_MANY_ADDRESSES = "stun_too_many_addresses"
    """One more remote address than a connection may have."""
    DTLS_UNKNOWN_ADDRESS = "dtls_unknown_address"
    """DTLS from an address that passed no authenticated ICE check."""
    DTLS_MALFORMED = "dtls_malformed"
    DTLS_UNEXPECTED = "dtls_unexpected"
    """DTLS of a connection whose handshake is over, or has not begun."""
    RTP_UNKNOWN_ADDRESS = "rtp_unknown_address"
    """RTP from an address that belongs to no publisher with keys."""
    RTP_MALFORMED = "rtp_malformed"
    RTP_UNKNOWN_PAYLOAD_TYPE = "rtp_unknown_payload_type"
    RTP_MUTED = "rtp_muted"
    RTP_STALE = "rtp_stale"
    """Older than the pause or the restart that came after it."""
    SRTP_UNAUTHENTICATED = "srtp_unauthenticated"
    SRTP_REPLAYED = "srtp_replayed"
    SRTP_FAILED = "srtp_failed"
    RTCP_UNKNOWN_ADDRESS = "rtcp_unknown_address"
    RTCP_UNAUTHENTICATED = "rtcp_unauthenticated"
    RTCP_MALFORMED = "rtcp_malformed"
    CONTROL_QUEUE_FULL = "control_queue_full"
    """The event loop was too slow to take what is not RTP from a native thread."""
    INBOX_FULL = "inbox_full"
    """A native thread was too slow to take packets from another."""
    INTERNAL_ERROR = "internal_error"
    """A fault of the relay's own, which it logged."""
    SEND_BUFFER_FULL = "send_buffer_full"
    """The socket's send buffer had no room."""
    SEND_FAILED = "send_failed"
    """The system refused to send."""


@dataclass(frozen=True, slots=True)
class PublisherStats:
    """What came from a publisher. gaps: how often at least five packets in a row (100 ms) had not come when
    a later one did. jitter and round_trip_time: seconds; the latter None until known."""

    packets_received: int
    bytes_received: int
    packets_lost: int
    gaps: int
    jitter: float
    round_trip_time: float | None


@dataclass(frozen=True, slots=True)
class ConsumerStats:
    """What went to a consumer, and what it reported of that (RTCP RR). jitter and round_trip_time:
    seconds; the latter None until known. packets_reported: how many the last report speaks of, counted by
    sequence numbers; packets_lost_before: what had been lost by then on the publisher's way to the relay,
    which leaves gaps in those numbers and so is among the lost."""

    packets_sent: int
    bytes_sent: int
    packets_lost: int
    jitter: float
    round_trip_time: float | None
    packets_reported: int = 0
    packets_lost_before: int = 0


@dataclass(frozen=True, slots=True)
class ForwardLatency:
    """Time from the kernel's receive stamp to the end of the send call, in seconds, since the start.

    count: batches that were forwarded; each has its own first packet's age.
    """

    count: int
    mean: float
    median: float
    p99: float
    maximum: float


@dataclass(frozen=True, slots=True)
class RelayStats:
    """The whole relay since its start, and what it holds now."""

    publishers: int
    consumers: int
    bound_addresses: int
    datagrams_received: int
    rtp_packets_received: int
    packets_forwarded: int
    forward_latency: ForwardLatency
    drops: dict[DropReason, int] = field(default_factory=dict)
