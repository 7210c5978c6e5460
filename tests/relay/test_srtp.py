"""SRTP and SRTCP against `pylibsrtp.Session`, as the other end has it."""

from __future__ import annotations

import secrets

import pylibsrtp
import pytest
from pylibsrtp import Policy

from relay.rtcp import ReceiverReport, SourceDescription, build_rtcp
from relay.rtp import RtpPacket, build_rtp
from relay.srtp import (
    MAX_TRAILER_LENGTH,
    PROFILES,
    PROFILES_BY_NAME,
    SrtpContext,
    SrtpKeys,
    SrtpProfile,
    drop_reason,
    ffi,
    function_address,
    protect,
    unprotect,
)
from relay.stats import DropReason

SSRC = 0xDEADBEEF
REPORT = build_rtcp([ReceiverReport(SSRC), SourceDescription(SSRC, "canonical name")])


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.name)
def keys(request: pytest.FixtureRequest) -> SrtpKeys:
    return random_keys(request.param)


def random_keys(profile: SrtpProfile) -> SrtpKeys:
    length = profile.key_length + profile.salt_length
    return SrtpKeys(profile, secrets.token_bytes(length), secrets.token_bytes(length))


def their_sender(keys: SrtpKeys) -> pylibsrtp.Session:
    policy = Policy(keys.remote, Policy.SSRC_ANY_OUTBOUND, 0, keys.profile.identifier)
    return pylibsrtp.Session(policy)


def their_receiver(keys: SrtpKeys) -> pylibsrtp.Session:
    policy = Policy(keys.local, Policy.SSRC_ANY_INBOUND, 0, keys.profile.identifier)
    return pylibsrtp.Session(policy)


def packet(sequence: int = 1, ssrc: int = SSRC) -> bytes:
    level = ((1, b"\x9e"),)
    return build_rtp(RtpPacket(111, sequence, 960, ssrc, b"opus frame", extensions=level))


def in_place(function: object, context: SrtpContext, data: bytes) -> bytes | int:
    """What libsrtp makes of a packet where it lies; its status when that is not zero."""
    memory = ffi.new("char[]", len(data) + MAX_TRAILER_LENGTH)
    ffi.memmove(memory, data, len(data))
    length = ffi.new("int *", len(data))
    status: int = function(context.handle, memory, length)  # type: ignore[operator]
    return status or bytes(ffi.buffer(memory, length[0]))


def received(context: SrtpContext, data: bytes) -> bytes | DropReason:
    result = in_place(unprotect, context, data)
    return drop_reason(result) if isinstance(result, int) else result


def test_profiles_are_offered_gcm_first() -> None:
    assert [profile.name for profile in PROFILES] == [
        "SRTP_AEAD_AES_128_GCM",
        "SRTP_AEAD_AES_256_GCM",
        "SRTP_AES128_CM_SHA1_80",
    ]
    assert {PROFILES_BY_NAME[profile.name] for profile in PROFILES} == set(PROFILES)


def test_what_they_send_we_read(keys: SrtpKeys) -> None:
    sender, inbound = their_sender(keys), SrtpContext.inbound(keys)
    for sequence in (65534, 65535, 0, 1, 3, 2):
        assert received(inbound, sender.protect(packet(sequence))) == packet(sequence)


def test_what_we_send_they_read(keys: SrtpKeys) -> None:
    receiver, outbound = their_receiver(keys), SrtpContext.outbound(keys, SSRC)
    for sequence in (65534, 65535, 0, 1, 3, 2):
        sent = in_place(protect, outbound, packet(sequence))
        assert isinstance(sent, bytes)
        assert len(sent) == len(packet()) + keys.profile.tag_length
        assert receiver.unprotect(sent) == packet(sequence)


def test_the_tag_length_is_the_profiles(keys: SrtpKeys) -> None:
    assert SrtpContext.outbound(keys, SSRC).tag_length == keys.profile.tag_length
    assert SrtpContext.inbound(keys).tag_length == keys.profile.tag_length


def test_a_context_sends_from_its_own_ssrc_only(keys: SrtpKeys) -> None:
    status = in_place(protect, SrtpContext.outbound(keys, SSRC), packet(ssrc=1))
    assert isinstance(status, int)
    assert drop_reason(status) is DropReason.SRTP_FAILED


def test_a_wrong_key(keys: SrtpKeys) -> None:
    inbound = SrtpContext.inbound(random_keys(keys.profile))
    sent = their_sender(keys).protect(packet())
    assert received(inbound, sent) is DropReason.SRTP_UNAUTHENTICATED


def test_our_own_packets_are_not_theirs(keys: SrtpKeys) -> None:
    sent = in_place(protect, SrtpContext.outbound(keys, SSRC), packet())
    assert isinstance(sent, bytes)
    assert received(SrtpContext.inbound(keys), sent) is DropReason.SRTP_UNAUTHENTICATED


def test_every_byte_is_authenticated(keys: SrtpKeys) -> None:
    sent = their_sender(keys).protect(packet())
    inbound = SrtpContext.inbound(keys)
    for index in range(len(sent)):
        spoilt = bytearray(sent)
        spoilt[index] ^= 0x01
        assert isinstance(received(inbound, bytes(spoilt)), DropReason)
    assert received(inbound, sent) == packet()


def test_cut_anywhere_it_is_refused(keys: SrtpKeys) -> None:
    sent = their_sender(keys).protect(packet())
    inbound = SrtpContext.inbound(keys)
    for length in range(12, len(sent)):
        assert isinstance(received(inbound, sent[:length]), DropReason)


def test_a_replay(keys: SrtpKeys) -> None:
    sender, inbound = their_sender(keys), SrtpContext.inbound(keys)
    sent = [sender.protect(packet(sequence)) for sequence in range(1, 300)]
    assert received(inbound, sent[0]) == packet(1)
    assert received(inbound, sent[0]) is DropReason.SRTP_REPLAYED
    assert received(inbound, sent[-1]) == packet(299)
    assert received(inbound, sent[1]) is DropReason.SRTP_REPLAYED  # older than the replay list


def test_a_header_that_runs_past_the_end(keys: SrtpKeys) -> None:
    assert received(SrtpContext.inbound(keys), b"\x8f" + packet()[1:20]) is DropReason.SRTP_FAILED


def test_a_forgotten_ssrc_begins_anew(keys: SrtpKeys) -> None:
    sender, inbound = their_sender(keys), SrtpContext.inbound(keys)
    first, other = sender.protect(packet(1, ssrc=1)), sender.protect(packet(1, ssrc=2))
    assert received(inbound, first) == packet(1, ssrc=1)
    assert received(inbound, other) == packet(1, ssrc=2)
    inbound.forget(1)
    assert received(inbound, first) == packet(1, ssrc=1)
    assert received(inbound, other) is DropReason.SRTP_REPLAYED


def test_forgetting_what_was_never_known(keys: SrtpKeys) -> None:
    inbound = SrtpContext.inbound(keys)
    inbound.forget(SSRC)
    assert received(inbound, their_sender(keys).protect(packet())) == packet()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (7, DropReason.SRTP_UNAUTHENTICATED),
        (9, DropReason.SRTP_REPLAYED),
        (10, DropReason.SRTP_REPLAYED),
        (1, DropReason.SRTP_FAILED),
        (13, DropReason.SRTP_FAILED),
        (21, DropReason.SRTP_FAILED),
    ],
)
def test_statuses(status: int, reason: DropReason) -> None:
    """Numbers of srtp_err_status_t; pylibsrtp has their words in the same order."""
    assert drop_reason(status) is reason


def test_rtcp_that_they_send_we_read(keys: SrtpKeys) -> None:
    sent = their_sender(keys).protect_rtcp(REPORT)
    assert SrtpContext.inbound(keys).unprotect_rtcp(sent) == REPORT


def test_rtcp_that_we_send_they_read(keys: SrtpKeys) -> None:
    sent = SrtpContext.outbound(keys, SSRC).protect_rtcp(REPORT)
    assert b"canonical name" not in sent
    assert their_receiver(keys).unprotect_rtcp(sent) == REPORT


def test_rtcp_that_is_not_theirs_or_not_new(keys: SrtpKeys) -> None:
    sent = their_sender(keys).protect_rtcp(REPORT)
    stranger = SrtpContext.inbound(random_keys(keys.profile))
    assert stranger.unprotect_rtcp(sent) is DropReason.RTCP_UNAUTHENTICATED
    inbound = SrtpContext.inbound(keys)
    assert inbound.unprotect_rtcp(sent) == REPORT
    assert inbound.unprotect_rtcp(sent) is DropReason.RTCP_UNAUTHENTICATED


@pytest.mark.parametrize("length", [0, 1, 4, 8, 12, 28, 1500])
def test_rtcp_of_any_length(keys: SrtpKeys, length: int) -> None:
    data = (b"\x80\xc9" + bytes(1500))[:length]
    assert SrtpContext.inbound(keys).unprotect_rtcp(data) is DropReason.RTCP_UNAUTHENTICATED


def test_rtcp_that_is_too_long(keys: SrtpKeys) -> None:
    data = b"\x80\xc9" + bytes(1499)
    assert SrtpContext.inbound(keys).unprotect_rtcp(data) is DropReason.OVERSIZED


def test_rtp_and_rtcp_of_one_key_have_replay_lists_of_their_own(keys: SrtpKeys) -> None:
    sender, inbound = their_sender(keys), SrtpContext.inbound(keys)
    rtp, rtcp = sender.protect(packet()), sender.protect_rtcp(REPORT)
    assert received(inbound, rtp) == packet()
    assert inbound.unprotect_rtcp(rtcp) == REPORT


class TestCall:
    """A context that is made by whoever calls libsrtp for us."""

    def test_it_is_like_any_other(self, keys: SrtpKeys) -> None:
        called: list[int] = []

        def call(function: int, first: int, second: int) -> int:
            called.append(function)
            made = ffi.cast("int (*)(void *, void *)", function)
            return int(made(ffi.cast("void *", first), ffi.cast("void *", second)))

        context = SrtpContext.outbound(keys, SSRC, call=call)
        assert called == [function_address("srtp_create")]
        usual = SrtpContext.outbound(keys, SSRC)
        for sequence in range(3):
            plain = packet(sequence)
            assert in_place(protect, context, plain) == in_place(protect, usual, plain)
        assert context.protect_rtcp(REPORT) == usual.protect_rtcp(REPORT)

    def test_a_failure_is_told(self, keys: SrtpKeys) -> None:
        with pytest.raises(MemoryError):
            SrtpContext.outbound(keys, SSRC, call=lambda function, first, second: 3)
