"""The pages of the HTTP port."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path

import pytest

from signaling.site import CONTENT_SECURITY_POLICY, SECURITY_HEADERS, Page, Site, refusal_page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("outside")
    root = tmp_path / "web"
    (root / "js").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html>")
    (root / "js" / "main.js").write_text("export {}")
    (root / "board").mkdir()
    (root / "board" / "index.html").write_text("<!doctype html><title>board</title>")
    (root / "mark.svg").write_text("<svg/>")
    (root / "style.css").write_text("body {}")
    (root / "data.bin").write_bytes(b"\x00")
    (root / ".hidden").write_text("hidden")
    return root


@pytest.fixture
def site(folder: Path) -> Site:
    return Site(lambda: {"status": "ok"}, folder)


def _header(page: Page, name: str) -> str | None:
    return dict(page.headers).get(name)


@pytest.mark.parametrize(
    ("target", "content_type", "body"),
    [
        ("/", "text/html; charset=utf-8", b"<!doctype html>"),
        ("/?room=tea&name=Ada", "text/html; charset=utf-8", b"<!doctype html>"),
        ("/index.html", "text/html; charset=utf-8", b"<!doctype html>"),
        ("/board/", "text/html; charset=utf-8", b"<!doctype html><title>board</title>"),
        ("/js/main.js", "text/javascript; charset=utf-8", b"export {}"),
        ("/style.css", "text/css; charset=utf-8", b"body {}"),
        ("/mark.svg", "image/svg+xml", b"<svg/>"),
        ("/data.bin", "application/octet-stream", b"\x00"),
    ],
)
def test_a_file(site: Site, target: str, content_type: str, body: bytes) -> None:
    page = site.respond("GET", target)

    assert (page.status, page.body) == (HTTPStatus.OK, body)
    assert _header(page, "Content-Type") == content_type
    assert _header(page, "X-Content-Type-Options") == "nosniff"
    assert _header(page, "Cache-Control") == "no-cache"


@pytest.mark.parametrize("target", ["/board", "/board?a=1"])
def test_a_folder_s_page_is_behind_its_slash(site: Site, target: str) -> None:
    page = site.respond("GET", target)

    assert page.status is HTTPStatus.PERMANENT_REDIRECT
    assert _header(page, "Location") == "board/"


@pytest.mark.parametrize(
    "target",
    [
        "/secret.txt",
        "/../secret.txt",
        "/js/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "//index.html",
        "/js",
        "/js/",
        "/.hidden",
        "/index.html/",
        "",
        "*",
        "http://elsewhere/",
        "/\x00",
    ],
)
def test_what_is_not_there_is_not_found(site: Site, target: str) -> None:
    page = site.respond("GET", target)

    assert page.status is HTTPStatus.NOT_FOUND
    assert b"outside" not in page.body
    assert _header(page, "Content-Type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", ""])
@pytest.mark.parametrize("target", ["/", "/healthz", "/missing"])
def test_only_reading_is_allowed(site: Site, method: str, target: str) -> None:
    page = site.respond(method, target)

    assert page.status is HTTPStatus.METHOD_NOT_ALLOWED
    assert _header(page, "Allow") == "GET, HEAD"


def test_head_is_like_get(site: Site) -> None:
    assert site.respond("HEAD", "/") == site.respond("GET", "/")


def test_a_known_file_is_not_sent_again(site: Site, folder: Path) -> None:
    etag = _header(site.respond("GET", "/"), "ETag")
    assert etag is not None
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        page = site.respond("GET", "/", known)
        assert (page.status, page.body) == (HTTPStatus.NOT_MODIFIED, b"")
        assert _header(page, "ETag") == etag
    for unknown in ('"other"', "", None):
        assert site.respond("GET", "/", unknown).status is HTTPStatus.OK

    (folder / "index.html").write_text("<!doctype html><title>new</title>")
    assert Site(lambda: {}, folder).respond("GET", "/", etag).status is HTTPStatus.OK


def test_health_is_asked_for_each_time() -> None:
    count = 0

    def health() -> dict[str, int]:
        nonlocal count
        count += 1
        return {"asked": count}

    site = Site(health)
    bodies = [site.respond("GET", "/healthz?x").body for _ in range(2)]
    assert [json.loads(body) for body in bodies] == [{"asked": 1}, {"asked": 2}]
    assert _header(site.respond("GET", "/healthz"), "Content-Type") == "application/json"
    assert _header(site.respond("GET", "/healthz"), "Cache-Control") == "no-store"


def test_the_web_client_comes_with_the_package() -> None:
    page = Site(lambda: {}).respond("GET", "/")
    assert page.status is HTTPStatus.OK
    assert b"<!doctype html>" in page.body.lower()


def test_a_server_that_is_not_well_says_so_by_its_status() -> None:
    page = Site(lambda: {"status": "draining"}).respond("GET", "/healthz")
    assert (page.status, page.body) == (503, b'{"status": "draining"}\n')


def test_every_answer_has_the_security_headers() -> None:
    site = Site(lambda: {})
    for method, target in (("GET", "/"), ("GET", "/healthz"), ("GET", "/missing"), ("PUT", "/")):
        headers = dict(site.respond(method, target).headers)
        assert headers.items() >= dict(SECURITY_HEADERS).items()
    assert (
        dict(refusal_page(HTTPStatus.FORBIDDEN).headers).items() >= dict(SECURITY_HEADERS).items()
    )
    for directive in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
        assert directive in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
