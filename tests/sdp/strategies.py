"""Hypothesis strategies: descriptions that can be written, built from the grammar's own words."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

import sdp
from sdp.grammar import ONCE, PROPERTIES, ROWS

UNHURRIED = settings(deadline=None)
"""No time limit per example: how fast a shared machine is says nothing about the code."""

UINT32 = st.integers(0, 2**32 - 1)
UINT64 = st.integers(0, 2**64 - 1)
PORTS = st.integers(0, 65535)
PAYLOAD_TYPES = st.integers(0, 127)

TOKENS = st.text("!#$%&'*+-.^_`{|}~" + string.ascii_letters + string.digits, min_size=1, max_size=8)
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12)
WORDS = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters=" "), min_size=1, max_size=12
)
ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.uuids().map(lambda value: f"{value}.local"),
)
_OPTIONAL_TEXTS = st.none() | TEXTS


def ice_chars(low: int, high: int) -> st.SearchStrategy[str]:
    return st.text(string.ascii_letters + string.digits + "+/", min_size=low, max_size=high)


def _fingerprints() -> st.SearchStrategy[sdp.Fingerprint]:
    lengths = {"sha-1": 20, "sha-256": 32, "SHA-512": 64, "sha3-256": 5}
    return st.sampled_from(sorted(lengths)).flatmap(
        lambda name: st.builds(
            sdp.Fingerprint,
            st.just(name),
            st.binary(min_size=lengths[name], max_size=lengths[name]).map(
                lambda digest: digest.hex(":").upper()
            ),
        )
    )


def _ssrcs() -> st.SearchStrategy[sdp.Ssrc]:
    return st.builds(sdp.Ssrc, UINT32) | st.builds(sdp.Ssrc, UINT32, TOKENS, _OPTIONAL_TEXTS)


CANDIDATES = st.builds(
    sdp.Candidate,
    foundation=ice_chars(1, 32),
    component=st.integers(1, 256),
    transport=TOKENS,
    priority=UINT32,
    address=ADDRESSES,
    port=PORTS,
    type=TOKENS,
    related_address=st.none() | ADDRESSES,
    related_port=st.none() | PORTS,
    extensions=st.lists(
        st.tuples(
            WORDS.filter(lambda name: name not in ("raddr", "rport")),
            TEXTS.map(lambda text: text.replace(" ", "")),
        ),
        max_size=3,
    ).map(tuple),
)

_KNOWN_NAMES = PROPERTIES | {row.name for row in ROWS}

ATTRIBUTES = st.one_of(
    st.builds(sdp.Attribute, TOKENS.filter(lambda name: name not in _KNOWN_NAMES), _OPTIONAL_TEXTS),
    st.sampled_from(sorted(PROPERTIES - set(sdp.Direction))).map(sdp.Attribute),
    st.sampled_from(sdp.Direction),
    st.sampled_from(sdp.Setup),
    CANDIDATES,
    _fingerprints(),
    _ssrcs(),
    st.builds(sdp.Mid, TOKENS),
    st.builds(sdp.Group, TOKENS, st.lists(TOKENS, max_size=3).map(tuple)),
    st.builds(sdp.IceUfrag, ice_chars(4, 256)),
    st.builds(sdp.IcePwd, ice_chars(22, 256)),
    st.builds(sdp.IceOptions, st.lists(TOKENS, min_size=1, max_size=3).map(tuple)),
    st.builds(sdp.Msid, WORDS, st.none() | WORDS),
    st.builds(
        sdp.RtpMap,
        PAYLOAD_TYPES,
        TOKENS,
        st.integers(1, 2**32 - 1),
        st.none() | st.integers(1, 255),
    ),
    st.builds(sdp.FormatParameters, TOKENS, TEXTS),
    st.builds(sdp.RtcpFeedback, st.none() | PAYLOAD_TYPES, TOKENS, _OPTIONAL_TEXTS),
    st.builds(
        sdp.ExtMap,
        st.integers(1, 4351),
        WORDS,
        st.none() | st.sampled_from(sdp.Direction),
        _OPTIONAL_TEXTS,
    ),
)


def _without_repeats(
    attributes: list[sdp.AnyAttribute], mids: set[sdp.Mid]
) -> tuple[sdp.AnyAttribute, ...]:
    """Leaves out what a section, or a description, may have only once."""
    kept: list[sdp.AnyAttribute] = []
    seen: set[type[Any]] = set()
    for attribute in attributes:
        if type(attribute) in seen or attribute in mids:
            continue
        if isinstance(attribute, ONCE):
            seen.add(type(attribute))
        if isinstance(attribute, sdp.Mid):
            mids.add(attribute)
        kept.append(attribute)
    return tuple(kept)


def _other_lines(types: str) -> st.SearchStrategy[tuple[sdp.Line, ...]]:
    lines = st.lists(st.builds(sdp.Line, st.sampled_from(types), TEXTS), max_size=3)
    return lines.map(lambda found: tuple(sorted(found, key=lambda line: types.index(line.type))))


_CONNECTIONS = st.none() | st.builds(sdp.Connection, WORDS, TOKENS, TOKENS)
_BANDWIDTHS = st.lists(st.builds(sdp.Bandwidth, TOKENS, UINT64), max_size=2).map(tuple)


@st.composite
def _media(draw: st.DrawFn, mids: set[sdp.Mid]) -> sdp.MediaDescription:
    return sdp.MediaDescription(
        media=draw(st.sampled_from(["audio", "video", "application"]) | TOKENS),
        port=draw(PORTS),
        protocol=draw(st.sampled_from(["UDP/TLS/RTP/SAVPF", "UDP/DTLS/SCTP"]) | WORDS),
        formats=tuple(draw(st.lists(TOKENS, min_size=1, max_size=4))),
        attributes=_without_repeats(draw(st.lists(ATTRIBUTES, max_size=6)), mids),
        connection=draw(_CONNECTIONS),
        bandwidths=draw(_BANDWIDTHS),
        port_count=draw(st.none() | st.integers(1, 65535)),
        other_lines=draw(_other_lines("ik")),
    )


@st.composite
def descriptions(draw: st.DrawFn) -> sdp.SessionDescription:
    """Whole descriptions that `build` can write."""
    mids: set[sdp.Mid] = set()
    timing = st.builds(sdp.Timing, UINT64, UINT64, st.lists(TEXTS, max_size=2).map(tuple))
    return sdp.SessionDescription(
        origin=draw(st.builds(sdp.Origin, WORDS, UINT64, UINT64, WORDS, TOKENS, TOKENS)),
        session_name=draw(TEXTS),
        timings=tuple(draw(st.lists(timing, max_size=2))),
        attributes=_without_repeats(draw(st.lists(ATTRIBUTES, max_size=5)), mids),
        media=tuple(draw(st.lists(_media(mids), max_size=3))),
        connection=draw(_CONNECTIONS),
        bandwidths=draw(_BANDWIDTHS),
        other_lines=draw(_other_lines("iuepzk")),
    )
