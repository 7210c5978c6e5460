"""The attributes that have a meaning here, as a table: one row each, with how its value is read
and written.

An attribute without a row is kept as a plain `Attribute`. One more attribute is one class in
`model.py` and one row in `ROWS`. A row's two functions are each other's inverse: whatever `parse`
accepts, `build` writes back character by character. `build` checks nothing: `sdp/builder.py`
reads back what was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sdp import scan
from sdp.errors import SdpError
from sdp.model import (
    AnyAttribute,
    Attribute,
    Candidate,
    Direction,
    ExtMap,
    Fingerprint,
    FormatParameters,
    Group,
    IceOptions,
    IcePwd,
    IceUfrag,
    Mid,
    Msid,
    RtcpFeedback,
    RtpMap,
    Setup,
    Ssrc,
)

_UINT32 = 2**32 - 1

_MAX_EXTENSION_ID = 4351
"""RFC 8285 §5: 1 to 255 on the wire, 4096 to 4351 for an offer of more than fits."""

_DIGEST_LENGTHS = {
    "md5": 16,
    "sha-1": 20,
    "sha-224": 28,
    "sha-256": 32,
    "sha-384": 48,
    "sha-512": 64,
}
"""Bytes of a digest by hash function (RFC 8122 §5). Others are accepted with any length."""

_DIRECTIONS = {direction.value: direction for direction in Direction}

_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute. parse: from the text after the colon, raising `SdpError`; build: its
    inverse. once: whether a second one in the same section is an error, for it would contradict
    the first."""

    name: str
    kind: type[Any]
    parse: Callable[[str], AnyAttribute]
    build: Callable[[Any], str]
    once: bool = False


def parse_candidate_value(value: str) -> Candidate:
    """Read a candidate without a prefix (RFC 8839 §5.1)."""
    foundation, *words = value.split(" ")
    if len(words) < 7 or words[5] != "typ":
        shape = "<foundation> <component> <transport> <priority> <address> <port> typ <type> ..."
        raise SdpError(shape, value)
    if len(words) % 2 == 0:
        raise SdpError("a value after every name that follows the type", words[-1])
    pairs = list(zip(words[7::2], words[8::2], strict=True))
    related_address = related_port = None
    if pairs and pairs[0][0] == "raddr":
        related_address = scan.address(pairs.pop(0)[1])
    if pairs and pairs[0][0] == "rport":
        related_port = scan.port(pairs.pop(0)[1])
    return Candidate(
        foundation=scan.ice_chars(foundation, "a foundation", 1, 32),
        component=scan.number(words[0], "a component id", 1, 256),
        transport=scan.token(words[1], "a transport protocol"),
        priority=scan.number(words[2], "a priority", 0, _UINT32),
        address=scan.address(words[3]),
        port=scan.port(words[4]),
        type=scan.token(words[6], "a candidate type"),
        related_address=related_address,
        related_port=related_port,
        extensions=tuple((scan.word(name, "an extension name"), text) for name, text in pairs),
    )


def build_candidate_value(candidate: Candidate) -> str:
    """Write a candidate without a prefix."""
    words = [
        f"{candidate.foundation} {candidate.component} {candidate.transport} {candidate.priority}",
        f"{candidate.address} {candidate.port} typ {candidate.type}",
    ]
    if candidate.related_address is not None:
        words.append(f"raddr {candidate.related_address}")
    if candidate.related_port is not None:
        words.append(f"rport {candidate.related_port}")
    words.extend(f"{name} {value}" for name, value in candidate.extensions)
    return " ".join(words)


def _parse_fingerprint(value: str) -> Fingerprint:
    algorithm, digest = scan.words(value, 2, "<hash function> <fingerprint>")
    length = _DIGEST_LENGTHS.get(scan.token(algorithm, "a hash function").lower())
    if _HEX_PAIRS.fullmatch(digest) is None:
        raise SdpError("pairs of hexadecimal digits joined by colons", digest)
    if length not in (None, (len(digest) + 1) // 3):
        raise SdpError(f"{length} pairs of hexadecimal digits for {algorithm}", digest)
    return Fingerprint(algorithm, digest)


def _parse_setup(value: str) -> Setup:
    try:
        return Setup(value)
    except ValueError:
        raise SdpError(" or ".join(Setup), value) from None


def _parse_ice_options(value: str) -> IceOptions:
    return IceOptions(tuple(scan.token(word, "an ICE option") for word in value.split(" ")))


def _parse_group(value: str) -> Group:
    semantics, *mids = value.split(" ")
    return Group(
        scan.token(semantics, "group semantics"),
        tuple(scan.token(mid, "a media identification") for mid in mids),
    )


def _payload_type(text: str) -> int:
    return scan.number(text, "a payload type", 0, 127)


def _parse_rtpmap(value: str) -> RtpMap:
    shape = "<payload type> <encoding>/<clock rate>[/<channels>]"
    payload_type, encoding = scan.words(value, 2, shape)
    name, *numbers = encoding.split("/")
    if not 1 <= len(numbers) <= 2:
        raise SdpError(shape, value)
    return RtpMap(
        payload_type=_payload_type(payload_type),
        encoding=scan.token(name, "an encoding name"),
        clock_rate=scan.number(numbers[0], "a clock rate", 1, _UINT32),
        channels=scan.number(numbers[1], "channels", 1, 255) if numbers[1:] else None,
    )


def _build_rtpmap(rtpmap: RtpMap) -> str:
    channels = "" if rtpmap.channels is None else f"/{rtpmap.channels}"
    return f"{rtpmap.payload_type} {rtpmap.encoding}/{rtpmap.clock_rate}{channels}"


def _parse_fmtp(value: str) -> FormatParameters:
    name, text = scan.optional_tail(value)
    if text is None:
        raise SdpError("<format> <parameters>", value)
    return FormatParameters(scan.token(name, "a format"), text)


def _parse_rtcp_fb(value: str) -> RtcpFeedback:
    payload_type, text = scan.optional_tail(value)
    if text is None:
        raise SdpError("<payload type or *> <feedback type>", value)
    name, parameter = scan.optional_tail(text)
    return RtcpFeedback(
        None if payload_type == "*" else _payload_type(payload_type),
        scan.token(name, "a feedback type"),
        parameter,
    )


def _build_rtcp_fb(feedback: RtcpFeedback) -> str:
    payload_type = "*" if feedback.payload_type is None else feedback.payload_type
    parameter = "" if feedback.parameter is None else f" {feedback.parameter}"
    return f"{payload_type} {feedback.type}{parameter}"


def _parse_extmap(value: str) -> ExtMap:
    head, text = scan.optional_tail(value)
    if text is None:
        raise SdpError("<id>[/<direction>] <URI>", value)
    extension_id, slash, direction = head.partition("/")
    if slash and direction not in _DIRECTIONS:
        raise SdpError(" or ".join(Direction), direction)
    uri, attributes = scan.optional_tail(text)
    return ExtMap(
        id=scan.number(extension_id, "an extension id", 1, _MAX_EXTENSION_ID),
        uri=scan.word(uri, "a URI"),
        direction=_DIRECTIONS[direction] if slash else None,
        attributes=attributes,
    )


def _build_extmap(extmap: ExtMap) -> str:
    direction = "" if extmap.direction is None else f"/{extmap.direction}"
    attributes = "" if extmap.attributes is None else f" {extmap.attributes}"
    return f"{extmap.id}{direction} {extmap.uri}{attributes}"


def _parse_msid(value: str) -> Msid:
    stream, track = scan.optional_tail(value)
    return Msid(
        scan.word(stream, "a stream id"),
        None if track is None else scan.word(track, "a track id"),
    )


def _build_msid(msid: Msid) -> str:
    return msid.stream if msid.track is None else f"{msid.stream} {msid.track}"


def _parse_ssrc(value: str) -> Ssrc:
    source, text = scan.optional_tail(value)
    source_id = scan.number(source, "an SSRC", 0, _UINT32)
    if text is None:
        return Ssrc(source_id)
    name, colon, tail = text.partition(":")
    return Ssrc(source_id, scan.token(name, "a source attribute"), tail if colon else None)


def _build_ssrc(ssrc: Ssrc) -> str:
    attribute = "" if ssrc.attribute is None else f" {ssrc.attribute}"
    value = "" if ssrc.value is None else f":{ssrc.value}"
    return f"{ssrc.id}{attribute}{value}"


ROWS = (
    Row("candidate", Candidate, parse_candidate_value, build_candidate_value),
    Row("extmap", ExtMap, _parse_extmap, _build_extmap),
    Row(
        "fingerprint",
        Fingerprint,
        _parse_fingerprint,
        lambda item: f"{item.algorithm} {item.value}",
    ),
    Row("fmtp", FormatParameters, _parse_fmtp, lambda item: f"{item.format} {item.text}"),
    Row("group", Group, _parse_group, lambda item: " ".join((item.semantics, *item.mids))),
    Row("ice-options", IceOptions, _parse_ice_options, lambda item: " ".join(item.options)),
    Row(
        "ice-pwd",
        IcePwd,
        lambda value: IcePwd(scan.ice_chars(value, "an ICE password", 22, 256)),
        lambda item: item.value,
        once=True,
    ),
    Row(
        "ice-ufrag",
        IceUfrag,
        lambda value: IceUfrag(scan.ice_chars(value, "an ICE username fragment", 4, 256)),
        lambda item: item.value,
        once=True,
    ),
    Row(
        "mid",
        Mid,
        lambda value: Mid(scan.token(value, "a media identification")),
        lambda item: item.value,
        once=True,
    ),
    Row("msid", Msid, _parse_msid, _build_msid),
    Row("rtcp-fb", RtcpFeedback, _parse_rtcp_fb, _build_rtcp_fb),
    Row("rtpmap", RtpMap, _parse_rtpmap, _build_rtpmap),
    Row("setup", Setup, _parse_setup, str, once=True),
    Row("ssrc", Ssrc, _parse_ssrc, _build_ssrc),
)

PROPERTIES = frozenset(
    {
        "bundle-only",
        "end-of-candidates",
        "extmap-allow-mixed",
        "ice-lite",
        "rtcp-mux",
        "rtcp-rsize",
        *Direction,
    }
)
"""Attributes that have no value. The directions are `Direction`s, the others plain
`Attribute`s."""

ONCE: tuple[type[Any], ...] = (Direction, *(row.kind for row in ROWS if row.once))
"""Classes of which a section may have only one."""

_BY_NAME = {row.name: row for row in ROWS}
_BY_KIND = {row.kind: row for row in ROWS}


def parse_attribute(text: str) -> AnyAttribute:
    """Read what follows `a=`."""
    name, colon, value = text.partition(":")
    if name in PROPERTIES:
        if colon:
            raise SdpError(f"{name} without a value", text)
        return _DIRECTIONS.get(name) or Attribute(name)
    row = _BY_NAME.get(name)
    if row is None:
        return Attribute(scan.token(name, "an attribute name"), value if colon else None)
    if not colon:
        raise SdpError(f"{name}:<value>", text)
    return row.parse(value)


def build_attribute(attribute: AnyAttribute) -> str:
    """Write what follows `a=`."""
    if isinstance(attribute, Direction):
        return attribute.value
    if isinstance(attribute, Attribute):
        value = "" if attribute.value is None else f":{attribute.value}"
        return f"{attribute.name}{value}"
    row = _BY_KIND[type(attribute)]
    return f"{row.name}:{row.build(attribute)}"
