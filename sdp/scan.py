"""The words of the grammar: each function takes a piece of text and returns what it means, or
raises `SdpError` with what was expected there.

Numbers are ASCII digits without leading zeros, bounded before they are converted: Python's own
`int()` reads `'٣'`, `'1_0'` and `' 1'` too, and what was read could not be written back the same.
Every pattern here is made of runs that cannot overlap, so that matching takes time in proportion
to the text.
"""

from __future__ import annotations

import ipaddress
import re

from sdp.errors import SdpError

MAX_TEXT_LENGTH = 64 * 1024
"""Characters of a description: as much as one signaling message may carry, and thirty times what a
browser writes for one audio m-line."""

MAX_LINES = 1000
"""Lines of a description. Browsers write 20 to 45 for one audio m-line."""

MAX_LINE_LENGTH = 8 * 1024
"""Characters of a line. A SHA-512 fingerprint, the longest in the test vectors, takes 213."""

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters (Unicode's Cc), and surrogates, which UTF-8 has not."""

_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}")
_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]+")
"""RFC 8866 §9, `token`."""

_VISIBLE = re.compile(r"[^ ]+")
_ICE_CHARS = re.compile(r"[0-9A-Za-z+/]+")
_HOST_NAME = re.compile(r"[0-9A-Za-z._-]{1,255}")
_NUMERIC_ADDRESS = re.compile(r"[0-9.]+")
_IP_CHARS = re.compile(r"[0-9A-Fa-f.:]+(?:%[0-9A-Za-z._-]+)?")


def line(text: str) -> str:
    """A line that may stand in a description: no line end, no control character, not too long."""
    if len(text) > MAX_LINE_LENGTH:
        raise SdpError(f"at most {MAX_LINE_LENGTH} characters in a line, not {len(text)}")
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise SdpError("no control character and valid Unicode", forbidden[0])
    return text


def number(text: str, what: str, low: int, high: int) -> int:
    """A decimal number from low to high, of up to 20 digits."""
    if _NUMBER.fullmatch(text) is None or not low <= int(text) <= high:
        raise SdpError(f"{what} ({low} to {high})", text)
    return int(text)


def port(text: str) -> int:
    """A port number; 0 is one, too."""
    return number(text, "a port", 0, 65535)


def token(text: str, what: str) -> str:
    r"""A token (RFC 8866 §9): visible ASCII without any of `"(),/:;<=>?@[\]`."""
    if _TOKEN.fullmatch(text) is None:
        raise SdpError(f"{what} (a token)", text)
    return text


def word(text: str, what: str) -> str:
    """At least one character and no space."""
    if _VISIBLE.fullmatch(text) is None:
        raise SdpError(f"{what} (no spaces)", text)
    return text


def ice_chars(text: str, what: str, low: int, high: int) -> str:
    """From low to high `ice-char`s (RFC 8839 §5.1)."""
    if not low <= len(text) <= high or _ICE_CHARS.fullmatch(text) is None:
        raise SdpError(f"{what} ({low} to {high} letters, digits, + or /)", text)
    return text


def address(text: str) -> str:
    """An IPv4 or IPv6 literal or a host name, as written.

    What has a colon or only digits and dots must be a literal: `127.0.0.999` is no host name.
    """
    if ":" in text or _NUMERIC_ADDRESS.fullmatch(text) is not None:
        known = _IP_CHARS.fullmatch(text) is not None and _is_ip_address(text)
    else:
        known = _HOST_NAME.fullmatch(text) is not None
    if not known:
        raise SdpError("an IP address or host name", text)
    return text


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def words(text: str, count: int, shape: str) -> list[str]:
    """Exactly count pieces with one space between them. shape: how the whole should look."""
    pieces = text.split(" ")
    if len(pieces) != count:
        raise SdpError(shape, text)
    return pieces


def optional_tail(text: str) -> tuple[str, str | None]:
    """What stands before the first space, and what after it, None without a space."""
    head, space, tail = text.partition(" ")
    return head, tail if space else None
