"""The pages of the HTTP port: the web client's files and `/healthz`. No I/O after the start.

The files are read once, into a table by path: what is not in the table is not there, so that no request can
name a file outside of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

METHODS = ("GET", "HEAD")
HEALTH_PATH = "/healthz"

_INDEX = "index.html"
_TEXT = "text/plain; charset=utf-8"
_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": _TEXT,
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_OTHER_CONTENT_TYPE = "application/octet-stream"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        # Nothing but files of this server, and nothing inline: a name that somebody chose can never
        # become a script. 'self' holds for the WebSocket of the same host, too (CSP3 §6.7.2.8).
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

SECURITY_HEADERS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "microphone=(self), speaker-selection=(self), clipboard-write=(self), camera=(),"
        " display-capture=(), geolocation=(), payment=(), usb=()",
    ),
    # The room's name is in the address of the page; it is nobody else's business.
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
"""Of every response. The last one is for browsers that do not know `frame-ancestors`."""


@dataclass(frozen=True, slots=True)
class Page:
    """A response. headers: all but `Date`, `Connection` and `Content-Length`. body: also for HEAD, which
    is answered with its length alone."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    content_type: str
    etag: str


class Site:
    """What the HTTP port answers. health: what `/healthz` tells, as JSON values; asked anew each time,
    and answered by 503 when its `status` is anything but `ok`.
    root: the folder with the web client, in the package itself if None."""

    def __init__(
        self, health: Callable[[], Mapping[str, object]], root: Traversable | None = None
    ) -> None:
        self._health = health
        self._files = dict(_read_folder(root or files("signaling") / "web", "/"))
        folders = [path.removesuffix(_INDEX) for path in self._files if path.endswith(f"/{_INDEX}")]
        self._files |= {folder: self._files[folder + _INDEX] for folder in folders}
        # Without its slash a folder's page would look for its files beside the folder.
        self._folders = {folder.rstrip("/") for folder in folders} - {""}

    def respond(self, method: str, target: str, if_none_match: str | None = None) -> Page:
        """The response to a request. target: the path with its query; if_none_match: that header."""
        if method not in METHODS:
            return method_page()
        path = target.partition("?")[0]
        if path == HEALTH_PATH:
            health = self._health()
            body = json.dumps(health).encode() + b"\n"
            # Load balancers look at the status alone: a server that is about to stop gets no new people.
            well = health.get("status", "ok") == "ok"
            status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
            return _page(status, "application/json", body, ("Cache-Control", "no-store"))
        if path in self._folders:
            # Relative, since a proxy may have put the site under a path of its own.
            location = f"{PurePosixPath(path).name}/"
            return _page(HTTPStatus.PERMANENT_REDIRECT, _TEXT, b"", ("Location", location))
        file = self._files.get(path)
        if file is None:
            return _page(
                HTTPStatus.NOT_FOUND, _TEXT, b"There is no such page; the web client is at /.\n"
            )
        return _file_page(file, if_none_match)


def method_page() -> Page:
    """The answer to every method but those of METHODS."""
    allowed = ", ".join(METHODS)
    text = f"Only {allowed} can be asked for here.\n".encode()
    return _page(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, text, ("Allow", allowed))


def refusal_page(status: HTTPStatus, retry_after: int | None = None) -> Page:
    """The answer to who is turned away. retry_after: seconds."""
    headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return _page(status, _TEXT, f"{status.description or status.phrase}.\n".encode(), *headers)


def _file_page(file: _File, if_none_match: str | None) -> Page:
    # no-cache: keep it, but ask each time, so that page and server are never of different versions.
    headers = ("ETag", file.etag), ("Cache-Control", "no-cache")
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if file.etag in known or "*" in known:
        return Page(HTTPStatus.NOT_MODIFIED, (*headers, *SECURITY_HEADERS), b"")
    return _page(HTTPStatus.OK, file.content_type, file.content, *headers)


def _page(status: HTTPStatus, content_type: str, body: bytes, *headers: tuple[str, str]) -> Page:
    return Page(status, (("Content-Type", content_type), *headers, *SECURITY_HEADERS), body)


def _read_folder(folder: Traversable, prefix: str) -> Iterator[tuple[str, _File]]:
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _read_folder(entry, f"{prefix}{entry.name}/")
        else:
            content = entry.read_bytes()
            suffix = PurePosixPath(entry.name).suffix
            content_type = _CONTENT_TYPES.get(suffix, _OTHER_CONTENT_TYPE)
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            yield prefix + entry.name, _File(content, content_type, etag)
