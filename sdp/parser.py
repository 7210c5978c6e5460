"""Text to `SessionDescription`.

The order that is asked for is `v=`, `o=`, `s=`, then the session's lines, then the media
sections. Inside a section the lines other than attributes may stand anywhere, as libwebrtc allows
too: applications put a `b=` after an `a=mid`. A missing `t=`, blank lines at the end and a
missing last line end are tolerated. One pass over the lines, each looked at a fixed number of
times.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sdp import lines, scan
from sdp.errors import SdpError
from sdp.grammar import ONCE, parse_attribute, parse_candidate_value
from sdp.model import (
    AnyAttribute,
    Bandwidth,
    Candidate,
    Connection,
    Line,
    MediaDescription,
    Mid,
    Origin,
    SessionDescription,
    Timing,
)

_SESSION_TYPES = ("i", "u", "e", "p", "c", "b", "t", "r", "z", "k", "a", "m")
_MEDIA_TYPES = ("i", "c", "b", "k", "a", "m")
_PREFIXES = ("candidate:", "a=candidate:")
_OTHER_TYPES = (*lines.OTHER_BEFORE, *lines.OTHER_AFTER)


def parse(text: str) -> SessionDescription:
    """Read a session description (RFC 8866), with lines that end in CRLF or LF.

    Raises SdpError, which names the line and what was expected there: for what is no description,
    for one out of bounds (`scan.MAX_TEXT_LENGTH`, `scan.MAX_LINES`, `scan.MAX_LINE_LENGTH`), for
    control characters, and for a malformed attribute of those that `sdp/grammar.py` knows.
    """
    reader = _Reader()
    for number, line in enumerate(_split(text), 1):
        try:
            reader.feed(scan.line(line))
        except SdpError as error:
            raise error.at(line, number) from None
    return reader.finish()


def parse_candidate(text: str) -> Candidate:
    """Read the `candidate` of a browser's `RTCIceCandidateInit`, with the prefix `candidate:`,
    `a=candidate:` or none. Raises SdpError; for the empty text, too, which stands for the end of
    candidates."""
    try:
        prefix = next((item for item in _PREFIXES if text.startswith(item)), "")
        return parse_candidate_value(scan.line(text)[len(prefix) :])
    except SdpError as error:
        raise error.at(text) from None


def _split(text: str) -> list[str]:
    """The lines without their ends and without the blank ones at the end of the text."""
    if len(text) > scan.MAX_TEXT_LENGTH:
        raise SdpError(f"at most {scan.MAX_TEXT_LENGTH} characters, not {len(text)}")
    split = [line.removesuffix("\r") for line in text.split("\n")]
    while split and not split[-1]:
        split.pop()
    if len(split) > scan.MAX_LINES:
        raise SdpError(f"at most {scan.MAX_LINES} lines, not {len(split)}")
    return split


class _Reader:
    """Takes one line after the other: the first three have a fixed type, a section has the rest."""

    def __init__(self) -> None:
        self._origin: Origin | None = None
        self._session_name: str | None = None
        self._seen_version = False
        self._session = _Section(_SESSION_TYPES)
        self._media: list[tuple[MediaDescription, _Section]] = []
        self._mids: set[Mid] = set()

    def feed(self, line: str) -> None:
        kind, equals, value = line[:1], line[1:2], line[2:]
        if equals != "=":
            raise SdpError("a letter, = and a value")
        if self._session_name is None:
            self._feed_head(kind, value)
        elif kind == "m":
            self._media.append((lines.parse_media(value), _Section(_MEDIA_TYPES)))
        else:
            self._feed_section(kind, value)

    def _feed_head(self, kind: str, value: str) -> None:
        if not self._seen_version:
            if (kind, value) != ("v", lines.VERSION):
                raise SdpError("v=0, with which every description starts")
            self._seen_version = True
        elif self._origin is None:
            if kind != "o":
                raise SdpError("an o= line after v=")
            self._origin = lines.parse_origin(value)
        elif kind != "s":
            raise SdpError("an s= line after o=")
        else:
            self._session_name = value

    def _feed_section(self, kind: str, value: str) -> None:
        section = self._media[-1][1] if self._media else self._session
        added = section.feed(kind, value)
        if isinstance(added, Mid):
            if added in self._mids:
                raise SdpError("a mid that no other media section has", added.value)
            self._mids.add(added)

    def finish(self) -> SessionDescription:
        if self._origin is None or self._session_name is None:
            raise SdpError("v=, o= and s= lines at the start")
        session = self._session
        return SessionDescription(
            origin=self._origin,
            session_name=self._session_name,
            timings=session.timings(),
            attributes=tuple(session.attributes),
            media=tuple(section.media(header) for header, section in self._media),
            connection=session.connection,
            bandwidths=tuple(session.bandwidths),
            other_lines=session.sorted_other_lines(),
        )


class _Section:
    """What has been read of the session part or of one media section."""

    def __init__(self, types: tuple[str, ...]) -> None:
        self._types = types
        self._once: set[type[Any]] = set()
        self._other: list[Line] = []
        self.attributes: list[AnyAttribute] = []
        self.bandwidths: list[Bandwidth] = []
        self._timings: list[tuple[Timing, list[str]]] = []
        self.connection: Connection | None = None

    def feed(self, kind: str, value: str) -> AnyAttribute | None:
        """Take one line; returns its attribute, if it is one."""
        if kind not in self._types:
            raise SdpError(f"a line of type {', '.join(self._types)} here", kind)
        if kind == "a":
            return self._feed_attribute(value)
        if kind == "c":
            if self.connection is not None:
                raise SdpError("one c= line in a section")
            self.connection = lines.parse_connection(value)
        elif kind == "b":
            self.bandwidths.append(lines.parse_bandwidth(value))
        elif kind == "t":
            self._timings.append((lines.parse_timing(value), []))
        elif kind == "r":
            if not self._timings:
                raise SdpError("a t= line before r=")
            self._timings[-1][1].append(value)
        else:
            self._other.append(Line(kind, value))
        return None

    def _feed_attribute(self, value: str) -> AnyAttribute:
        attribute = parse_attribute(value)
        kind = type(attribute)
        if kind in self._once:
            raise SdpError(f"one {kind.__name__} attribute in a section", value)
        if kind in ONCE:
            self._once.add(kind)
        self.attributes.append(attribute)
        return attribute

    def timings(self) -> tuple[Timing, ...]:
        """The `t=` lines, each with its `r=` lines."""
        return tuple(replace(timing, repeats=tuple(rows)) for timing, rows in self._timings)

    def sorted_other_lines(self) -> tuple[Line, ...]:
        """The kept lines in the order in which they are written."""
        return tuple(sorted(self._other, key=lambda line: _OTHER_TYPES.index(line.type)))

    def media(self, header: MediaDescription) -> MediaDescription:
        """The whole media section, from its m-line."""
        return replace(
            header,
            attributes=tuple(self.attributes),
            connection=self.connection,
            bandwidths=tuple(self.bandwidths),
            other_lines=self.sorted_other_lines(),
        )
