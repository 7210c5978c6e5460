"""`SessionDescription` to text, in the order of RFC 8866 §5.

What is written is read back, and has to be the same description: so nothing leaves here that
`parse` would refuse or understand otherwise, and a value with a line end inside cannot add a line
of its own. There is no second set of checks to keep equal to the parser's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest

from sdp import lines, scan
from sdp.errors import SdpError
from sdp.grammar import build_attribute, build_candidate_value
from sdp.model import Candidate, Line, MediaDescription, SessionDescription
from sdp.parser import parse, parse_candidate


def build(description: SessionDescription) -> str:
    """Write a session description, each line with CRLF.

    Raises SdpError for values that cannot be written: with control characters, out of the grammar
    or out of bounds.
    """
    text = "".join(f"{_checked(line)}\r\n" for line in _session_lines(description))
    read_back = parse(text)
    if read_back != description:
        raise _difference(_parts(description), _parts(read_back))
    return text


def build_candidate(candidate: Candidate) -> str:
    """Write the `candidate` of a browser's `RTCIceCandidateInit`, with the prefix `candidate:`.

    Raises SdpError for values that cannot be written.
    """
    text = f"candidate:{build_candidate_value(candidate)}"
    read_back = parse_candidate(text)
    if read_back != candidate:
        raise _difference([candidate], [read_back])
    return text


def _session_lines(description: SessionDescription) -> Iterator[str]:
    yield f"v={lines.VERSION}"
    yield f"o={lines.build_origin(description.origin)}"
    yield f"s={description.session_name}"
    yield from _kept(description.other_lines, lines.OTHER_BEFORE)
    yield from _transport_lines(description)
    for timing in description.timings:
        yield f"t={lines.build_timing(timing)}"
        yield from (f"r={repeat}" for repeat in timing.repeats)
    yield from _kept(description.other_lines, lines.OTHER_AFTER)
    yield from _attribute_lines(description)
    for media in description.media:
        yield from _media_lines(media)


def _media_lines(media: MediaDescription) -> Iterator[str]:
    yield f"m={lines.build_media(media)}"
    yield from _kept(media.other_lines, lines.OTHER_BEFORE)
    yield from _transport_lines(media)
    yield from _kept(media.other_lines, lines.OTHER_AFTER)
    yield from _attribute_lines(media)


def _transport_lines(section: SessionDescription | MediaDescription) -> Iterator[str]:
    if section.connection is not None:
        yield f"c={lines.build_connection(section.connection)}"
    yield from (f"b={lines.build_bandwidth(bandwidth)}" for bandwidth in section.bandwidths)


def _attribute_lines(section: SessionDescription | MediaDescription) -> Iterator[str]:
    yield from (f"a={build_attribute(attribute)}" for attribute in section.attributes)


def _kept(other_lines: Iterable[Line], types: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{line.type}={line.value}" for line in other_lines if line.type in types)


def _checked(line: str) -> str:
    """The line, which is one line: reading back would name only a part of it."""
    try:
        return scan.line(line)
    except SdpError as error:
        raise error.at(line) from None


def _parts(description: SessionDescription) -> list[object]:
    """The description in pieces small enough to name in an error."""
    parts: list[object] = [replace(description, attributes=(), media=()), *description.attributes]
    for media in description.media:
        parts += [replace(media, attributes=()), *media.attributes]
    return parts


def _difference(given: Iterable[object], read_back: Iterable[object]) -> SdpError:
    """The error for the first part that reads back as something else."""
    differing = (repr(part) for part, read in zip_longest(given, read_back) if part != read)
    return SdpError("values that read back as they were written", next(differing))
