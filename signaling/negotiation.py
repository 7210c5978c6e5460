"""Parameters to SDP and back: the only module where the relay's words meet the browser's.

The server always offers (RFC 8829 calls it JSEP, this is the half of it that one audio section needs): one
m-line, mid 0, Opus, plain and redundant, and the transport of one relay connection. Browsers answer; of the
answer only what the transport needs is used, and what it takes against loss. Roles: the offer is `actpass`,
so that the browser chooses (RFC 5763 §5).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

import sdp
from relay import (
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
from signaling.errors import ErrorCode, SignalingError
from signaling.messages import Answer, IceCandidateInit, Offer

MID = "0"
"""Of the only media section. Short, for it may travel in every packet (RFC 9143 §15.1)."""

_MLINE_INDEX = 0
_PROTOCOL = "UDP/TLS/RTP/SAVPF"
_DISCARD_PORT = 9
"""In the m-line of an offer whose addresses are all candidates (RFC 8840 §4.1.1)."""

_OPUS_CHANNELS = 2

MAX_ANSWER_SIZE = 16 * 1024
"""Characters of an answer that is looked at; browsers' have about 3,000."""
"""In the rtpmap of Opus always, whatever is coded (RFC 7587 §7)."""

_OPUS_PARAMETERS = "minptime=10;useinbandfec=1"
"""10 ms frames are fine, and forward error correction helps (RFC 7587 §6.1)."""

_RED_PARAMETERS = f"{OPUS_PAYLOAD_TYPE}/{OPUS_PAYLOAD_TYPE}"
"""Each packet holds a frame of Opus, and the one before (RFC 2198 §5)."""

_NACK = sdp.RtcpFeedback(OPUS_PAYLOAD_TYPE, "nack")
"""Lost packets are sent again (RFC 4585 §4.2). It is of the codec, inside of redundant audio or not."""

_SETUP = {
    DtlsRole.AUTO: sdp.Setup.ACTPASS,
    DtlsRole.CLIENT: sdp.Setup.ACTIVE,
    DtlsRole.SERVER: sdp.Setup.PASSIVE,
}
_ROLES = {sdp.Setup.ACTIVE: DtlsRole.CLIENT, sdp.Setup.PASSIVE: DtlsRole.SERVER}


@dataclass(frozen=True, slots=True)
class OfferSession:
    """What tells the offers of one connection (RFC 8829 §5.2.1): a random number of 63 bits, and how many
    there were, this one included."""

    id: int = field(default_factory=lambda: secrets.randbits(63))
    version: int = 1

    def next(self) -> OfferSession:
        """That of another offer for the same connection (RFC 8829 §5.2.2)."""
        return replace(self, version=self.version + 1)


def offer_to_receive(local: TransportParameters, session: OfferSession | None = None) -> Offer:
    """The offer of a publisher's connection: the browser sends (`recvonly`, seen from here). session: None
    for the only one."""
    return _offer(local, sdp.Direction.RECVONLY, (), session)


def offer_to_send(
    local: TransportParameters,
    source: RtpSource,
    stream_id: str,
    track_id: str,
    session: OfferSession | None = None,
) -> Offer:
    """The offer of a consumer's connection: the browser receives (`sendonly`, seen from here).

    stream_id, track_id: what the browser names the MediaStream and its track (RFC 8830). session: None for
    the only offer.
    """
    announced = (
        sdp.Msid(stream_id, track_id),
        sdp.Ssrc(source.ssrc, "cname", source.cname),
        sdp.Ssrc(source.ssrc, "msid", f"{stream_id} {track_id}"),
    )
    return _offer(local, sdp.Direction.SENDONLY, announced, session)


def _offer(
    local: TransportParameters,
    direction: sdp.Direction,
    announced: tuple[sdp.AnyAttribute, ...],
    session: OfferSession | None,
) -> Offer:
    session = session or OfferSession()
    media = sdp.MediaDescription(
        media="audio",
        port=_DISCARD_PORT,
        protocol=_PROTOCOL,
        formats=tuple(map(str, _payload_types(local.rtp))),
        connection=sdp.Connection(),
        attributes=(
            sdp.Mid(MID),
            direction,
            *_transport_attributes(local),
            *_codec_attributes(local.rtp),
            *announced,
        ),
    )
    description = sdp.SessionDescription(
        origin=sdp.Origin(session_id=session.id, session_version=session.version),
        attributes=(
            sdp.Group("BUNDLE", (MID,)),
            sdp.Attribute("msid-semantic", "WMS *"),
            sdp.IceOptions(("trickle",)),
        ),
        media=(media,),
    )
    return Offer(sdp.build(description))


def _transport_attributes(local: TransportParameters) -> tuple[sdp.AnyAttribute, ...]:
    end = (sdp.Attribute("end-of-candidates"),) if local.end_of_candidates else ()
    return (
        sdp.Attribute("rtcp-mux"),
        sdp.Attribute("rtcp-rsize"),
        sdp.IceUfrag(local.ice.username_fragment),
        sdp.IcePwd(local.ice.password),
        *(sdp.Fingerprint(item.algorithm, item.value) for item in local.fingerprints),
        _SETUP[local.role],
        *(_to_sdp(candidate) for candidate in local.candidates),
        *end,
    )


def _payload_types(rtp: RtpParameters) -> tuple[int, ...]:
    """Best first (RFC 3264 §5.1): a browser sends the first one that it knows."""
    if not rtp.red:
        return (OPUS_PAYLOAD_TYPE,)
    both = OPUS_PAYLOAD_TYPE, RED_PAYLOAD_TYPE
    return both[::-1] if rtp.red_first else both


def _codec_attributes(rtp: RtpParameters) -> tuple[sdp.AnyAttribute, ...]:
    redundant = (
        sdp.RtpMap(RED_PAYLOAD_TYPE, "red", OPUS_CLOCK_RATE, _OPUS_CHANNELS),
        sdp.FormatParameters(str(RED_PAYLOAD_TYPE), _RED_PARAMETERS),
    )
    return (
        sdp.RtpMap(OPUS_PAYLOAD_TYPE, "opus", OPUS_CLOCK_RATE, _OPUS_CHANNELS),
        sdp.FormatParameters(str(OPUS_PAYLOAD_TYPE), _OPUS_PARAMETERS),
        *((_NACK,) if rtp.nack else ()),
        *(redundant if rtp.red else ()),
        *(sdp.ExtMap(id, uri) for id, uri in HEADER_EXTENSIONS.items()),
    )


def read_answer(answer: Answer) -> TransportParameters:
    """The browser's end of the transport.

    Raises SignalingError (`bad_sdp`) for what is no SDP, and for an answer to anything but our offer: its
    one audio section, with Opus by our payload type, ICE credentials, a fingerprint and a DTLS role.
    """
    if len(answer.sdp) > MAX_ANSWER_SIZE:
        raise _bad_sdp(f"The answer has more than {MAX_ANSWER_SIZE} characters.")
    try:
        description = sdp.parse(answer.sdp)
    except sdp.SdpError as error:
        raise _bad_sdp(f"The answer is not a session description: {error}.") from error
    media = _audio_section(description)
    _require_opus(media)
    return TransportParameters(
        ice=_ice_parameters(description, media),
        fingerprints=_fingerprints(description, media),
        role=_role(description, media),
        candidates=tuple(_from_sdp(candidate) for candidate in media.all(sdp.Candidate)),
        end_of_candidates=description.end_of_candidates(media),
        rtp=_rtp_parameters(media),
    )


def _audio_section(description: sdp.SessionDescription) -> sdp.MediaDescription:
    if len(description.media) != 1:
        raise _bad_sdp(
            f"The answer must have one media section, as the offer has, not {len(description.media)}."
        )
    media = description.media[0]
    if media.media != "audio":
        raise _bad_sdp(f"The answer's media section must be audio, not {media.media[:32]}.")
    if media.is_rejected:
        raise _bad_sdp("The answer rejects the audio section (port 0); it must accept it.")
    return media


def _require_opus(media: sdp.MediaDescription) -> None:
    # RFC 3264 §6.1 lets an answer use other payload types. No browser does, and the relay forwards packets
    # with the payload type that they came with.
    codec = media.rtpmap(OPUS_PAYLOAD_TYPE)
    offered = str(OPUS_PAYLOAD_TYPE) in media.formats
    if not offered or codec is None or codec.encoding.lower() != "opus":
        raise _bad_sdp(
            f"The answer must accept Opus with the offered payload type {OPUS_PAYLOAD_TYPE}."
        )


def _rtp_parameters(media: sdp.MediaDescription) -> RtpParameters:
    red = media.rtpmap(RED_PAYLOAD_TYPE)
    return RtpParameters(
        nack=any(
            item.type == "nack" and item.parameter is None and item.payload_type in _OF_OPUS
            for item in media.all(sdp.RtcpFeedback)
        ),
        red=str(RED_PAYLOAD_TYPE) in media.formats
        and red is not None
        and red.encoding.lower() == "red",
        reduced_size=any(item.name == "rtcp-rsize" for item in media.all(sdp.Attribute)),
    )


_OF_OPUS = (OPUS_PAYLOAD_TYPE, None)  # None: of every codec


def _ice_parameters(
    description: sdp.SessionDescription, media: sdp.MediaDescription
) -> IceParameters:
    ufrag, password = description.ice_ufrag(media), description.ice_pwd(media)
    if ufrag is None or password is None:
        raise _bad_sdp("The answer must have ICE credentials (a=ice-ufrag and a=ice-pwd).")
    return IceParameters(ufrag, password)


def _fingerprints(
    description: sdp.SessionDescription, media: sdp.MediaDescription
) -> tuple[DtlsFingerprint, ...]:
    found = description.fingerprints(media)
    if not found:
        raise _bad_sdp("The answer must have the certificate's fingerprint (a=fingerprint).")
    return tuple(DtlsFingerprint(item.algorithm, item.value.upper()) for item in found)


def _role(description: sdp.SessionDescription, media: sdp.MediaDescription) -> DtlsRole:
    setup = description.setup(media)
    role = None if setup is None else _ROLES.get(setup)
    if role is None:
        raise _bad_sdp("The answer must choose a DTLS role (a=setup:active or a=setup:passive).")
    return role


def read_candidate(init: IceCandidateInit | None) -> IceCandidate | None:
    """A trickled candidate, None for the end of candidates (RFC 8838 §8.2).

    Raises SignalingError (`bad_message`) for what cannot be read, or belongs to another media section.
    """
    if init is None:
        return None
    _require_our_section(init)
    if not init.candidate:
        return None
    try:
        return _from_sdp(sdp.parse_candidate(init.candidate))
    except sdp.SdpError as error:
        raise SignalingError(
            ErrorCode.BAD_MESSAGE, f"Field `candidate` holds no ICE candidate: {error}."
        ) from error


def _require_our_section(init: IceCandidateInit) -> None:
    # RFC 8829 §3.5.2.1: either names the section; browsers write both.
    if init.sdpMid not in (None, MID) or init.sdpMLineIndex not in (None, _MLINE_INDEX):
        raise SignalingError(
            ErrorCode.BAD_MESSAGE,
            f"The candidate is for another media section; the only one has sdpMid {MID!r} and"
            f" sdpMLineIndex {_MLINE_INDEX}.",
        )


def write_candidate(candidate: IceCandidate | None, local: TransportParameters) -> IceCandidateInit:
    """A candidate for the browser; the end of candidates for None."""
    return IceCandidateInit(
        candidate="" if candidate is None else sdp.build_candidate(_to_sdp(candidate)),
        sdpMid=MID,
        sdpMLineIndex=_MLINE_INDEX,
        usernameFragment=local.ice.username_fragment,
    )


def _to_sdp(candidate: IceCandidate) -> sdp.Candidate:
    tcp = () if candidate.tcp_type is None else (("tcptype", candidate.tcp_type),)
    return sdp.Candidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport=candidate.protocol,
        priority=candidate.priority,
        address=candidate.address,
        port=candidate.port,
        type=candidate.type,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
        extensions=tcp,
    )


def _from_sdp(candidate: sdp.Candidate) -> IceCandidate:
    return IceCandidate(
        foundation=candidate.foundation,
        component=candidate.component,
        protocol=candidate.transport.lower(),
        priority=candidate.priority,
        address=candidate.address,
        port=candidate.port,
        type=candidate.type,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
        tcp_type=candidate.tcp_type,
    )


def _bad_sdp(sentence: str) -> SignalingError:
    return SignalingError(ErrorCode.BAD_SDP, sentence)
