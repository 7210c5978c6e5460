"""Tokens: what opens the door, and everything that must not."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from signaling.access import (
    EVERYTHING_BUT_ADMIN,
    MAX_TOKEN_SIZE,
    NOT_BEFORE_LEEWAY,
    Access,
    Grants,
    Key,
    KeyFault,
)
from signaling.errors import ErrorCode, SignalingError

NOW = 1_795_633_000.0
SECRET = "correct horse battery staple, twice"
CLAIMS: dict[str, Any] = {"sub": "ada", "room": "tea", "exp": NOW + 60, "publish": True}
ADA = Grants("ada", "tea", "Ada", publish=True, subscribe=True, expires=NOW + 60)

access = Access(Key.read(SECRET))


def _pem(key: Any, encryption: KeySerializationEncryption | None = None) -> str:
    encoded: bytes = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()
    )
    return encoded.decode()


def _public_pem(key: Any) -> str:
    encoded: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


PRIVATE = ed25519.Ed25519PrivateKey.generate()


def _token(claims: dict[str, Any], secret: str = SECRET) -> str:
    return jwt.encode(claims, secret, "HS256")


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _refusal(token: str | None, now: float = NOW, by: Access = access) -> SignalingError:
    with pytest.raises(SignalingError) as caught:
        by.grants(token, now)
    assert caught.value.code is ErrorCode.UNAUTHORIZED
    assert token is None or len(token) < 10 or token not in caught.value.message
    return caught.value


# Keys.


@pytest.mark.parametrize("text", ["", "short", "x" * 31, f"  {'x' * 31}\n"])
def test_a_short_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(KeyFault, match="at least 32 bytes") as caught:
        Key.read(text)
    assert not text.strip() or text.strip() not in str(caught.value)


def test_the_kind_of_the_key_decides_on_the_algorithm() -> None:
    assert Key.read(f"{SECRET}\n") == Key.read(SECRET)
    secret, private, public = map(Key.read, (SECRET, _pem(PRIVATE), _public_pem(PRIVATE)))

    assert (secret.algorithm, secret.can_sign) == ("HS256", True)
    assert (private.algorithm, private.can_sign) == ("EdDSA", True)
    assert (public.algorithm, public.can_sign) == ("EdDSA", False)
    assert SECRET not in repr(secret)


@pytest.mark.parametrize(
    "pem",
    [
        _pem(rsa.generate_private_key(65537, 2048)),
        _public_pem(ec.generate_private_key(ec.SECP256R1())),
        _pem(ed448.Ed448PrivateKey.generate()),
        _pem(PRIVATE, BestAvailableEncryption(b"passphrase")),
        _pem(PRIVATE)[:60],
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----",
    ],
    ids=["rsa", "ec", "ed448", "passphrase", "cut", "certificate", "empty"],
)
def test_only_ed25519_in_pem(pem: str) -> None:
    with pytest.raises(KeyFault, match="expected an Ed25519 key"):
        Key.read(pem)


# What opens.


@pytest.mark.parametrize("before", ["\ufeff", "# of the operator's\n", "Bag Attributes\n  x: y\n"])
def test_a_key_in_pem_is_one_whatever_stands_before_it(before: str) -> None:
    key = Key.read(before + _public_pem(PRIVATE))
    assert (key.algorithm, key.can_sign) == ("EdDSA", False)
    assert (
        Access(key).grants(Access(Key.read(before + _pem(PRIVATE))).issue(ADA), 0.0).admin
        == ADA.admin
    )


def test_an_editor_s_byte_order_mark_is_not_of_the_secret() -> None:
    assert Key.read("\ufeff" + SECRET).material == SECRET.encode()


def test_a_public_key_of_ssh_is_no_secret() -> None:
    encoded = PRIVATE.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    with pytest.raises(KeyFault, match="another kind of key"):
        Key.read(f"{encoded} ada@example.org")


@pytest.mark.parametrize("text", [SECRET, _pem(PRIVATE)], ids=["secret", "private key"])
def test_what_is_issued_is_granted(text: str) -> None:
    issuer = Access(Key.read(text))

    assert not issuer.is_open
    assert issuer.grants(issuer.issue(ADA), NOW) == ADA


def test_a_public_key_verifies_and_does_not_sign() -> None:
    token = Access(Key.read(_pem(PRIVATE))).issue(ADA)
    verifier = Access(Key.read(_public_pem(PRIVATE)))

    assert verifier.grants(token, NOW) == ADA
    with pytest.raises(KeyFault, match="cannot sign"):
        verifier.issue(ADA)


def test_an_open_relay_takes_everybody() -> None:
    relay = Access()

    assert relay.is_open
    for token in (None, "", "nonsense", _token(CLAIMS)):
        assert relay.enter(token, "anywhere", NOW) == EVERYTHING_BUT_ADMIN
    assert relay.admit_operator(None, NOW) == EVERYTHING_BUT_ADMIN
    assert not EVERYTHING_BUT_ADMIN.admin
    with pytest.raises(KeyFault):
        relay.issue(ADA)


def test_what_a_token_does_not_say_it_does_not_grant() -> None:
    granted = access.grants(_token({"sub": "ada", "exp": NOW + 1}), NOW)

    assert granted == Grants("ada", expires=NOW + 1)
    assert not granted.opens("tea")


@pytest.mark.parametrize(
    ("room", "opened", "closed"),
    [
        ("tea", ["tea"], ["te", "teas", "Tea", "*"]),
        ("team-*", ["team-", "team-a", "team-b.c"], ["team", "tea", "a-team-"]),
        ("*", ["tea", "a", "..."], []),
    ],
)
def test_rooms(room: str, opened: list[str], closed: list[str]) -> None:
    token = _token(CLAIMS | {"room": room})

    for name in opened:
        assert access.enter(token, name, NOW).room == room
    for name in closed:
        with pytest.raises(SignalingError) as caught:
            access.enter(token, name, NOW)
        assert caught.value.code is ErrorCode.FORBIDDEN


def test_times() -> None:
    token = _token(CLAIMS | {"exp": NOW + 60, "nbf": NOW})

    for now in (NOW - NOT_BEFORE_LEEWAY, NOW, NOW + 59.9):
        assert access.grants(token, now).identity == "ada"
    assert "not valid yet" in _refusal(token, NOW - NOT_BEFORE_LEEWAY - 0.1).message
    for now in (NOW + 60, NOW + 1e9):
        assert "expired" in _refusal(token, now).message


# What does not open.


@pytest.mark.parametrize("token", [None, ""])
def test_none(token: str | None) -> None:
    assert "there was none" in _refusal(token).message


@pytest.mark.parametrize("missing", ["sub", "exp"])
def test_a_missing_claim(missing: str) -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != missing}
    assert f"`{missing}`" in _refusal(_token(claims)).message


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 129},
        {"sub": "ada\ud83d"},
        {"room": "no such/room"},
        {"room": "*tea"},
        {"room": ""},
        {"room": "tea\n"},
        {"room": ["tea"]},
        {"name": "x" * 65},
        {"name": "A\u0000da"},
        {"name": "Ada\ud83d"},
        {"name": 1},
        {"exp": "soon"},
        {"exp": None},
        {"exp": True},
        {"exp": math.nan},
        {"exp": math.inf},
        {"exp": 10**400},
        {"nbf": "now"},
        {"nbf": math.nan},
        {"publish": 1},
        {"subscribe": "true"},
        {"admin": "yes"},
        {"admin": None},
        {"aud": "another service"},
    ],
    ids=lambda claims: next(iter(claims)),
)
def test_a_claim_that_cannot_be(claims: dict[str, Any]) -> None:
    # Not by jwt.encode, which refuses some of them itself.
    signed = jwt.api_jws.encode(json.dumps(CLAIMS | claims).encode(), SECRET, "HS256")
    _refusal(signed)


def test_another_s_key() -> None:
    _refusal(_token(CLAIMS, "another secret that is long enough, too"))
    other = Access(Key.read(_pem(ed25519.Ed25519PrivateKey.generate())))
    _refusal(other.issue(ADA), by=Access(Key.read(_public_pem(PRIVATE))))


@pytest.mark.parametrize("algorithm", ["none", "None", "", "HS256", "HS512", "EdDSA", None, 7])
def test_the_token_does_not_choose_the_algorithm(algorithm: object) -> None:
    body = f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(CLAIMS)}"
    for key in (SECRET, _public_pem(PRIVATE)):
        for signature in ("", "AAAA"):
            _refusal(f"{body}.{signature}", by=Access(Key.read(key)))


def test_a_public_key_is_no_secret() -> None:
    """Known as algorithm confusion: HS256 by the text of the public key, which everybody may have."""
    public = _public_pem(PRIVATE)
    head = f"{_part({'alg': 'HS256'})}.{_part(CLAIMS)}"
    for text in (public, public.strip()):
        signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
            head.encode(), text.encode()
        )
        encoded = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
        _refusal(f"{head}.{encoded}", by=Access(Key.read(public)))


@pytest.mark.parametrize("place", range(3))
def test_a_token_that_was_changed(place: int) -> None:
    parts = _token(CLAIMS).split(".")
    changed = parts[place]
    parts[place] = ("B" if changed[0] != "B" else "C") + changed[1:]
    _refusal(".".join(parts))


@pytest.mark.parametrize(
    "token",
    [
        "a",
        "a.b",
        "a.b.c.d",
        "...",
        "é.é.é",
        "\ud800",
        "\x00",
        f"{_part([])}.{_part({})}.",
        f"{_part(None)}.{_part({})}.",
        f"{_part({'alg': 'HS256', 'crit': ['exp']})}.{_part(CLAIMS)}.AAAA",
        f"{_part({'alg': 'HS256', 'kid': 7})}.{_part(CLAIMS)}.AAAA",
        base64.urlsafe_b64encode(b"[" * 2900).decode() + ".e30.AAAA",
        base64.urlsafe_b64encode(b"\xff").decode() + ".e30.AAAA",
        "A" * (MAX_TOKEN_SIZE + 1),
    ],
    ids=range(14),
)
def test_what_is_no_token(token: str) -> None:
    _refusal(token)


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_nothing_raises_anything_else(token: str) -> None:
    for by in (access, Access(Key.read(_public_pem(PRIVATE)))):
        with pytest.raises(SignalingError):
            by.grants(token, NOW)


# HTTP.


def test_operators() -> None:
    operator = Grants("ops", "*", admin=True, expires=NOW + 60)
    token = access.issue(operator)

    for header in (f"Bearer {token}", f"bearer  {token} "):
        assert access.admit_operator(header, NOW) == operator


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense"])
def test_who_is_no_operator(header: str | None) -> None:
    with pytest.raises(SignalingError) as caught:
        access.admit_operator(header, NOW)
    assert caught.value.code is ErrorCode.UNAUTHORIZED


@pytest.mark.parametrize(
    "grants",
    [
        Grants("ada", "*", publish=True, subscribe=True, expires=NOW + 60),
        Grants("ada", "tea", admin=True, expires=NOW + 60),
        Grants("ada", "team-*", admin=True, expires=NOW + 60),
    ],
    ids=["no admin", "of one room", "of some rooms"],
)
def test_figures_are_for_admins_of_all_rooms(grants: Grants) -> None:
    with pytest.raises(SignalingError) as caught:
        access.admit_operator(f"Bearer {access.issue(grants)}", NOW)
    assert caught.value.code is ErrorCode.FORBIDDEN


# Issuing.


@pytest.mark.parametrize(
    "grants",
    [
        Grants(None, "tea", expires=NOW),
        Grants("ada", "tea time", expires=NOW),
        Grants("ada", "tea", "x" * 65, expires=NOW),
        Grants("ada", "tea"),
    ],
    ids=["no identity", "room", "name", "no expiry"],
)
def test_what_would_not_be_taken_is_not_issued(grants: Grants) -> None:
    with pytest.raises(ValueError, match=r"The claim `(sub|room|name|exp)` of the access token"):
        access.issue(grants)


def test_a_token_for_later() -> None:
    token = access.issue(ADA, not_before=NOW + 100.5)

    assert "not valid yet" in _refusal(token, NOW).message
    assert jwt.decode(token, options={"verify_signature": False})["nbf"] == NOW + 100
