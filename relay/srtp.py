"""SRTP and SRTCP (RFC 3711, RFC 7714), by libsrtp. Only this module knows `pylibsrtp`.

pylibsrtp's own `Session.protect` copies each packet twice and makes a new buffer for its length. The
forwarder calls libsrtp where the packet lies instead: `protect` and `unprotect` here are libsrtp's C
functions, through the binding that pylibsrtp brings, and an `SrtpContext` holds what they work on.

RTP and RTCP of a connection have contexts of their own, made from the same keys: libsrtp's are not
safe between threads, and the two kinds of packets may be handled by different ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pylibsrtp
from pylibsrtp import Policy, _binding

from .stats import DropReason

ffi: Any = _binding.ffi
protect: Any = _binding.lib.srtp_protect
"""int srtp_protect(srtp_t, void *packet, int *length): in place; needs MAX_TRAILER_LENGTH behind."""
unprotect: Any = _binding.lib.srtp_unprotect
"""int srtp_unprotect(srtp_t, void *packet, int *length): in place."""

MAX_TRAILER_LENGTH = 16 + 128
"""What libsrtp may write behind a packet (its SRTP_MAX_TRAILER_LEN)."""

_MAX_RTCP_LENGTH = 1500
_AUTHENTICATION_FAILED, _REPLAYED, _REPLAYED_OLD = 7, 9, 10  # srtp_err_status_t in srtp.h


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """A protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2). Lengths in bytes; tag_length: what
    protecting an RTP packet adds to it."""

    name: str
    identifier: int
    key_length: int
    salt_length: int
    tag_length: int


PROFILES: tuple[SrtpProfile, ...] = (
    SrtpProfile("SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12, 16),
    SrtpProfile("SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12, 16),
    SrtpProfile("SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14, 10),
)
"""What the relay offers in DTLS, best first: with AES instructions GCM costs half of CM with SHA-1.

The names are OpenSSL's."""

PROFILES_BY_NAME = {profile.name: profile for profile in PROFILES}


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What a DTLS handshake agreed on (RFC 5764 §4.2): local protects what we send, remote what we
    receive; each is the master key and the master salt, one after the other."""

    profile: SrtpProfile
    local: bytes
    remote: bytes


def function_address(name: str) -> int:
    """Where one of libsrtp's functions lies, for code that calls it from C."""
    return int(ffi.cast("uintptr_t", ffi.addressof(_binding.lib, name)))


Call = Callable[[int, int, int], int]
"""Calls a C function by its address with two pointers; returns its int."""


def _create(policy: Policy, call: Call) -> Any:
    """A new `srtp_t *`, freed with the object."""
    srtp = ffi.new("srtp_t *")
    addresses = (int(ffi.cast("uintptr_t", pointer)) for pointer in (srtp, policy._policy))
    if call(function_address("srtp_create"), *addresses):
        raise MemoryError("srtp_create")
    return ffi.gc(srtp, lambda made: _binding.lib.srtp_dealloc(made[0]))


class SrtpContext:
    """A libsrtp context: keys and, per SSRC, rollover counter and replay list.

    handle: the `srtp_t` to give to `protect` and `unprotect`.
    """

    __slots__ = ("_owner", "handle", "tag_length")

    def __init__(self, policy: Policy, tag_length: int, call: Call | None = None) -> None:
        if call is None:
            self._owner = pylibsrtp.Session(policy)
        else:
            self._owner = pylibsrtp.Session()  # an empty one, whose srtp_t is replaced
            self._owner._srtp = _create(policy, call)
        self.handle = self._owner._srtp[0]
        self.tag_length = tag_length

    @property
    def address(self) -> int:
        """Where the `srtp_t` points, for code that calls libsrtp from C."""
        return int(ffi.cast("uintptr_t", self.handle))

    @classmethod
    def inbound(cls, keys: SrtpKeys) -> SrtpContext:
        """For what the other end sends, from whatever SSRC. libsrtp remembers an SSRC once a packet
        of it was authentic: whoever receives bounds their number with `forget`."""
        return cls(
            Policy(keys.remote, Policy.SSRC_ANY_INBOUND, 0, keys.profile.identifier),
            keys.profile.tag_length,
        )

    @classmethod
    def outbound(
        cls, keys: SrtpKeys, ssrc: int, *, repeats: bool = False, call: Call | None = None
    ) -> SrtpContext:
        """For what we send from one SSRC. repeats: a packet may be protected once more; whoever does that
        sees to it that it is the same to the last bit (RFC 7714 §8.4). call: how libsrtp is called to
        make it, for whoever cares where its memory lies."""
        policy = Policy(keys.local, Policy.SSRC_SPECIFIC, ssrc, keys.profile.identifier)
        policy.allow_repeat_tx = repeats
        return cls(policy, keys.profile.tag_length, call)

    def forget(self, ssrc: int) -> None:
        """Drop the state of one SSRC, if there is any."""
        try:
            self._owner.remove_stream(ssrc)
        except pylibsrtp.Error:
            return

    def protect_rtcp(self, packet: bytes) -> bytes:
        """SRTCP of a compound packet that we made ourselves."""
        return self._owner.protect_rtcp(packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes | DropReason:
        """The compound packet in an SRTCP packet, or why there is none."""
        if len(packet) > _MAX_RTCP_LENGTH:
            return DropReason.OVERSIZED
        try:
            return self._owner.unprotect_rtcp(packet)
        except pylibsrtp.Error:
            return DropReason.RTCP_UNAUTHENTICATED


def drop_reason(status: int) -> DropReason:
    """The drop reason of a status other than zero that `unprotect` gave."""
    if status == _AUTHENTICATION_FAILED:
        return DropReason.SRTP_UNAUTHENTICATED
    if status in (_REPLAYED, _REPLAYED_OLD):
        return DropReason.SRTP_REPLAYED
    return DropReason.SRTP_FAILED
