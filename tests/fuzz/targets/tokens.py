"""Access tokens: courses of texts to the whole way from a token to `Grants`, at doors with a key each.

Claims of the input's own are signed here with the right key, so that what stands behind the signature is
reached. What is not signed, or signed for another algorithm, may never open a door.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from signaling.access import ANY_ROOM, MAX_IDENTITY_SIZE, NOT_BEFORE_LEEWAY, Access, Grants, Key
from signaling.errors import ErrorCode, SignalingError
from signaling.messages import decode
from tests.fuzz.course import Reader, Step, join, split
from tests.fuzz.target import Target, require

NOW = 1_795_633_000.0
ROOM = "tea"

_SECRET = "correct horse battery staple, twice"
_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_PRIVATE_PEM = _PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
_PUBLIC_PEM = (
    _PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
)
_BY_SECRET = Access(Key.read(_SECRET))
_BY_PUBLIC_KEY = Access(Key.read(_PUBLIC_PEM))
_BY_PRIVATE_KEY = Access(Key.read(_PRIVATE_PEM))
_DOORS = (_BY_SECRET, _BY_PUBLIC_KEY, _BY_PRIVATE_KEY)

Sign = Callable[[bytes], bytes]

RAW, FRAME, HEADER, HS256, EDDSA, HS256_HEADED, EDDSA_HEADED, CONFUSED = range(8)
"""Operations. RAW: a token; FRAME: what stands between the quotation marks in `join_room`; HEADER: that of
a request; HS256, EDDSA: claims to sign; _HEADED: the length of a JOSE header, that, and claims; CONFUSED:
claims to sign by HS256 with the public key for a secret."""


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _by_secret(data: bytes) -> bytes:
    return hmac.digest(_SECRET.encode(), data, "sha256")


def _by_public_key(data: bytes) -> bytes:
    return hmac.digest(_PUBLIC_PEM.strip().encode(), data, "sha256")


def _signed(header: bytes, claims: bytes, sign: Sign) -> str:
    data = _base64url(header) + b"." + _base64url(claims)
    return (data + b"." + _base64url(sign(data))).decode()


def _head(algorithm: str) -> bytes:
    return json.dumps({"alg": algorithm, "typ": "JWT"}).encode()


def _granted(access: Access, token: str | None) -> Grants | None:
    """What a door says, None when it stays shut."""
    try:
        grants = access.grants(token, NOW)
    except SignalingError as error:
        require(error.code is ErrorCode.UNAUTHORIZED, "who has no grants is not known")
        require(len(error.message) < 200, "refusals are short")
        return None
    try:
        access.enter(token, ROOM, NOW)
    except SignalingError as error:
        require(error.code is ErrorCode.FORBIDDEN, "a token for another room is for another room")
        require(not grants.opens(ROOM), "who is let in by the token is let in")
    else:
        require(grants.opens(ROOM), "a room is opened by its own tokens only")
    return grants


def _nobody(token: str | None) -> None:
    for access in _DOORS:
        require(_granted(access, token) is None, "what nobody signed opens nothing")


def _take(step: Step) -> None:
    operation, argument = step[0] % 8, step[1]
    match operation:
        case 0:
            _nobody(argument.decode("utf-8", "surrogateescape"))
        case 1:
            _take_frame(argument.decode("utf-8", "replace"))
        case 2:
            _take_header(argument.decode("ascii", "surrogateescape"))
        case 3:
            _take_signed(_head("HS256"), argument, "HS256")
        case 4:
            _take_signed(_head("EdDSA"), argument, "EdDSA")
        case 5 | 6:
            reader = Reader(argument)
            header = reader.take(reader.byte())
            _take_signed(header, reader.rest(), "HS256" if operation == HS256_HEADED else "EdDSA")
        case 7:
            _nobody(_signed(_head("HS256"), argument, _by_public_key))


def _take_frame(text: str) -> None:
    try:
        message = decode(f'{{"type":"join_room","room":"{ROOM}","name":"Ada","token":"{text}"}}')
    except SignalingError:
        return
    token = getattr(message, "token", None)
    if token is None or isinstance(token, str):
        _nobody(token)


def _take_header(text: str) -> None:
    for access in _DOORS:
        try:
            access.admit_operator(text, NOW)
        except SignalingError as error:
            require(error.code is ErrorCode.UNAUTHORIZED, "who has no grants is not known")
        else:
            require(False, "what nobody signed opens nothing")


def _take_signed(header: bytes, claims: bytes, algorithm: str) -> None:
    sign, doors = (
        (_by_secret, (_BY_SECRET,))
        if algorithm == "HS256"
        else (_PRIVATE.sign, (_BY_PUBLIC_KEY, _BY_PRIVATE_KEY))
    )
    token = _signed(header, claims, sign)
    for access in _DOORS:
        grants = _granted(access, token)
        if access not in doors:
            require(grants is None, "the key decides on the algorithm")
        elif grants is not None:
            require(json.loads(header)["alg"] == algorithm, "the key decides on the algorithm")
            _check(grants, json.loads(claims))
            _check_operator(access, token, grants)
            _check_issued(access, grants)


def _check(grants: Grants, claims: dict[str, Any]) -> None:
    """That grants are what the claims say, and can be told to anybody."""
    require(grants.identity == claims["sub"], "the identity is the claim's")
    require(0 < len(grants.identity or "") <= MAX_IDENTITY_SIZE, "identities are bounded")
    require((grants.room, grants.name) == (claims.get("room"), claims.get("name")), "as claimed")
    for text in (grants.identity, grants.room, grants.name):
        (text or "").encode()  # raises for half a character
    require(len(grants.name or "") <= 64 and len(grants.room or "") <= 64, "names are bounded")
    for grant in ("publish", "subscribe", "admin"):
        require(getattr(grants, grant) is claims.get(grant, False), "a grant is what was claimed")
    require(NOW < grants.expires == float(claims["exp"]), "a token that has expired opens nothing")
    require(claims.get("nbf", 0) <= NOW + NOT_BEFORE_LEEWAY, "nor does one that is not valid yet")
    require(not claims.get("aud"), "a token for somebody else is not for us")


def _check_operator(access: Access, token: str, grants: Grants) -> None:
    try:
        access.admit_operator(f"bearer  {token} ", NOW)
    except SignalingError as error:
        require(error.code is ErrorCode.FORBIDDEN, "whose token is right is known")
        require(not (grants.admin and grants.room == ANY_ROOM), "an operator is let in")
    else:
        require(grants.admin and grants.room == ANY_ROOM, "operators have all rooms")


def _check_issued(access: Access, grants: Grants) -> None:
    """That a token made of the grants grants the same."""
    if access is _BY_PUBLIC_KEY:
        return
    again = access.grants(access.issue(grants), NOW)
    require(0 <= again.expires - grants.expires < 1, "whole seconds")
    for name in ("identity", "room", "name", "publish", "subscribe", "admin"):
        require(getattr(again, name) == getattr(grants, name), "grants(issue(x)) == x")


def run(data: bytes) -> None:
    """Each step is a token of its own."""
    for step in split(data):
        _take(step)


def seeds() -> list[bytes]:
    """Tokens of every kind, claims that were wrong once in a test, and headers that were attacks."""
    ada: dict[str, Any] = {"sub": "ada", "room": ROOM, "exp": NOW + 60, "publish": True}
    many: list[dict[str, Any]] = [
        ada,
        ada | {"name": "Ada", "nbf": NOW - 10, "subscribe": True, "iat": NOW},
        ada | {"room": "*", "admin": True},
        ada | {"room": "te*", "jti": "1", "iss": "https://example.org"},
        ada | {"aud": "somebody else"},
        ada | {"exp": NOW - 1},
        ada | {"exp": 1e300, "nbf": -1e300},
        ada | {"exp": "soon"},
        ada | {"nbf": NOW + 1000},
        ada | {"publish": 1},
        ada | {"sub": "\ud83d"},
        ada | {"name": "\x00"},
        {"room": ROOM},
    ]
    texts = [json.dumps(claims).encode() for claims in many]
    texts += [
        texts[0].replace(b"1795633060.0", odd) for odd in (b"NaN", b"1" + bytes(40), b"1e999")
    ]
    texts += [b"[" * 200, b"{", b"[]", b'"', b"\xff", b"9" * 400]
    headers = [
        _head("HS256"),
        _head("none"),
        b'{"alg":"HS256","crit":["b64"],"b64":false}',
        b'{"alg":"EdDSA","kid":"../../key","jku":"https://example.org"}',
        b'{"alg":["HS256"]}',
        b'{"alg":"HS256","typ":1,"zip":"DEF"}',
    ]
    whole = [jwt.encode() for jwt in (_signed(_head("HS256"), text, bytes) for text in texts[:3])]
    courses: list[list[Step]] = [[(operation, text) for text in texts] for operation in (3, 4, 7)]
    courses += [[(operation, text)] for text in texts for operation in (HS256, EDDSA)]
    courses += [
        [(operation, bytes((len(header),)) + header + texts[0])]
        for header in headers
        for operation in (HS256_HEADED, EDDSA_HEADED)
    ]
    courses += [[(RAW, text), (FRAME, text), (HEADER, b"Bearer " + text)] for text in whole]
    courses.append([(RAW, b""), (RAW, b"a.b.c"), (RAW, b"." * 5000), (FRAME, rb"\ud83d.\u0000.e")])
    courses.append([(HEADER, b"Basic YTpi"), (HEADER, b"Bearer"), (HEADER, b"\xff")])
    return [join(steps) for steps in courses]


TARGET = Target(run, seeds, max_length=6000, course=True)
