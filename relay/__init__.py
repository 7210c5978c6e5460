"""The media plane of rtp-relay, as a library: ICE, DTLS, SRTP and forwarding, without any SDP.

`Relay` (`server.py`) is where to start. Everything that a program needs is named here.
"""

from .consumer import Consumer
from .dominance import DominantSpeaker
from .errors import AddressError, InvalidStateError, ParameterError, RelayError
from .events import CloseReason, ConnectionState, NetworkChange
from .levels import SILENCE
from .loudest import MAX_SEATS as MAX_LOUDEST
from .native import MAX_THREADS as MAX_MEDIA_THREADS
from .observer import AudioLevel, SpeakerObserver
from .parameters import (
    HEADER_EXTENSIONS,
    OPUS_CLOCK_RATE,
    OPUS_PAYLOAD_TYPE,
    RED_PAYLOAD_TYPE,
    DtlsFingerprint,
    DtlsRole,
    IceCandidate,
    IceParameters,
    RtpParameters,
    RtpSource,
    TransportParameters,
)
from .publisher import Publisher
from .server import PlaneKind, Relay, RelayConfig
from .speech import Speech
from .stats import (
    COPY_REASONS,
    ConsumerStats,
    DropReason,
    ForwardLatency,
    PublisherStats,
    RelayStats,
    RetransmissionRefusal,
    SetupTimes,
)

__all__ = [
    "COPY_REASONS",
    "HEADER_EXTENSIONS",
    "MAX_LOUDEST",
    "MAX_MEDIA_THREADS",
    "OPUS_CLOCK_RATE",
    "OPUS_PAYLOAD_TYPE",
    "RED_PAYLOAD_TYPE",
    "SILENCE",
    "AddressError",
    "AudioLevel",
    "CloseReason",
    "ConnectionState",
    "Consumer",
    "ConsumerStats",
    "DominantSpeaker",
    "DropReason",
    "DtlsFingerprint",
    "DtlsRole",
    "ForwardLatency",
    "IceCandidate",
    "IceParameters",
    "InvalidStateError",
    "NetworkChange",
    "ParameterError",
    "PlaneKind",
    "Publisher",
    "PublisherStats",
    "Relay",
    "RelayConfig",
    "RelayError",
    "RelayStats",
    "RetransmissionRefusal",
    "RtpParameters",
    "RtpSource",
    "SetupTimes",
    "SpeakerObserver",
    "Speech",
    "TransportParameters",
]
