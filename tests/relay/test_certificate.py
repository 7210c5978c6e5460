"""Certificates and their fingerprints; pyOpenSSL reads them as an independent judge."""

from __future__ import annotations

import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import crypto

from relay.certificate import Certificate, matches
from relay.parameters import DtlsFingerprint


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return Certificate.generate()


def digest(certificate: Certificate, name: str) -> str:
    """A fingerprint as OpenSSL writes it."""
    return crypto.X509.from_cryptography(certificate.x509).digest(name).decode()


def test_is_self_signed_on_p_256(certificate: Certificate) -> None:
    key = certificate.x509.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert key.public_numbers() == certificate.key.public_key().public_numbers()
    certificate.x509.verify_directly_issued_by(certificate.x509)


def test_is_valid_for_a_clock_a_little_behind_and_for_years(certificate: Certificate) -> None:
    now = datetime.datetime.now(datetime.UTC)
    assert certificate.x509.not_valid_before_utc < now - datetime.timedelta(hours=23)
    assert certificate.x509.not_valid_after_utc > now + datetime.timedelta(days=3600)


def test_no_two_are_alike(certificate: Certificate) -> None:
    other = Certificate.generate()
    assert other.fingerprint != certificate.fingerprint
    assert other.x509.subject != certificate.x509.subject
    assert other.x509.serial_number != certificate.x509.serial_number


def test_fingerprint_is_openssls(certificate: Certificate) -> None:
    expected = DtlsFingerprint("sha-256", digest(certificate, "sha256"))
    assert certificate.fingerprint == expected


@pytest.mark.parametrize("bits", ["256", "384", "512"])
@pytest.mark.parametrize("spelling", [str.upper, str.lower], ids=["upper", "lower"])
def test_matches_any_strong_hash_in_any_case(
    certificate: Certificate, bits: str, spelling: type[str]
) -> None:
    value = spelling(digest(certificate, f"sha{bits}"))
    assert matches(certificate.x509, (DtlsFingerprint(spelling(f"sha-{bits}"), value),))


def test_one_of_several_is_enough(certificate: Certificate) -> None:
    wrong = DtlsFingerprint("sha-256", ":".join(["00"] * 32))
    assert matches(certificate.x509, (wrong, certificate.fingerprint))
    assert not matches(certificate.x509, (wrong, wrong))


def test_only_the_best_hash_counts(certificate: Certificate) -> None:
    """RFC 8122 §5: of what is offered, the set of the most preferred hash function."""
    right = {bits: digest(certificate, f"sha{bits}") for bits in ("256", "512")}
    wrong = DtlsFingerprint("sha-512", ":".join(["00"] * 64))
    assert not matches(certificate.x509, (DtlsFingerprint("sha-256", right["256"]), wrong))
    both = tuple(DtlsFingerprint(f"sha-{bits}", value) for bits, value in right.items())
    assert matches(certificate.x509, (*both, wrong, DtlsFingerprint("sha-1", "AA")))


@pytest.mark.parametrize(
    "fingerprint",
    [
        DtlsFingerprint("sha-256", ""),
        DtlsFingerprint("sha-256", "AA"),
        DtlsFingerprint("sha-256", "ÄÖ:\udc80"),
        DtlsFingerprint("", ""),
        DtlsFingerprint("md2", "AA:BB"),
    ],
)
def test_nonsense_never_matches(certificate: Certificate, fingerprint: DtlsFingerprint) -> None:
    assert not matches(certificate.x509, (fingerprint,))


def test_no_fingerprint_never_matches(certificate: Certificate) -> None:
    assert not matches(certificate.x509, ())


def test_another_certificates_fingerprint_never_matches(certificate: Certificate) -> None:
    assert not matches(certificate.x509, (Certificate.generate().fingerprint,))


def test_a_broken_hash_never_matches(certificate: Certificate) -> None:
    """SHA-1 fingerprints can be made to fit (RFC 8122 §5)."""
    assert not matches(certificate.x509, (DtlsFingerprint("sha-1", digest(certificate, "sha1")),))
