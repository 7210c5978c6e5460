"""Who may come in: access tokens (JWT, RFC 7519). No I/O; time is an argument.

The only module that knows PyJWT.

A token is signed by the operator's own service, or by `rtp-relay token`, and read here:

    room      the room that it opens; `team-*` opens every room whose name begins so, `*` opens all
    sub       the identity of who holds it, for the operator's eyes
    name      the name that the others see, in place of the one in `join_room`; may be missing
    exp       until when it opens the door, in Unix seconds; must be there
    nbf       from when on; may be missing
    publish, subscribe, admin
              the grants: true, or false, which a missing one is

The kind of the key decides on the algorithm, never the token (RFC 8725 §3.1): a secret takes HS256, an
Ed25519 key EdDSA, and nothing else. A token with `aud` is for somebody else, since we have no name there.

A token is for the door: who is in stays in when it expires.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import jwt
from jwt.algorithms import HMACAlgorithm, OKPAlgorithm

from signaling.errors import ErrorCode, SignalingError

MIN_SECRET_SIZE = 32
"""Bytes: a key for HS256 must be as long as the hash (RFC 7518 §3.2)."""

MAX_TOKEN_SIZE = 4096
"""Characters; ours have about 250, those with a long list of further claims perhaps 1,000."""

MAX_IDENTITY_SIZE = 128
"""Characters."""

NOT_BEFORE_LEEWAY = 30.0
"""Seconds that the clock of who made a token may be ahead of ours."""

ANY_ROOM = "*"

_HS256 = "HS256"
_EDDSA = "EdDSA"
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
"""JSON can spell half a character, as `"\\ud83d"`, which no UTF-8 can."""
_ROOM = re.compile(r"[A-Za-z0-9_.-]{1,64}|[A-Za-z0-9_.-]{0,63}\*")
_GRANTS = ("publish", "subscribe", "admin")
_PEM_START = "-----BEGIN "
_OPTIONS: Any = {
    "require": ["exp", "sub"],
    # By our own clock, which is an argument.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


@dataclass(frozen=True, slots=True)
class Grants:
    """What somebody may do.

    identity: from the token, None where no token is needed. room: a room's name, a beginning with `*`
    behind it, or None for no room. name: what the others see, None where the client says. expires: Unix
    seconds, until when they let somebody in.
    """

    identity: str | None = None
    room: str | None = None
    name: str | None = None
    publish: bool = False
    subscribe: bool = False
    admin: bool = False
    expires: float = math.inf

    def opens(self, room: str) -> bool:
        """Whether they are for this room."""
        if self.room is None:
            return False
        if self.room.endswith(ANY_ROOM):
            return room.startswith(self.room.removesuffix(ANY_ROOM))
        return room == self.room


EVERYTHING_BUT_ADMIN = Grants(room=ANY_ROOM, publish=True, subscribe=True)
"""What everybody may do on an open relay."""


class KeyFault(ValueError):
    """A key that cannot be used. Its text says what was expected, and nothing of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """What tokens are checked by, and signed by where `can_sign`. Made by `read`."""

    algorithm: str
    can_sign: bool
    material: Any = field(repr=False)

    @classmethod
    def read(cls, text: str) -> Key:
        """A key from what the operator gave: an Ed25519 key in PEM, public or private, or else a secret.
        White space around it does not count, nor what some tools write before PEM, nor an editor's byte
        order mark. Raises KeyFault."""
        text = text.removeprefix("\ufeff").strip()
        if _PEM_START in text:
            return cls._read_pem(text[text.index(_PEM_START) :])
        secret = text.encode()
        if len(secret) < MIN_SECRET_SIZE:
            raise KeyFault(
                f"expected a secret of at least {MIN_SECRET_SIZE} bytes, or an Ed25519 key in PEM; it has"
                f" {len(secret)} bytes (make one by: openssl rand -base64 48)"
            )
        try:
            HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
        except jwt.PyJWTError as error:  # a public key that looks otherwise: everybody may know it
            raise KeyFault(
                "expected a secret, or an Ed25519 key in PEM; it holds another kind of key"
            ) from error
        return cls(_HS256, True, secret)

    @classmethod
    def _read_pem(cls, text: str) -> Key:
        try:
            key: Any = OKPAlgorithm().prepare_key(text)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            # A TypeError is for a key with a passphrase. Their words may quote the key; ours do not.
            raise KeyFault(
                "expected an Ed25519 key in PEM, public or private, without a passphrase"
            ) from error
        kind = type(key).__name__
        if "Ed25519" not in kind:  # the other curve of EdDSA
            raise KeyFault("expected an Ed25519 key, got one for another curve")
        return cls(_EDDSA, "Private" in kind, key)


class Access:
    """Decides who may come in. key: None for a relay that is open to everybody."""

    def __init__(self, key: Key | None = None) -> None:
        self._key = key

    @property
    def is_open(self) -> bool:
        """Whether nobody needs a token."""
        return self._key is None

    def grants(self, token: str | None, now: float) -> Grants:
        """What a token grants at the time `now` (Unix seconds). On an open relay any token, and none,
        grants the same. Raises SignalingError: `unauthorized`."""
        if self._key is None:
            return EVERYTHING_BUT_ADMIN
        if not token:
            raise _unauthorized("This server asks for an access token, and there was none.")
        claims = _verified(token, self._key)
        grants = _read_claims(claims)
        if not now < grants.expires:
            raise _unauthorized("The access token has expired; ask for a new one.")
        if now < _time(claims, "nbf", default=0.0) - NOT_BEFORE_LEEWAY:
            raise _unauthorized("The access token is not valid yet.")
        return grants

    def enter(self, token: str | None, room: str, now: float) -> Grants:
        """The same for somebody who wants to join a room. Raises SignalingError: `unauthorized`, and
        `forbidden` when the token is for another room."""
        grants = self.grants(token, now)
        if not grants.opens(room):
            raise SignalingError(
                ErrorCode.FORBIDDEN, "The access token is not for this room; ask for one that is."
            )
        return grants

    def admit_operator(self, authorization: str | None, now: float) -> Grants:
        """The same for the HTTP pages with figures of the whole server. authorization: that header, or
        None without. The token needs `admin` for all rooms: who looks after one room is not to see the
        others. Raises SignalingError: `unauthorized` (HTTP 401), `forbidden` (HTTP 403)."""
        scheme, _, token = (authorization or "").strip().partition(" ")
        grants = self.grants(token.strip() if scheme.lower() == "bearer" else None, now)
        if not self.is_open and not (grants.admin and grants.room == ANY_ROOM):
            raise SignalingError(
                ErrorCode.FORBIDDEN, "The access token needs the grant `admin` and the room `*`."
            )
        return grants

    def issue(self, grants: Grants, not_before: float | None = None) -> str:
        """A token with these grants, which need an identity and a time to expire. not_before: Unix
        seconds. Raises KeyFault when there is no key to sign with, ValueError for grants that `grants`
        would not take."""
        if self._key is None or not self._key.can_sign:
            raise KeyFault("expected a secret or a private key; a public key cannot sign")
        claims: dict[str, Any] = {
            "sub": grants.identity,
            "room": grants.room,
            "name": grants.name,
            "exp": grants.expires if grants.expires == math.inf else math.ceil(grants.expires),
            "nbf": None if not_before is None else math.floor(not_before),
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        claims |= {grant: True for grant in _GRANTS if getattr(grants, grant)}
        try:
            _read_claims(claims)
        except SignalingError as error:
            raise ValueError(error.message) from error
        return jwt.encode(claims, self._key.material, self._key.algorithm)


def _verified(token: str, key: Key) -> dict[str, Any]:
    """The claims of a token that was signed by the key's owner."""
    if len(token) > MAX_TOKEN_SIZE:
        raise _unauthorized(f"The access token is longer than {MAX_TOKEN_SIZE} characters.")
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key.material, algorithms=[key.algorithm], options=_OPTIONS
        )
    except jwt.MissingRequiredClaimError as error:
        raise _unauthorized(f"The access token has no claim `{error.claim}`.") from error
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        # What comes before the signature is anybody's JSON: nested, not UTF-8, a number for a name.
        raise _unauthorized("The access token cannot be verified by this server's key.") from error
    return claims


def _read_claims(claims: dict[str, Any]) -> Grants:
    return Grants(
        identity=_text(claims, "sub", MAX_IDENTITY_SIZE),
        room=_pattern(claims, "room", _ROOM),
        name=_pattern(claims, "name", _NAME),
        expires=_time(claims, "exp", default=math.nan),
        **{grant: _flag(claims, grant) for grant in _GRANTS},
    )


def _text(claims: dict[str, Any], name: str, limit: int) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= limit or _SURROGATE.search(value):
        raise _bad_claim(name, f"a string of 1 to {limit} characters")
    return value


def _pattern(claims: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str | None:
    value = claims.get(name)
    if value is not None and not (isinstance(value, str) and pattern.fullmatch(value)):
        raise _bad_claim(name, "as in `join_room`, a room with `*` behind it if need be")
    return value


def _flag(claims: dict[str, Any], name: str) -> bool:
    value = claims.get(name, False)
    if not isinstance(value, bool):
        raise _bad_claim(name, "true or false")
    return value


def _time(claims: dict[str, Any], name: str, default: float) -> float:
    value = claims.get(name, default)
    # A bool is an int, JSON as Python reads it has NaN, and an int may be too large for a float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise _bad_claim(name, "a time in Unix seconds")
    return float(value)


def _bad_claim(name: str, expected: str) -> SignalingError:
    return _unauthorized(f"The claim `{name}` of the access token must be {expected}.")


def _unauthorized(sentence: str) -> SignalingError:
    return SignalingError(ErrorCode.UNAUTHORIZED, sentence)
