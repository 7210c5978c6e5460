"""`docs/protocol.md` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from signaling import outbox, server, session
from signaling.errors import ErrorCode
from signaling.messages import AnyClientMessage, AnyServerMessage, Reason, decode

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
EXAMPLES = re.findall(r"^([<>]) (\{.*\})$", TEXT, re.MULTILINE)


def _section(title: str) -> str:
    """The text under a heading, up to the next one."""
    return re.split(r"^## ", TEXT.split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def _first_cells(text: str) -> set[str]:
    """The words in code in the first column of the tables."""
    rows = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def _tags(union: object) -> set[str]:
    return {str(kind.__struct_config__.tag) for kind in get_args(union)}


@pytest.mark.parametrize(("direction", "frame"), EXAMPLES)
def test_examples_are_messages(direction: str, frame: str) -> None:
    if direction == ">":
        decode(frame)
    else:
        message = msgspec.json.decode(frame, type=AnyServerMessage)
        written = msgspec.json.decode(msgspec.json.encode(message))
        assert written == msgspec.json.decode(frame)  # nothing is missing, nothing made up


def test_there_are_examples() -> None:
    assert len([direction for direction, _ in EXAMPLES if direction == ">"]) >= 10


def test_every_message_has_its_row() -> None:
    reasons_and_codes = set(Reason) | set(ErrorCode)
    assert _first_cells(_section("From the client")) == _tags(AnyClientMessage)
    assert _first_cells(_section("From the server")) - reasons_and_codes == (
        _tags(AnyServerMessage) - reasons_and_codes
    )


def test_every_reason_and_code_has_its_row() -> None:
    found = _first_cells(_section("From the server"))
    assert set(Reason) <= found
    assert set(ErrorCode) <= found


def test_limits_are_those_of_the_code() -> None:
    section = _section("The socket")
    assert f"more than {server.MAX_FRAME_SIZE // 1024} KiB" in section
    assert f"more than {session.MESSAGE_RATE:g} messages a second" in section
    assert f"{session.MESSAGE_BURST:g} at once" in section
    assert session.CANDIDATE_COST == 0.1
    assert f"another {session.MAX_DEBT:g} messages" in section
    assert f"{outbox.MAX_BYTES // 2**20} MiB or {outbox.MAX_MESSAGES:,} of them" in section
    assert f"one for {outbox.SEND_TIMEOUT:g} s" in section
    assert f"every {server.PING_INTERVAL:g} s, for {server.PING_TIMEOUT:g} s" in section
