"""Reports under SRTP's protection: two ends, what is not theirs, and what would be too much."""

from __future__ import annotations

from relay.rtcp import ReceiverReport, build_rtcp
from relay.srtcp import BURST, MAX_REPORT_SOURCES, Srtcp
from relay.srtp import SrtpContext, SrtpKeys
from relay.stats import DropReason

from .media import random_keys

KEYS = random_keys()
THEIR_KEYS = SrtpKeys(KEYS.profile, local=KEYS.remote, remote=KEYS.local)


def begun(ssrc: int, keys: SrtpKeys = KEYS) -> Srtcp:
    end = Srtcp(ssrc)
    end.begin(keys)
    return end


def test_what_one_end_reports_the_other_reads() -> None:
    ours, theirs = begun(1), begun(2, THEIR_KEYS)
    for ssrc, here, there in ((1, ours, theirs), (2, theirs, ours)):
        datagram = here.build([ReceiverReport(ssrc)])
        assert datagram is not None
        assert there.receive(datagram, 0.0) == [ReceiverReport(ssrc)]


def test_before_there_are_keys() -> None:
    end = Srtcp(1)
    assert end.build([ReceiverReport(1)]) is None
    assert end.receive(bytes(40), 0.0) is DropReason.RTCP_UNKNOWN_ADDRESS


def test_what_cannot_be_taken() -> None:
    end, theirs = begun(1), SrtpContext.outbound(THEIR_KEYS, 2)
    report = theirs.protect_rtcp(build_rtcp([ReceiverReport(2)]))
    assert (
        end.receive(report[:-1] + bytes([report[-1] ^ 1]), 0.0) is DropReason.RTCP_UNAUTHENTICATED
    )
    assert end.receive(bytes(4000), 0.0) is DropReason.OVERSIZED
    spoilt = theirs.protect_rtcp(b"\x80\xc9\x00\x09" + (2).to_bytes(4, "big"))
    assert end.receive(spoilt, 0.0) is DropReason.RTCP_MALFORMED


def test_a_flood_is_bounded() -> None:
    end = begun(1)
    told = [end.receive(bytes(40), 5.0) for _ in range(int(BURST) + 3)]
    assert told.count(DropReason.RATE_LIMITED) == 3
    assert end.receive(bytes(40), 5.1) is DropReason.RTCP_UNAUTHENTICATED


def test_the_oldest_source_is_forgotten() -> None:
    """Of more than a browser has nothing is kept, so an old report of one may be taken again."""
    end, first = begun(0), begun(1, THEIR_KEYS).build([ReceiverReport(1)])
    assert first is not None
    assert end.receive(first, 0.0) == [ReceiverReport(1)]
    assert end.receive(first, 0.0) is DropReason.RTCP_UNAUTHENTICATED
    for ssrc in range(2, MAX_REPORT_SOURCES + 2):
        datagram = begun(ssrc, THEIR_KEYS).build([ReceiverReport(ssrc)])
        assert datagram is not None
        assert end.receive(datagram, 0.0) == [ReceiverReport(ssrc)]
    assert end.ssrcs == list(range(2, MAX_REPORT_SOURCES + 2))
    assert end.receive(first, 0.0) == [ReceiverReport(1)]
