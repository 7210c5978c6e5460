"""Session descriptions: any text to `sdp.parse`, and to what reads an answer."""

from __future__ import annotations

import sdp
from relay import ParameterError
from relay.transport import _check
from signaling.errors import SignalingError
from signaling.messages import Answer
from signaling.negotiation import read_answer
from tests.fuzz.target import Target, require
from tests.sdp.vectors import VECTORS
from tests.signaling.lab import answer


def run(data: bytes) -> None:
    """What is read can be written, and is the same when it is read again."""
    text = data.decode("utf-8", "replace")
    try:
        description = sdp.parse(text)
    except sdp.SdpError as error:
        require(len(str(error)) < 1000, "errors are short")
    else:
        require(sdp.parse(sdp.build(description)) == description, "parse(build(x)) == x")
    try:
        remote = read_answer(Answer("answer", text))
        _check(remote)
    except (SignalingError, ParameterError):
        return
    require(len(remote.candidates) <= 1000, "as many candidates as a description may have lines")


def seeds() -> list[bytes]:
    """Real browsers' descriptions, and the shortest answer."""
    texts = [*VECTORS.values(), answer()["sdp"]]
    return [text.encode() for text in texts]


TARGET = Target(run, seeds, max_length=6000)
