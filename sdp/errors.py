"""The one error of this package, which holds facts and makes its text from them when asked."""

from __future__ import annotations

_SHOWN_LENGTH = 80
"""Characters of a line or value that an error shows: enough to find it, too few to flood a log."""


class SdpError(ValueError):
    """A text is no session description, or a description cannot be written as one.

    expected: what the grammar asks for at this place, as a noun phrase.
    found: the part that is not it, or None where the whole line (or its absence) is the fault.
    line: the line without its end, or None where no single line is at fault.
    number: the line's number, counted from 1, or None outside a text.
    """

    def __init__(
        self,
        expected: str,
        found: str | None = None,
        *,
        line: str | None = None,
        number: int | None = None,
    ) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found
        self.line = line
        self.number = number

    def at(self, line: str, number: int | None = None) -> SdpError:
        """The same fault with the place where it was met."""
        return SdpError(self.expected, self.found, line=line, number=number)

    def __str__(self) -> str:
        number = "" if self.number is None else f"line {self.number}: "
        line = "" if self.line is None else f"{_shortened(self.line)}: "
        found = "" if self.found is None else f", got {_shortened(self.found)}"
        return f"{number}{line}expected {self.expected}{found}"


def _shortened(text: str) -> str:
    """Quoted, with control characters escaped, and cut to a length that fits into one message."""
    return repr(text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…")
