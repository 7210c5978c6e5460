"""Answers and candidates that cannot be used: the named error, and the connection is as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.signaling.double import REFUSED_FINGERPRINT, Connection
from tests.signaling.lab import ANSWER_LINES, Message, answer, answer_with, candidate
from tests.signaling.scene import Scene, refused

BAD_ANSWERS: dict[str, tuple[str, Message]] = {
    "an offer": ("bad_message", {"type": "offer", "sdp": answer()["sdp"]}),
    "a pranswer": ("bad_message", {"type": "pranswer", "sdp": answer()["sdp"]}),
    "no sdp": ("bad_message", {"type": "answer"}),
    "no type": ("bad_message", {"sdp": answer()["sdp"]}),
    "a number for sdp": ("bad_message", {"type": "answer", "sdp": 5}),
    "empty": ("bad_sdp", {"type": "answer", "sdp": ""}),
    "no SDP": ("bad_sdp", {"type": "answer", "sdp": "hello"}),
    "half an SDP": ("bad_sdp", answer(ANSWER_LINES[:3])),
    "no Opus": ("bad_sdp", answer_with("a=rtpmap", "a=rtpmap:111 PCMU/8000")),
    "no rtpmap": ("bad_sdp", answer_with("a=rtpmap")),
    "another payload type": ("bad_sdp", answer_with("m=", "m=audio 9 UDP/TLS/RTP/SAVPF 0")),
    "rejected": ("bad_sdp", answer_with("m=", "m=audio 0 UDP/TLS/RTP/SAVPF 111")),
    "video": ("bad_sdp", answer_with("m=", "m=video 9 UDP/TLS/RTP/SAVPF 111")),
    "no m-line": ("bad_sdp", answer(ANSWER_LINES[:5])),
    "two m-lines": (
        "bad_sdp",
        answer((*ANSWER_LINES, "m=video 0 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=mid:1")),
    ),
    "no fingerprint": ("bad_sdp", answer_with("a=fingerprint")),
    "no hash": ("bad_sdp", answer_with("a=fingerprint", "a=fingerprint:sha-256 no")),
    "no ufrag": ("bad_sdp", answer_with("a=ice-ufrag")),
    "no password": ("bad_sdp", answer_with("a=ice-pwd")),
    "a short password": ("bad_sdp", answer_with("a=ice-pwd", "a=ice-pwd:short")),
    "no role": ("bad_sdp", answer_with("a=setup")),
    "no choice of role": ("bad_sdp", answer_with("a=setup", "a=setup:actpass")),
    "refused by the relay": (
        "bad_sdp",
        answer_with("a=fingerprint", f"a=fingerprint:sha-256 {REFUSED_FINGERPRINT}"),
    ),
}

BAD_CANDIDATES: dict[str, Any] = {
    "no fields": {},
    "nonsense": candidate("nonsense"),
    "no port": candidate("candidate:1 1 udp 1 198.51.100.7"),
    "port out of range": candidate("candidate:1 1 udp 1 198.51.100.7 65536 typ host"),
    "no type": candidate("candidate:1 1 udp 1 198.51.100.7 50000"),
    "half an address": candidate("candidate:1 1 udp 1 198.51.100 50000 typ host"),
    "two lines": candidate("candidate:1 1 udp 1 198.51.100.7 50000 typ host\r\na=x"),
    "a number": candidate(None) | {"candidate": 5},
    "another section": candidate(sdpMid="1"),
    "another index": candidate(sdpMid=None, sdpMLineIndex=1),
    "an index out of range": candidate(sdpMLineIndex=65536),
    "a negative index": candidate(sdpMLineIndex=-1),
    "a mid that is a number": candidate(sdpMid=0),
    "a ufrag that is a number": candidate(usernameFragment=0),
}


def _connection(scene: Scene, kind: str) -> Connection:
    if kind == "publisher":
        return scene.ada.create_publisher()
    publisher = scene.bob.publish()
    return scene.ada.create_consumer(publisher)


KINDS: dict[str, Callable[[Connection], Message]] = {
    "publisher": lambda connection: {"publisher_id": connection.id},
    "consumer": lambda connection: {"consumer_id": connection.id},
}
ANSWER_TYPES = {"publisher": "publish_audio", "consumer": "consumer_answer"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_a_refused_answer_leaves_the_connection_as_it_was(
    scene: Scene, kind: str, case: str
) -> None:
    connection = _connection(scene, kind)
    code, bad = BAD_ANSWERS[case]
    ids = KINDS[kind](connection)
    refused(scene.ada, ANSWER_TYPES[kind], code, answer=bad, **ids)
    assert connection.remote is None
    scene.nobody_noticed()

    scene.ada.tell(ANSWER_TYPES[kind], answer=answer(), **ids)
    connection.establish()
    (reply,) = scene.ada.take()
    assert reply["type"] in ("audio_published", "consumer_connected")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", BAD_CANDIDATES)
def test_a_candidate_that_makes_no_sense(scene: Scene, kind: str, case: str) -> None:
    connection = _connection(scene, kind)
    ids = KINDS[kind](connection)
    type = f"{kind}_ice_candidate"
    refused(scene.ada, type, "bad_message", candidate=BAD_CANDIDATES[case], **ids)
    scene.ada.tell(type, candidate=candidate(), **ids)

    assert len(connection.remote_candidates) == 1
    scene.nobody_noticed()
