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
    RATE_LIMITED = "rate_limited"
    """More STUN, DTLS or RTCP of one connection than is looked at in that time."""
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
    RTP_NOT_LOUDEST = "rtp_not_loudest"
    """Of a publisher who is not among the loudest N of its room (`RelayConfig.loudest`)."""
    RTP_STALE = "rtp_stale"
    """Older than the pause or the restart that came after it, or than anything that is kept."""
    RTP_REDUNDANT = "rtp_redundant"
    """It came after all, when it had been restored from the redundancy of a later packet."""
    RED_MALFORMED = "red_malformed"
    """Redundant audio (RFC 2198) that cannot be taken apart, or holds something else than Opus."""
    SRTP_UNAUTHENTICATED = "srtp_unauthenticated"
    SRTP_REPLAYED = "srtp_replayed"
    SRTP_FAILED = "srtp_failed"
    """libsrtp refused a packet that came for another reason."""
    RTCP_UNKNOWN_ADDRESS = "rtcp_unknown_address"
    RTCP_UNAUTHENTICATED = "rtcp_unauthenticated"
    RTCP_MALFORMED = "rtcp_malformed"
    CONTROL_QUEUE_FULL = "control_queue_full"
    """The event loop was too slow to take what is not RTP from a native thread."""
    INBOX_FULL = "inbox_full"
    """A native thread was too slow to take packets from another."""
    INTERNAL_ERROR = "internal_error"
    """A fault of the relay's own, which it logged."""
    PROTECT_FAILED = "protect_failed"
    """libsrtp refused to encrypt a copy."""
    SEND_BUFFER_FULL = "send_buffer_full"
    """The socket's send buffer had no room."""
    SEND_FAILED = "send_failed"
    """The system refused to send."""
    CHECK_WITHHELD = "check_withheld"
    """A check of ours to an address that was only named, beyond what such get (`outreach.py`)."""


COPY_REASONS = frozenset(
    {
        DropReason.PROTECT_FAILED,
        DropReason.INBOX_FULL,
        DropReason.SEND_BUFFER_FULL,
        DropReason.SEND_FAILED,
        DropReason.CHECK_WITHHELD,
    }
)
"""What happens to a copy on its way to a consumer, or to a datagram of our own; all others happen to a
datagram that came. So each datagram that came is one of: RTP that was accepted, control that was used, or
dropped; and each copy of an accepted one was forwarded, or dropped."""


class RetransmissionRefusal(StrEnum):
    """Why a packet that a consumer asked for (NACK) was not sent again."""

    NOT_KEPT = "not_kept"
    """It is too old, was never sent to this consumer, was too long, or never came."""
    TOO_SOON = "too_soon"
    """It was sent again a moment ago, and may still arrive."""
    TOO_OFTEN = "too_often"
    """It was sent again as often as one packet may be."""
    OVER_BUDGET = "over_budget"
    """This consumer gets no more retransmissions at the moment."""


@dataclass(frozen=True, slots=True)
class PublisherStats:
    """What came from a publisher. gaps: how often at least five packets in a row (100 ms) had not come when
    a later one did. jitter and round_trip_time: seconds; the latter None until known.

    packets_lost: never came, also not when asked for. nack_count: NACK packets that it was sent, and
    packets_requested: what those asked for. packets_recovered: lost ones that were restored from the
    redundancy (RED) of later ones; they count as lost.
    """

    packets_received: int
    bytes_received: int
    packets_lost: int
    gaps: int
    jitter: float
    round_trip_time: float | None
    nack_count: int = 0
    packets_requested: int = 0
    packets_recovered: int = 0


@dataclass(frozen=True, slots=True)
class ConsumerStats:
    """What went to a consumer, and what it reported of that (RTCP RR). jitter and round_trip_time:
    seconds; the latter None until known. packets_reported: how many the last report speaks of, counted by
    sequence numbers; packets_lost_before: what had been lost by then on the publisher's way to the relay,
    which leaves gaps in those numbers and so is among the lost.

    nack_count: NACK packets that came from it. retransmitted_packets_sent: what was sent again to it, which
    packets_sent and bytes_sent include. retransmissions_refused: packets that it asked for in vain.
    """

    packets_sent: int
    bytes_sent: int
    packets_lost: int
    jitter: float
    round_trip_time: float | None
    packets_reported: int = 0
    packets_lost_before: int = 0
    nack_count: int = 0
    retransmitted_packets_sent: int = 0
    retransmissions_refused: int = 0


@dataclass(frozen=True, slots=True)
class SetupTimes:
    """How far the set-up of a connection has come, and when: seconds since its offer was made, None for
    what has not happened. answered: the other end's parameters came; ice: a path was selected; dtls:
    the handshake was over; connected: media could flow."""

    answered: float | None = None
    ice: float | None = None
    dtls: float | None = None
    connected: float | None = None


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
    """The whole relay since its start, and what it holds now.

    datagrams_received = rtp_packets_accepted + the sum of control_used + that of the drops that are none of
    `COPY_REASONS`, once everything that came was looked at. control_used: STUN, DTLS and RTCP, by protocol.
    control_unsent: our own of these that were not sent, by why; the drops include them.
    packets_retransmitted: of the forwarded ones, those that were sent again because a consumer asked.
    packets_recovered: lost on the way from a publisher, and restored from the redundancy of later ones;
    each was forwarded to those consumers who need it. retransmissions_refused: asked for in vain, and why.
    datagrams_missed: came while the kernel's receive buffer had no room (SK_MEMINFO_DROPS); the relay never
    saw them, so that they are none of those received. send_errors: datagrams that the system did not take,
    and receive_errors: calls to receive that failed, by the name of its error (`ENOBUFS`).
    """

    publishers: int
    consumers: int
    bound_addresses: int
    datagrams_received: int
    rtp_packets_received: int
    packets_forwarded: int
    forward_latency: ForwardLatency
    drops: dict[DropReason, int] = field(default_factory=dict)
    rtp_packets_accepted: int = 0
    control_used: dict[str, int] = field(default_factory=dict)
    control_unsent: dict[DropReason, int] = field(default_factory=dict)
    packets_retransmitted: int = 0
    packets_recovered: int = 0
    retransmissions_refused: dict[RetransmissionRefusal, int] = field(default_factory=dict)
    datagrams_missed: int = 0
    send_errors: dict[str, int] = field(default_factory=dict)
    receive_errors: dict[str, int] = field(default_factory=dict)
