"""What may stand behind an option: from a flag's or a variable's text, or from what TOML holds, to a value.
Pure. Each raises Unusable, which says what was expected, and nothing of what was there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from signaling.origins import ANY_ORIGIN, read_origin

ANNOUNCE_LOCAL = "local"
"""Among the announced addresses: the machine's own stay announced, too."""


class Unusable(ValueError):
    """Says what was expected."""


def integer(low: int, high: int) -> Callable[[object], int]:
    """A whole number from low to high."""

    def read(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise Unusable(f"expected a whole number from {low} to {high}")
        return value

    return read


def text(value: object) -> str:
    """Anything but nothing."""
    if not isinstance(value, str) or not value:
        raise Unusable("expected a text that is not empty")
    return value


def address(value: object) -> str:
    """An IP address."""
    try:
        return str(ip_address(text(value)))
    except ValueError:
        raise Unusable("expected an IPv4 or IPv6 address") from None


def network(value: object) -> str:
    """An IP network, of one address perhaps."""
    try:
        return str(ip_network(text(value)))
    except ValueError:
        raise Unusable("expected an address, or a network such as 10.0.0.0/8") from None


def origin(value: object) -> str:
    """An origin (RFC 6454), or `*`."""
    found = ANY_ORIGIN if value == ANY_ORIGIN else read_origin(text(value).rstrip("/"))
    if found is None:
        raise Unusable(f"expected an origin such as https://voice.example.org, or {ANY_ORIGIN}")
    return found


def announced(value: object) -> str:
    """An IP address, or `local`."""
    return ANNOUNCE_LOCAL if value == ANNOUNCE_LOCAL else address(value)


def path(value: object) -> Path:
    """A file, which need not be there."""
    return Path(text(value))


def http_url(value: object) -> str:
    """Where to send something by HTTP."""
    url = text(value)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise Unusable("expected an address that begins with http:// or https://")
    if "@" in parts.netloc:
        raise Unusable("expected an address without a user and password; --webhook-secret signs")
    return url


def one_of(words: Sequence[str]) -> Callable[[object], str]:
    """One of some words, large or small."""

    def read(value: object) -> str:
        word = text(value).lower()
        if word not in words:
            raise Unusable(f"expected one of {', '.join(words)}")
        return word

    return read


def yes_or_no(value: object) -> bool:
    """`yes` or `no`, or TOML's own."""
    return value if isinstance(value, bool) else one_of(("yes", "no"))(value) == "yes"
