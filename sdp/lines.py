"""The lines of a description that are no attributes: how each is read and written (RFC 8866 §5).

`v=` has only one value, `s=` any text, and the types in `OTHER_BEFORE` and `OTHER_AFTER` mean
nothing to WebRTC and are kept as they are, so that none of them is here.
"""

from __future__ import annotations

from sdp import scan
from sdp.errors import SdpError
from sdp.model import Bandwidth, Connection, MediaDescription, Origin, Timing

VERSION = "0"
"""The only version there is (RFC 8866 §5.1)."""

OTHER_BEFORE = ("i", "u", "e", "p")
"""Types of kept lines that stand before `c=`, in RFC 8866's order."""

OTHER_AFTER = ("z", "k")
"""Types of kept lines that stand after `b=` and `t=`."""

_UINT64 = 2**64 - 1
"""Session ids are NTP timestamps by recommendation (RFC 8866 §5.2), or random numbers of 63 or 64
bits (RFC 8829 §5.2.1). Times and bandwidths have no bound in the RFCs and get the same."""


def parse_origin(value: str) -> Origin:
    """Read the value of `o=`."""
    shape = "<username> <id> <version> <net type> <address type> <address>"
    username, session_id, version, network_type, address_type, address = scan.words(value, 6, shape)
    return Origin(
        username=scan.word(username, "a user name"),
        session_id=scan.number(session_id, "a session id", 0, _UINT64),
        session_version=scan.number(version, "a session version", 0, _UINT64),
        network_type=scan.token(network_type, "a network type"),
        address_type=scan.token(address_type, "an address type"),
        address=scan.word(address, "an address"),
    )


def build_origin(origin: Origin) -> str:
    """Write the value of `o=`."""
    return (
        f"{origin.username} {origin.session_id} {origin.session_version} "
        f"{origin.network_type} {origin.address_type} {origin.address}"
    )


def parse_connection(value: str) -> Connection:
    """Read the value of `c=`."""
    shape = "<net type> <address type> <address>"
    network_type, address_type, address = scan.words(value, 3, shape)
    return Connection(
        network_type=scan.token(network_type, "a network type"),
        address_type=scan.token(address_type, "an address type"),
        address=scan.word(address, "an address"),
    )


def build_connection(connection: Connection) -> str:
    """Write the value of `c=`."""
    return f"{connection.network_type} {connection.address_type} {connection.address}"


def parse_bandwidth(value: str) -> Bandwidth:
    """Read the value of `b=`."""
    kind, _, amount = value.partition(":")
    return Bandwidth(
        scan.token(kind, "a bandwidth type, a colon and a number"),
        scan.number(amount, "a bandwidth", 0, _UINT64),
    )


def build_bandwidth(bandwidth: Bandwidth) -> str:
    """Write the value of `b=`."""
    return f"{bandwidth.type}:{bandwidth.value}"


def parse_timing(value: str) -> Timing:
    """Read the value of `t=`."""
    start, stop = scan.words(value, 2, "<start time> <stop time>")
    return Timing(
        scan.number(start, "a start time", 0, _UINT64),
        scan.number(stop, "a stop time", 0, _UINT64),
    )


def build_timing(timing: Timing) -> str:
    """Write the value of `t=`, without its `r=` lines."""
    return f"{timing.start} {timing.stop}"


def parse_media(value: str) -> MediaDescription:
    """Read the value of `m=`."""
    kind, *rest = value.split(" ")
    if len(rest) < 3:
        raise SdpError("<media> <port> <protocol> <format> ...", value)
    port, protocol, *formats = rest
    first_port, slash, count = port.partition("/")
    return MediaDescription(
        media=scan.token(kind, "a media type"),
        port=scan.port(first_port),
        port_count=scan.number(count, "a number of ports", 1, 65535) if slash else None,
        protocol=scan.word(protocol, "a transport protocol"),
        formats=tuple(scan.token(item, "a format") for item in formats),
    )


def build_media(media: MediaDescription) -> str:
    """Write the value of `m=`."""
    count = "" if media.port_count is None else f"/{media.port_count}"
    return " ".join((media.media, f"{media.port}{count}", media.protocol, *media.formats))
