"""The log, for people and for programs."""

from __future__ import annotations

import json
import logging
import sys

from signaling.logs import JsonFormatter


def _record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    logger = logging.getLogger("signaling.test")
    record = logger.makeRecord(
        logger.name, logging.WARNING, __file__, 1, message, arguments, None, extra=extra
    )
    record.created = 1_795_633_200.25
    return record


def test_a_line_is_an_object() -> None:
    line = JsonFormatter().format(_record("room %s:\n%d", "a", 3))

    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-25T19:00:00.250+00:00",
        "level": "warning",
        "logger": "signaling.test",
        "message": "room a:\n3",
    }


def test_fields_stand_beside_the_sentence() -> None:
    told = json.loads(JsonFormatter().format(_record("x", fields={"room": "a", "total": 0.5})))

    assert (told["room"], told["total"], told["message"]) == ("a", 0.5, "x")


def test_exceptions_are_in_it() -> None:
    record = _record("x")
    try:
        raise ValueError("of its own")
    except ValueError:
        record.exc_info = sys.exc_info()
    told = json.loads(JsonFormatter().format(record))

    assert told["exception"].endswith("ValueError: of its own")
