"""Where options come from, which place goes first, and what is said of wrong ones."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from relay import PlaneKind
from signaling import config
from signaling.config import OPTIONS, Config, load
from signaling.errors import ConfigError

VALUES = {
    "host": "::1",
    "port": "9000",
    "media_host": "192.0.2.1",
    "media_port": "9001",
    "announce": "203.0.113.7",
    "media_plane": "python",
    "media_threads": "2",
    "loudest": "3",
    "red": "yes",
    "realtime": "no",
    "cert": "cert.pem",
    "key": "key.pem",
    "auth_key_file": "auth.pem",
    "allow_origin": "https://voice.example.org",
    "trusted_proxy": "10.0.0.0/8",
    "max_participants": "7",
    "max_rooms": "8",
    "max_server_participants": "9",
    "max_connections": "10",
    "max_handshakes": "11",
    "max_sockets": "12",
    "address_sockets": "13",
    "address_socket_rate": "14",
    "address_join_rate": "0",
    "address_message_rate": "16",
    "join_timeout": "17",
    "drain_timeout": "18",
    "resume_grace": "9",
    "history": "history.db",
    "history_days": "10",
    "history_size": "16",
    "webhook": "https://example.org/hook",
    "webhook_secret": "of ours",
    "log_format": "json",
    "log_level": "debug",
}
EXPECTED = Config(
    host="::1",
    port=9000,
    media_host=("192.0.2.1",),
    media_port=9001,
    announce=("203.0.113.7",),
    media_plane=PlaneKind.PYTHON,
    media_threads=2,
    loudest=3,
    red=True,
    realtime=False,
    cert=Path("cert.pem"),
    key=Path("key.pem"),
    auth_key_file=Path("auth.pem"),
    allow_origin=("https://voice.example.org",),
    trusted_proxy=("10.0.0.0/8",),
    max_participants=7,
    max_rooms=8,
    max_server_participants=9,
    max_connections=10,
    max_handshakes=11,
    max_sockets=12,
    address_sockets=13,
    address_socket_rate=14,
    address_join_rate=0,
    address_message_rate=16,
    join_timeout=17,
    drain_timeout=18,
    resume_grace=9,
    history=Path("history.db"),
    history_days=10,
    history_size=16,
    webhook="https://example.org/hook",
    webhook_secret="of ours",
    log_format="json",
    log_level="debug",
)


ORIGIN_RULE = "expected an origin such as https://voice.example.org, or *"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "relay.toml"


def _error(
    flags: dict[str, str | tuple[str, ...] | None],
    environment: dict[str, str],
    path: Path | None = None,
) -> str:
    with pytest.raises(ConfigError) as caught:
        load(flags, environment, path)
    return str(caught.value)


def test_there_is_an_option_for_everything() -> None:
    assert [option.name for option in OPTIONS] == [field.name for field in fields(Config)]
    # One key of access tokens is enough; the other option has a test of its own.
    assert set(VALUES) == {option.name for option in OPTIONS} - {"auth_secret"}


def test_defaults() -> None:
    assert load({}, {}) == Config()
    assert (Config().host, Config().port) == ("127.0.0.1", 8080)
    assert (Config().media_port, Config().max_participants, Config().max_rooms) == (
        40000,
        100,
        1000,
    )
    defaults = {option.name: config.default(option) for option in OPTIONS}
    assert defaults["media_port"] == "40000"
    assert defaults["red"] == "no"
    assert defaults["announce"] == defaults["cert"] == ""


def test_every_option_as_a_flag() -> None:
    assert load(VALUES, {}) == EXPECTED


def test_every_option_as_a_variable() -> None:
    assert (
        load({}, {f"RTP_RELAY_{name.upper()}": text for name, text in VALUES.items()}) == EXPECTED
    )


@pytest.mark.parametrize("dash", ["_", "-"])
def test_every_option_in_a_file(file: Path, dash: str) -> None:
    numbers = ("port", "media_port", "max_participants", "max_rooms")
    lines = [
        f"{name.replace('_', dash)} = {text if name in numbers else repr(text)}"
        for name, text in VALUES.items()
    ]
    file.write_text("\n".join(lines))
    assert load({}, {}, file) == EXPECTED


def test_a_flag_before_a_variable_before_the_file_before_the_default(file: Path) -> None:
    file.write_text("port = 1\nmedia_port = 1\nmax_rooms = 1")
    environment = {"RTP_RELAY_PORT": "2", "RTP_RELAY_MEDIA_PORT": "2"}
    found = load({"port": "3", "media_port": None}, environment, file)

    assert (found.port, found.media_port, found.max_rooms) == (3, 2, 1)
    assert found.max_participants == 100


def test_what_may_be_repeated(file: Path) -> None:
    two = ("192.0.2.1", "2001:db8::1")
    file.write_text("announce = ['192.0.2.1', '2001:db8::1']")

    assert load({"announce": two}, {}).announce == two
    assert load({}, {"RTP_RELAY_ANNOUNCE": "192.0.2.1, 2001:DB8::1,"}).announce == two
    assert load({}, {"RTP_RELAY_ANNOUNCE": "192.0.2.1 2001:db8::1 192.0.2.1"}).announce == two
    assert load({}, {}, file).announce == two
    assert load({"announce": ()}, {}, file).announce == two
    assert load({"announce": ("local",)}, {}, file).announce == ("local",)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_is_not_set(text: str) -> None:
    assert load({}, {"RTP_RELAY_CERT": text, "RTP_RELAY_ANNOUNCE": text}) == Config()


@pytest.mark.parametrize("text", ["", " ", " \t\n"])
@pytest.mark.parametrize("variable", ["RTP_RELAY_AUTH_SECRET", "RTP_RELAY_AUTH_KEY_FILE"])
def test_an_empty_key_opens_no_server(variable: str, text: str) -> None:
    """It is a slip of whoever wanted a lock."""
    wrong = f"{variable}: set, but empty; leave it out if everybody may come in without a token"
    assert _error({}, {variable: text}) == wrong


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("host", "", "expected a text that is not empty"),
        ("port", "http", "expected a whole number from 0 to 65535"),
        ("port", "65536", "expected a whole number from 0 to 65535"),
        ("port", "-1", "expected a whole number from 0 to 65535"),
        ("port", "٣", "expected a whole number from 0 to 65535"),
        ("media_port", "1.5", "expected a whole number from 0 to 65535"),
        ("media_host", "localhost", "expected an IPv4 or IPv6 address"),
        ("announce", "example.org", "expected an IPv4 or IPv6 address"),
        ("max_participants", "0", "expected a whole number from 1 to 10000"),
        ("max_rooms", "9" * 5000, "expected a whole number from 1 to 1000000"),
        ("allow_origin", "voice.example.org", ORIGIN_RULE),
        ("allow_origin", "https://voice.example.org/room", ORIGIN_RULE),
        ("trusted_proxy", "proxy", "expected an address, or a network such as 10.0.0.0/8"),
        ("trusted_proxy", "10.0.0.1/8", "expected an address, or a network such as 10.0.0.0/8"),
        ("log_level", "loud", "expected one of debug, info, warning, error"),
    ],
)
def test_an_error_names_the_option_and_its_source(name: str, text: str, expected: str) -> None:
    flag, variable = "--" + name.replace("_", "-"), "RTP_RELAY_" + name.upper()
    assert _error({name: text}, {}).startswith(f"{flag}: {expected}, got {text!r}")
    if text:
        assert _error({}, {variable: text}).startswith(f"{variable}: {expected}, got ")


def test_an_error_shows_the_one_that_is_wrong_of_several() -> None:
    expected = "expected an IPv4 or IPv6 address, got 'x'"
    assert _error({"announce": ("192.0.2.1", "x")}, {}) == f"--announce: {expected}"
    variable = {"RTP_RELAY_MEDIA_HOST": "::1,x"}
    assert _error({}, variable) == f"RTP_RELAY_MEDIA_HOST: {expected}"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("port = 'x'", "port in {file}: expected a whole number"),
        ("port = true", "port in {file}: expected a whole number"),
        ("port = 80.0", "port in {file}: expected a whole number"),
        ("host = 5", "host in {file}: expected a text"),
        ("log_level = 5", "log_level in {file}: expected a text"),
        ("announce = 5", "announce in {file}: expected an IPv4 or IPv6 address"),
        ("announce = ['192.0.2.1', 5]", "announce in {file}: expected an IPv4 or IPv6 address"),
        ("max_users = 5", "max_users in {file}: no such option; there are host, port"),
        ("[serve]", "serve in {file}: no such option"),
        ("media_port = 1\nmedia-port = 2", "media-port in {file}: given twice"),
        ("port = ", "--config: {file} is not TOML: Invalid value (at"),
        ("port = 1\nport = 2", "--config: {file} is not TOML: Cannot overwrite"),
    ],
)
def test_an_error_names_the_file(file: Path, line: str, words: str) -> None:
    file.write_text(line)
    assert _error({}, {}, file).startswith(words.format(file=file))


def test_a_file_that_cannot_be_read(file: Path) -> None:
    assert _error({}, {}, file) == f"--config: cannot read {file}: No such file or directory"
    file.write_bytes(b"\xff")
    assert _error({}, {}, file).startswith(f"--config: {file} is not TOML")


@pytest.mark.parametrize("given", ["cert", "key"])
def test_certificate_and_key_belong_together(given: str) -> None:
    missing = "key" if given == "cert" else "cert"
    assert _error({given: "x.pem"}, {}) == f"--{given}: needs --{missing} as well; HTTPS takes both"
    assert load({given: "x.pem"}, {f"RTP_RELAY_{missing.upper()}": "y.pem"}).cert is not None


def test_a_secret_is_never_shown(file: Path) -> None:
    secret = "not to be seen by anybody"
    found = load({"auth_secret": secret}, {})

    assert found.auth_secret == secret
    assert load({}, {"RTP_RELAY_AUTH_SECRET": secret}) == found
    assert secret not in repr(found)
    file.write_text("auth_secret = 123456789")
    assert _error({}, {}, file) == f"auth_secret in {file}: expected a text that is not empty"
    both: dict[str, str | tuple[str, ...] | None] = {
        "auth_secret": secret,
        "auth_key_file": "auth.pem",
    }
    assert _error(both, {}) == "--auth-secret: one key is enough, and there is --auth-key-file"
    file.write_text("webhook_secret = 123456789")
    assert "123456789" not in _error({}, {}, file)


@pytest.mark.parametrize("user", ["ada:of-hers", "ada", ":of-hers"])
def test_a_webhook_has_no_password(user: str) -> None:
    address = f"https://{user}@example.org/hook"
    expected = "expected an address without a user and password; --webhook-secret signs"

    assert _error({"webhook": address}, {}) == f"--webhook: {expected}"
    assert _error({}, {"RTP_RELAY_WEBHOOK": address}) == f"RTP_RELAY_WEBHOOK: {expected}"
    assert load({"webhook": "https://example.org/@hook"}, {}).webhook == "https://example.org/@hook"
