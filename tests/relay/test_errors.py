"""The sentences of errors, and their family."""

from __future__ import annotations

import pytest

from relay.errors import AddressError, InvalidStateError, ParameterError, RelayError


@pytest.mark.parametrize(
    ("error", "text", "facts"),
    [
        (
            AddressError("127.0.0.1", 40000, "Address already in use"),
            "cannot use UDP address 127.0.0.1:40000: Address already in use",
            {"host": "127.0.0.1", "port": 40000, "reason": "Address already in use"},
        ),
        (
            AddressError("::1", 9, "Permission denied"),
            "cannot use UDP address [::1]:9: Permission denied",
            {"host": "::1", "port": 9, "reason": "Permission denied"},
        ),
        (
            InvalidStateError("the publisher", "closed", "connected"),
            "the publisher is closed, but must be connected",
            {"what": "the publisher", "state": "closed", "needed": "connected"},
        ),
        (
            ParameterError("ICE password", "22 to 256 characters"),
            "ICE password: expected 22 to 256 characters",
            {"name": "ICE password", "expected": "22 to 256 characters"},
        ),
    ],
)
def test_an_error_is_a_sentence_and_facts(
    error: RelayError, text: str, facts: dict[str, object]
) -> None:
    assert isinstance(error, RelayError)
    assert str(error) == text
    assert {name: getattr(error, name) for name in facts} == facts
