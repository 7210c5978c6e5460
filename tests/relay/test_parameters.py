"""The parameters that the rest of the system leans on."""

from __future__ import annotations

import dataclasses

import pytest

from relay.parameters import (
    HEADER_EXTENSIONS,
    OPUS_CLOCK_RATE,
    OPUS_PAYLOAD_TYPE,
    DtlsFingerprint,
    DtlsRole,
    IceCandidate,
    IceParameters,
    RtpSource,
    TransportParameters,
)

ICE = IceParameters("abcd", "p" * 22)
FINGERPRINT = DtlsFingerprint("sha-256", "AA:BB")


def test_opus_is_what_rfc_7587_says() -> None:
    assert OPUS_CLOCK_RATE == 48_000
    assert 96 <= OPUS_PAYLOAD_TYPE <= 127  # dynamic, and no RTCP type with the marker (RFC 5761 §4)


def test_header_extension_ids_fit_one_byte_elements() -> None:
    assert all(1 <= identifier <= 14 for identifier in HEADER_EXTENSIONS)
    assert len(set(HEADER_EXTENSIONS.values())) == len(HEADER_EXTENSIONS)


def test_an_offer_leaves_the_role_open_and_has_no_candidates_yet() -> None:
    offer = TransportParameters(ICE, (FINGERPRINT,))
    assert offer.role is DtlsRole.AUTO
    assert offer.candidates == ()
    assert not offer.end_of_candidates


def test_a_host_candidate_has_no_related_address() -> None:
    candidate = IceCandidate("1", 1, "udp", 1, "192.0.2.1", 9, "host")
    assert (candidate.related_address, candidate.related_port, candidate.tcp_type) == (None,) * 3


@pytest.mark.parametrize(
    "parameters",
    [ICE, FINGERPRINT, RtpSource(1, "name"), TransportParameters(ICE, (FINGERPRINT,))],
    ids=lambda parameters: type(parameters).__name__,
)
def test_parameters_are_values(parameters: object) -> None:
    assert hash(parameters) == hash(dataclasses.replace(parameters))  # type: ignore[type-var]
    name = dataclasses.fields(parameters)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(parameters, name, None)
