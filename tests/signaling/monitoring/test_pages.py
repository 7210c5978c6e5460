"""Answers: tables that no spreadsheet takes for a program, and errors as JSON."""

from __future__ import annotations

import csv
import io
import json
from http import HTTPStatus

from signaling.monitoring.pages import csv_bytes, csv_page, error_page, json_bytes
from signaling.monitoring.parameters import ApiError


def test_a_table() -> None:
    body = csv_bytes(("name", "score"), [('Ada, "the" first', 4.5), ("Bob\nby name", None)])

    rows = list(csv.reader(io.StringIO(body.decode(), newline="")))
    assert rows == [["name", "score"], ['Ada, "the" first', "4.5"], ["Bob\nby name", ""]]


def test_names_are_no_formulas() -> None:
    body = csv_bytes(("name",), [("=1+1",), ("@x",), ("-2",), ("+3",), (-4,), ("Ada=1",)])

    assert body.decode().split() == ["name", "'=1+1", "'@x", "'-2", "'+3", "-4", "Ada=1"]


def test_a_table_is_saved_as_a_file() -> None:
    headers = dict(csv_page(b"x", "rooms.csv", truncated=True).headers)

    assert headers["Content-Disposition"] == 'attachment; filename="rooms.csv"'
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["X-Truncated"] == "true"
    assert headers["Cache-Control"] == "no-store"
    assert "X-Truncated" not in dict(csv_page(b"x", "rooms.csv").headers)


def test_errors_are_json() -> None:
    page = error_page(ApiError(HTTPStatus.NOT_FOUND, "not_found", "Nothing."))

    assert page.status == 404
    assert json.loads(page.body) == {"error": {"code": "not_found", "message": "Nothing."}}


def test_json_ends_with_a_newline() -> None:
    assert json_bytes({"a": None}) == b'{"a":null}\n'
