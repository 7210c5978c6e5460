"""Session descriptions (SDP, RFC 8866) as browsers write and read them: text to dataclasses and
back.

`parse` reads a description, `build` writes one, `parse_candidate` and `build_candidate` do the
same for a trickled candidate. `build(parse(text))` keeps every line it was given, whether its
meaning is known here or not. The standard library is all that is needed; nothing here knows of
signaling, of sockets or of media.
"""

from sdp.builder import build, build_candidate
from sdp.errors import SdpError
from sdp.model import (
    AnyAttribute,
    Attribute,
    Bandwidth,
    Candidate,
    Connection,
    Direction,
    ExtMap,
    Fingerprint,
    FormatParameters,
    Group,
    IceOptions,
    IcePwd,
    IceUfrag,
    Line,
    MediaDescription,
    Mid,
    Msid,
    Origin,
    RtcpFeedback,
    RtpMap,
    SessionDescription,
    Setup,
    Ssrc,
    Timing,
)
from sdp.parser import parse, parse_candidate

__all__ = [
    "AnyAttribute",
    "Attribute",
    "Bandwidth",
    "Candidate",
    "Connection",
    "Direction",
    "ExtMap",
    "Fingerprint",
    "FormatParameters",
    "Group",
    "IceOptions",
    "IcePwd",
    "IceUfrag",
    "Line",
    "MediaDescription",
    "Mid",
    "Msid",
    "Origin",
    "RtcpFeedback",
    "RtpMap",
    "SdpError",
    "SessionDescription",
    "Setup",
    "Ssrc",
    "Timing",
    "build",
    "build_candidate",
    "parse",
    "parse_candidate",
]
