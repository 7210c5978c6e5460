"""Answers of the API: JSON, CSV, and why there is none. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from signaling.monitoring.parameters import ApiError
from signaling.site import METHODS, Page

JSON = "application/json"
CSV = "text/csv; charset=utf-8"

_HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a text for a formula by; people choose their names themselves."""


def page(body: bytes, content_type: str = JSON, *headers: tuple[str, str]) -> Page:
    """An answer that nobody keeps."""
    return Page(HTTPStatus.OK, (("Content-Type", content_type), *headers, *_HEADERS), body)


def json_bytes(value: object) -> bytes:
    """A value as JSON, with a newline."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def csv_bytes(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table as CSV (RFC 4180), under a row of names. None is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def csv_page(body: bytes, file_name: str, *, truncated: bool = False) -> Page:
    """A table to be saved as a file. truncated: whether rows were left out."""
    headers = [("Content-Disposition", f'attachment; filename="{file_name}"')]
    if truncated:
        headers.append(("X-Truncated", "true"))
    return page(body, CSV, *headers)


def error_page(error: ApiError) -> Page:
    """Why there is no answer, as JSON."""
    told = {"error": {"code": error.code, "message": error.message}}
    headers = [("Content-Type", JSON), *_HEADERS]
    if error.status is HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", "Bearer"))
    if error.status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", ", ".join(METHODS)))
    return Page(error.status, tuple(headers), json_bytes(told))


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
