"""The JSON Schema in the documentation: current, and true to what is read and written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from signaling.messages import schema_text
from tests.signaling.scene import EITHER, VALID

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.schema.json"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(schema_text())
    return parsed


def _definitions(schema: dict[str, Any], side: str) -> dict[str, dict[str, Any]]:
    mapping = schema["$defs"][side]["discriminator"]["mapping"]
    return {
        type: schema["$defs"][reference.removeprefix("#/$defs/")]
        for type, reference in mapping.items()
    }


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text() == schema_text(), (
        "write it anew: rtp-relay schema > docs/protocol.schema.json"
    )


def test_every_message_is_described(schema: dict[str, Any]) -> None:
    to_server = _definitions(schema, "ClientToServer")
    to_client = _definitions(schema, "ServerToClient")

    assert set(to_server) == set(VALID)
    assert {"room_joined", "audio_levels", "stats", "error"} <= set(to_client)
    assert len(to_client) == 24
    for definition in (*to_server.values(), *to_client.values()):
        assert definition["description"]
        assert definition["properties"]["id"]["maxLength"] == 64


@pytest.mark.parametrize("type", VALID)
def test_required_fields_are_those_that_are_required(schema: dict[str, Any], type: str) -> None:
    definition = _definitions(schema, "ClientToServer")[type]
    assert set(definition["required"]) == {"type"} | set(VALID[type]) - EITHER.get(type, set())


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    references = re.findall(r'"#/\$defs/([^"]+)"', schema_text())
    assert set(references) <= set(schema["$defs"])


def test_patterns_mean_the_same_in_python_and_in_javascript(schema: dict[str, Any]) -> None:
    properties = _definitions(schema, "ClientToServer")["join_room"]["properties"]
    for field in ("room", "name"):
        pattern = properties[field]["pattern"]
        assert pattern.endswith(r"(?![\s\S])")
        assert re.search(pattern, "abc")
        assert not re.search(pattern, "abc\n")
