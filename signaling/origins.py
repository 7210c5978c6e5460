"""Which pages may open a WebSocket here: the check of `Origin` (RFC 6454, RFC 6455 §10.2). Pure.

Browsers let a page of any site open a WebSocket to any server, and send what the server knows the visitor
by. They also say where the page is from, and a page cannot lie about that. Programs that are no browsers
send no `Origin`; they could write any, so that asking them would help nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

ANY_ORIGIN = "*"

_PORTS = {"http": 80, "https": 443}


class Origins:
    """allowed: such as `https://voice.example.org`, or `*`; none: only pages of this very server, which is
    known by the request's `Host`."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._any = ANY_ORIGIN in allowed
        self._allowed = frozenset(allowed)

    def allow(self, origins: Sequence[str], hosts: Sequence[str]) -> bool:
        """Whether a request with these `Origin` and `Host` headers may open a WebSocket."""
        if not origins or self._any:
            return True
        if len(origins) != 1:
            return False
        origin = read_origin(origins[0])
        if origin is None:
            return False
        if self._allowed:
            return origin in self._allowed
        return len(hosts) == 1 and _same_host(origin, hosts[0])


def read_origin(text: str) -> str | None:
    """An origin as browsers write it: scheme and host in small letters, no default port. None for what is
    none, such as `null`."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    rest = (parts.path, parts.query, parts.fragment, parts.username, parts.password)
    if parts.scheme not in _PORTS or not host or any(rest):
        return None
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


def _same_host(origin: str, host: str) -> bool:
    # A proxy that terminates TLS passes the host on, but asks by http: the scheme is the origin's.
    scheme = origin.partition(":")[0]
    return read_origin(f"{scheme}://{host}") == origin
