"""What the operator is told at the start."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from relay import PlaneKind
from signaling.config import Config
from signaling.errors import ConfigError, StartError
from signaling.service import Service


@contextlib.asynccontextmanager
async def _started(config: Config) -> AsyncIterator[Service]:
    service = Service(config, "1.2.3")
    await service.start()
    try:
        yield service
    finally:
        await service.close()


def _config(host: str = "127.0.0.1", announce: tuple[str, ...] = ()) -> Config:
    return Config(
        host=host, port=0, media_host=("127.0.0.1", "::1"), media_port=0, announce=announce
    )


async def test_the_url_and_the_candidates() -> None:
    async with _started(_config()) as service:
        lines = service.description()

    assert lines[0] == "rtp-relay 1.2.3"
    assert lines[1] == f"Open {service.url}"
    assert service.url.startswith("http://127.0.0.1:")
    assert lines[2].startswith("Media plane: ")
    assert lines[3].startswith("Access: open, everybody may join any room")
    assert lines[4] == "Candidates that clients will get:"
    hosts = [line.strip().rpartition(":") for line in lines[5:]]
    assert sorted(host for host, _, _ in hosts) == ["udp 127.0.0.1", "udp [::1]"]
    assert all(rest.endswith(" (host)") for _, _, rest in hosts)


async def test_announced_candidates_are_told_apart() -> None:
    async with _started(_config(announce=("203.0.113.7",))) as service:
        candidates = [line for line in service.description() if line.startswith("  udp ")]

    assert [line for line in candidates if "203.0.113.7:" in line and "(announced)" in line]
    assert [line for line in candidates if "[::1]:" in line and "(host)" in line]
    assert not [line for line in candidates if "127.0.0.1" in line]


@pytest.mark.parametrize(
    ("host", "url"), [("::1", "http://[::1]:"), ("localhost", "http://localhost:")]
)
async def test_loopback_hosts_need_no_warning(host: str, url: str) -> None:
    async with _started(_config(host)) as service:
        assert service.url.startswith(url)
        assert not [line for line in service.description() if "Warning" in line]


async def test_a_host_for_others_without_a_certificate_is_warned_of() -> None:
    async with _started(_config("0.0.0.0")) as service:
        lines = service.description()

    assert service.url.startswith("http://localhost:")
    assert "any other address of this machine" in lines[2]
    assert lines[-1].startswith("Warning: without --cert and --key browsers")


async def test_an_announced_address_that_nobody_is_told_is_warned_of() -> None:
    announce = "203.0.113.7", "2001:DB8::7", "local"
    config = replace(_config(announce=announce), media_host=("127.0.0.1",))
    async with _started(config) as service:
        warnings = [line for line in service.description() if line.startswith("Warning")]
    assert warnings == [
        "Warning: clients are not told 2001:DB8::7: no media address is of its family."
    ]


async def test_the_media_plane_is_named() -> None:
    config = replace(_config(), media_plane=PlaneKind.PYTHON)
    async with _started(config) as service:
        assert "Media plane: python, on the event loop" in service.description()


async def test_a_server_that_cannot_start_leaves_no_relay_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = Config(port=taken.getsockname()[1], media_host=("127.0.0.1",), media_port=0)
        with pytest.raises(StartError, match="Address already in use"):
            await Service(config, "1.2.3").start()


async def test_a_media_host_that_is_not_ours() -> None:
    config = Config(port=0, media_host=("192.0.2.99",), media_port=0)
    with pytest.raises(StartError, match=r"cannot receive media: .*192\.0\.2\.99"):
        await Service(config, "1.2.3").start()


def test_a_certificate_that_no_file_can_hold() -> None:
    nowhere = Path("a\0b")
    with pytest.raises(StartError, match="cannot use certificate"):
        Service(Config(cert=nowhere, key=nowhere), "1.2.3")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Config(announce=("0.0.0.0",)), "announced address '0.0.0.0': expected an IPv4 or IPv6"),
        (Config(media_plane=PlaneKind.PYTHON, media_threads=2), "media threads: expected 1 with"),
    ],
)
async def test_options_that_the_relay_refuses(config: Config, words: str) -> None:
    with pytest.raises(ConfigError, match=f"^{words}"):
        await Service(config, "1.2.3").start()


async def test_access_by_token_is_told(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("x" * 32 + "\n")
    for config in (
        replace(_config(), auth_key_file=file),
        replace(_config(), auth_secret="x" * 32),
    ):
        async with _started(config) as service:
            assert "Access: by access token" in service.description()
            assert not service.access.is_open


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"short", "expected a secret of at least 32 bytes"),
        (b"\xff" * 40, "holds no text"),
        (b"-----BEGIN RSA PRIVATE KEY-----", "expected an Ed25519 key in PEM"),
    ],
)
def test_a_key_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Service(replace(_config(), auth_key_file=file), "1.2.3")
    assert str(caught.value).startswith(f"--auth-key-file {file}: {words}")
    assert content is None or str(content) not in str(caught.value)


def test_a_short_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        Service(replace(_config(), auth_secret="tooshort"), "1.2.3")
    assert str(caught.value).startswith("--auth-secret: expected a secret of at least 32 bytes")
    assert "tooshort" not in str(caught.value)
