"""What a session description says, as frozen dataclasses with the RFCs' names.

A description is a session part and one `MediaDescription` per m-line. Attributes (`a=` lines)
stay in the order in which they were given: each is an instance of its own class, or a plain
`Attribute` when it is a bare property (`a=rtcp-mux`) or when `sdp/grammar.py` has no row for it.
Look them up by class or name with `first`, `all` and `has`. Values are as written; nothing here
reads text (`parser.py`) or writes it (`builder.py`), and nothing is checked on construction:
`build` refuses what `parse` would not read back as the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Direction(StrEnum):
    """Which way media flows, seen from who wrote the description (RFC 8866 §6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


class Setup(StrEnum):
    """Who starts the DTLS handshake (RFC 4145 §4, RFC 5763 §5): `ACTIVE` is the DTLS client."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"
    HOLDCONN = "holdconn"


@dataclass(frozen=True, slots=True)
class Attribute:
    """`a=<name>` or `a=<name>:<value>` (RFC 8866 §5.13): a bare property, or one without a row in
    the grammar. value: None without a colon, which is not the same as an empty value."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Mid:
    """Identification of a media section (RFC 5888 §4): a token."""

    value: str


@dataclass(frozen=True, slots=True)
class Group:
    """Media sections that belong together (RFC 5888 §5), such as `BUNDLE` (RFC 8843 §7)."""

    semantics: str
    mids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IceUfrag:
    """ICE username fragment (RFC 8839 §5.4): 4 to 256 letters, digits, `+` or `/`."""

    value: str


@dataclass(frozen=True, slots=True)
class IcePwd:
    """ICE password (RFC 8839 §5.4): 22 to 256 letters, digits, `+` or `/`. A secret, so that its
    `repr`, which ends in logs, does not show it."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IceOptions:
    """ICE extensions in use (RFC 8839 §5.6), such as `trickle` (RFC 8838)."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transport address to try (RFC 8839 §5.1).

    component: 1 is RTP, 2 is RTCP. transport: `udp` or `tcp`, in the writer's case (Chromium writes
        it small, Firefox big). priority: 0 to 2**32 - 1. address: IPv4 or IPv6 literal, or a host
        name, such as mDNS's `<uuid>.local`. type: `host`, `srflx`, `prflx` or `relay`.
    related_address, related_port: the base of a candidate that is not `host`.
    extensions: what follows, as pairs of name and value: `tcptype`, `generation`, `ufrag`.
    """

    foundation: str
    component: int
    transport: str
    priority: int
    address: str
    port: int
    type: str
    related_address: str | None = None
    related_port: int | None = None
    extensions: tuple[tuple[str, str], ...] = ()

    def extension(self, name: str) -> str | None:
        """The value of the first extension of this name."""
        return next((value for key, value in self.extensions if key == name), None)

    @property
    def tcp_type(self) -> str | None:
        """`active`, `passive` or `so` of a TCP candidate (RFC 6544)."""
        return self.extension("tcptype")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hash of a certificate (RFC 8122 §5). algorithm: such as `sha-256`; value: hex pairs joined
    by colons.

    RFC 8122 asks for upper-case hex, and some write it small: compare `digest`, or
    `value.upper()`.
    """

    algorithm: str
    value: str

    @property
    def digest(self) -> bytes:
        """The hash itself."""
        return bytes.fromhex(self.value.replace(":", ""))


@dataclass(frozen=True, slots=True)
class RtpMap:
    """Codec of a payload type (RFC 8866 §6.6). payload_type: 0 to 127; clock_rate: Hz; channels:
    None when not written, which means 1. Opus is `opus/48000/2` always (RFC 7587 §7)."""

    payload_type: int
    encoding: str
    clock_rate: int
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class FormatParameters:
    """Parameters of a format (RFC 8866 §6.15), for Opus those of RFC 7587 §6.1.

    format: as in the m-line, for RTP a payload type. text: as written, for not every codec writes
    `name=value` (`101 0-15`, `63 111/111`).
    """

    format: str
    text: str

    @property
    def parameters(self) -> dict[str, str]:
        """The text read as `name=value;name=value`: names in lower case, spaces around both
        stripped, an empty value where `=` is missing, the first of equal names."""
        found: dict[str, str] = {}
        for part in self.text.split(";"):
            name, _, value = part.partition("=")
            if name.strip():
                found.setdefault(name.strip().lower(), value.strip())
        return found


@dataclass(frozen=True, slots=True)
class RtcpFeedback:
    """RTCP feedback for a payload type (RFC 4585 §4.2). payload_type: None for all of them (`*`).
    type: such as `nack`, `ccm`, `transport-cc`; parameter: such as `pli`, or None."""

    payload_type: int | None
    type: str
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class ExtMap:
    """RTP header extension (RFC 8285 §8). id: 1 to 14 with one-byte headers. direction: None is
    both ways. attributes: what the extension itself defines, as written."""

    id: int
    uri: str
    direction: Direction | None = None
    attributes: str | None = None


@dataclass(frozen=True, slots=True)
class Msid:
    """MediaStream and track of a media section (RFC 8830 §2). stream: `-` for none; track: None
    when not written. Firefox may use another track id than it writes here: map tracks by mid."""

    stream: str
    track: str | None = None


@dataclass(frozen=True, slots=True)
class Ssrc:
    """An attribute of one RTP source (RFC 5576 §4.1). id: 0 to 2**32 - 1; attribute: such as
    `cname`; value: None without a colon. A bare `a=ssrc:<id>` has neither."""

    id: int
    attribute: str | None = None
    value: str | None = None


AnyAttribute = (
    Attribute
    | Candidate
    | Direction
    | ExtMap
    | Fingerprint
    | FormatParameters
    | Group
    | IceOptions
    | IcePwd
    | IceUfrag
    | Mid
    | Msid
    | RtcpFeedback
    | RtpMap
    | Setup
    | Ssrc
)
"""Every class that may stand in `attributes`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made the session (RFC 8866 §5.2). session_id, session_version: 0 to 2**64 - 1; the
    version rises with every change."""

    username: str = "-"
    session_id: int = 0
    session_version: int = 0
    address: str = "0.0.0.0"
    address_type: str = "IP4"
    network_type: str = "IN"


@dataclass(frozen=True, slots=True)
class Connection:
    """Where media goes (RFC 8866 §5.7), which ICE overrules. address_type: `IP4` or `IP6`."""

    address: str = "0.0.0.0"
    address_type: str = "IP4"
    network_type: str = "IN"


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Proposed bandwidth (RFC 8866 §5.8). type: `AS` in kbit/s, `TIAS` in bit/s (RFC 3890)."""

    type: str
    value: int


@dataclass(frozen=True, slots=True)
class Timing:
    """When the session is on (RFC 8866 §5.9), in seconds since 1900; `0 0` is always. repeats:
    the values of the `r=` lines that follow, as written."""

    start: int = 0
    stop: int = 0
    repeats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line that has no meaning for WebRTC, kept as written: `i=`, `u=`, `e=`, `p=`, `z=` or
    `k=`."""

    type: str
    value: str


class AttributeLookup:
    """Looking up attributes by class or name, which session and media parts share."""

    __slots__ = ()
    attributes: tuple[AnyAttribute, ...]

    def first(self, kind: type[T]) -> T | None:
        """The first attribute of this class, such as `first(Setup)`."""
        return next((item for item in self.attributes if isinstance(item, kind)), None)

    def all(self, kind: type[T]) -> tuple[T, ...]:
        """Every attribute of this class, in order, such as `all(Candidate)`."""
        return tuple(item for item in self.attributes if isinstance(item, kind))

    def has(self, name: str) -> bool:
        """Whether a plain `Attribute` of this name is there, such as `has("rtcp-mux")`."""
        return any(item.name == name for item in self.all(Attribute))


@dataclass(frozen=True, slots=True)
class MediaDescription(AttributeLookup):
    """One m-line and what follows it (RFC 8866 §5.14).

    media: `audio`, `video` or `application`. port: 0 to 65535; 0 rejects the section, 9 stands
    for "ICE will tell". port_count: None when not written. formats: payload types, in order of
    preference, or `webrtc-datachannel` (RFC 8841).
    """

    media: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    attributes: tuple[AnyAttribute, ...] = ()
    connection: Connection | None = None
    bandwidths: tuple[Bandwidth, ...] = ()
    port_count: int | None = None
    other_lines: tuple[Line, ...] = ()

    @property
    def mid(self) -> str | None:
        """The value of `a=mid`."""
        mid = self.first(Mid)
        return None if mid is None else mid.value

    @property
    def is_rejected(self) -> bool:
        """Port 0 without `a=bundle-only` (RFC 8843 §6)."""
        return self.port == 0 and not self.has("bundle-only")

    def rtpmap(self, payload_type: int) -> RtpMap | None:
        """What a payload type means here."""
        return next((item for item in self.all(RtpMap) if item.payload_type == payload_type), None)

    def codec(self, encoding: str) -> RtpMap | None:
        """The most preferred payload type of the m-line with this encoding; case does not matter
        (RFC 8866 §6.6)."""
        by_format = {
            str(item.payload_type): item
            for item in self.all(RtpMap)
            if item.encoding.lower() == encoding.lower()
        }
        return next((by_format[item] for item in self.formats if item in by_format), None)

    def format_parameters(self, payload_type: int) -> dict[str, str]:
        """The parameters of a payload type, `{}` when there are none."""
        wanted = str(payload_type)
        found = next((item for item in self.all(FormatParameters) if item.format == wanted), None)
        return {} if found is None else found.parameters


@dataclass(frozen=True, slots=True)
class SessionDescription(AttributeLookup):
    """A whole description (RFC 8866 §5). Some attributes hold for every media section that does
    not have its own: `resolve` and the methods after it know that."""

    origin: Origin = Origin()
    session_name: str = "-"
    timings: tuple[Timing, ...] = (Timing(),)
    attributes: tuple[AnyAttribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()
    connection: Connection | None = None
    bandwidths: tuple[Bandwidth, ...] = ()
    other_lines: tuple[Line, ...] = ()

    @property
    def bundle(self) -> tuple[str, ...]:
        """The mids of the first BUNDLE group (RFC 8843 §7.1), `()` without one."""
        groups = (group.mids for group in self.all(Group) if group.semantics == "BUNDLE")
        return next(groups, ())

    def find(self, mid: str) -> MediaDescription | None:
        """The media section with this mid."""
        return next((media for media in self.media if media.mid == mid), None)

    def resolve(self, media: MediaDescription, kind: type[T]) -> tuple[T, ...]:
        """The section's own attributes of this class or, when it has none, the session's."""
        return media.all(kind) or self.all(kind)

    def ice_ufrag(self, media: MediaDescription) -> str | None:
        """The username fragment that holds for a section (RFC 8839 §5.4)."""
        return next((item.value for item in self.resolve(media, IceUfrag)), None)

    def ice_pwd(self, media: MediaDescription) -> str | None:
        """The password that holds for a section (RFC 8839 §5.4)."""
        return next((item.value for item in self.resolve(media, IcePwd)), None)

    def fingerprints(self, media: MediaDescription) -> tuple[Fingerprint, ...]:
        """The fingerprints that hold for a section (RFC 8122 §5)."""
        return self.resolve(media, Fingerprint)

    def setup(self, media: MediaDescription) -> Setup | None:
        """The DTLS role that holds for a section (RFC 5763 §5)."""
        return next(iter(self.resolve(media, Setup)), None)

    def direction(self, media: MediaDescription) -> Direction:
        """The direction that holds for a section, `sendrecv` when nothing is written (RFC 8866
        §6.7)."""
        return next(iter(self.resolve(media, Direction)), Direction.SENDRECV)

    def end_of_candidates(self, media: MediaDescription) -> bool:
        """Whether no further candidates will come for a section (RFC 8840)."""
        return media.has("end-of-candidates") or self.has("end-of-candidates")
