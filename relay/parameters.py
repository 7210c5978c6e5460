"""What two ends of a transport tell each other, as frozen dataclasses.

These are the relay's words for what an SDP says, without the SDP: whoever embeds the relay brings them
to the other end in its own way (`signaling/negotiation.py` writes them as SDP). Names follow the ORTC and
mediasoup vocabulary, which is the RFCs' own. Nothing here does any work.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

OPUS_PAYLOAD_TYPE = 111
"""RTP payload type of Opus on every connection. The relay always offers, so it is the same everywhere."""

RED_PAYLOAD_TYPE = 63
"""RTP payload type of redundant audio (RFC 2198) around Opus, likewise: the one that browsers use."""

OPUS_CLOCK_RATE = 48_000
"""RTP clock of Opus in Hz, whatever the coded bandwidth (RFC 7587 §4.1)."""

AUDIO_LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""Client-to-mixer audio level (RFC 6464)."""

AUDIO_LEVEL_ID = 1

HEADER_EXTENSIONS: dict[int, str] = {AUDIO_LEVEL_ID: AUDIO_LEVEL_URI}
"""RTP header extensions by their id (RFC 8285 §4.2), the same on every m-line of every connection.

Only these are offered, and only these reach a consumer. An id is never given a second meaning: Chrome
forbids rebinding one for the life of a connection.
"""


class DtlsRole(StrEnum):
    """Who starts the DTLS handshake (RFC 5763 §5); `AUTO` leaves it to the answerer (`actpass`)."""

    AUTO = "auto"
    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A transport address to try (RFC 8839 §5.1).

    address: IPv4 or IPv6 literal, or an mDNS name ending in `.local` (which the relay never resolves:
        the peer's own checks arrive and make a peer-reflexive candidate).
    protocol: `udp` or `tcp`, lower case. type: `host`, `srflx`, `prflx` or `relay`.
    """

    foundation: str
    component: int
    protocol: str
    priority: int
    address: str
    port: int
    type: str
    related_address: str | None = None
    related_port: int | None = None
    tcp_type: str | None = None


@dataclass(frozen=True, slots=True)
class IceParameters:
    """ICE credentials (RFC 8839 §5.4): a username fragment of 4 to 256 and a password of 22 to 256
    ice-chars, which are letters, digits, `+` and `/`."""

    username_fragment: str
    password: str


@dataclass(frozen=True, slots=True)
class DtlsFingerprint:
    """Hash of a certificate (RFC 8122 §5). algorithm: such as `sha-256`; value: upper-case hex pairs
    joined by colons."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class RtpParameters:
    """What one end can do against loss, beside the error correction inside of Opus.

    nack: it asks for lost packets, or sends them again when asked (RFC 4585 §6.2.1). red: it reads
    redundant audio, or may send it (RFC 2198), under `RED_PAYLOAD_TYPE`. red_first: it would rather get
    that than plain Opus. reduced_size: its feedback comes without a report ahead of it (RFC 5506); the
    relay always offers that.
    """

    nack: bool = False
    red: bool = False
    red_first: bool = False
    reduced_size: bool = False


@dataclass(frozen=True, slots=True)
class TransportParameters:
    """One end of a transport: where it may be reached, how it proves itself, what media it takes.

    role: what this end wants to be; the relay offers `AUTO`, and an answer says `CLIENT` or `SERVER`.
    end_of_candidates: no further candidates will come (RFC 8838 §8.2). rtp: what it can do beyond plain
    Opus; of an answer, what of the offer it took.
    """

    ice: IceParameters
    fingerprints: tuple[DtlsFingerprint, ...]
    role: DtlsRole = DtlsRole.AUTO
    candidates: tuple[IceCandidate, ...] = ()
    end_of_candidates: bool = False
    rtp: RtpParameters = RtpParameters()


@dataclass(frozen=True, slots=True)
class RtpSource:
    """What a consumer's offer announces. ssrc: 1 to 2**32 - 1 (RFC 3550 §5.1); cname: RFC 7022."""

    ssrc: int
    cname: str
