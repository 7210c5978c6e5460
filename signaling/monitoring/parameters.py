"""The parameters of a request, and what is answered to one that cannot be. Pure.

Whatever stands in a query is a claim: it is read with bounds, or refused with a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

MAX_TARGET = 2048
"""Characters of a path and its query."""

MAX_FIELDS = 20
"""Parameters in a query."""

MAX_TEXT = 200
"""Characters of a parameter."""

MAX_TIME = 1e11
"""Unix seconds, some three thousand years on."""


class ApiError(Exception):
    """A request that cannot be answered. status, code: as docs/api.md has them; message: a sentence."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.status.value} {self.code}: {self.message}"


def bad_request(message: str) -> ApiError:
    """A parameter cannot be read."""
    return ApiError(HTTPStatus.BAD_REQUEST, "bad_request", message)


class Parameters:
    """What a request asks for. path: its steps, without empty ones. Raises ApiError."""

    def __init__(self, target: str) -> None:
        if len(target) > MAX_TARGET:
            raise bad_request(f"The address is longer than {MAX_TARGET} characters.")
        try:
            parts = urlsplit(target)
            self._fields = parse_qs(parts.query, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            raise bad_request("The address cannot be read.") from None
        self.path = tuple(step for step in parts.path.split("/") if step)

    def text(self, name: str) -> str | None:
        """A text; None where it is not given. Raises ApiError."""
        values = self._fields.get(name)
        if not values or not values[-1]:
            return None
        if len(values[-1]) > MAX_TEXT:
            raise bad_request(f"{name}: expected at most {MAX_TEXT} characters.")
        return values[-1]

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number within bounds. Raises ApiError."""
        text = self.text(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise bad_request(f"{name}: expected a number from {low:g} to {high:g}.")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds. Raises ApiError."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise bad_request(f"{name}: expected a whole number from {low} to {high}.")
        return int(value)

    def choice(self, name: str, words: Sequence[str]) -> str:
        """One of some words, the first where it is not given. Raises ApiError."""
        text = self.text(name)
        if text is None:
            return words[0]
        if text not in words:
            raise bad_request(f"{name}: expected one of {', '.join(words)}.")
        return text

    def period(self, default_from: float, default_to: float) -> tuple[float, float]:
        """`from` and `to`, in Unix seconds. Raises ApiError."""
        begin = self.number("from", default_from, 0, MAX_TIME)
        end = self.number("to", default_to, 0, MAX_TIME)
        if end < begin:
            raise bad_request("to: expected a time that is not before `from`.")
        return begin, end
