"""The certificate that the relay proves itself with, and fingerprints (RFC 8122, RFC 8827 §6.5).

WebRTC certificates are self-signed: nothing vouches for them but the fingerprint that the signaling
carried. Only this module knows `cryptography`.
"""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from .parameters import DtlsFingerprint

LIFETIME = datetime.timedelta(days=3650)
"""A relay keeps one certificate for as long as it runs, and runs for months."""

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha-512": hashes.SHA512(),
    "sha-384": hashes.SHA384(),
    "sha-256": hashes.SHA256(),
}
"""The hash functions that prove anything, the best first; RFC 8122 §5 allows older ones that do not."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A key pair on P-256 and the certificate that its owner signed."""

    key: ec.EllipticCurvePrivateKey
    x509: x509.Certificate

    @classmethod
    def generate(cls) -> Certificate:
        """A new certificate under a random name, which tells an observer nothing."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, secrets.token_hex(8))])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))  # for clocks that are behind
            .not_valid_after(now + LIFETIME)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def fingerprint(self) -> DtlsFingerprint:
        """The SHA-256 fingerprint, as descriptions carry it."""
        return DtlsFingerprint("sha-256", _hex_pairs(self.x509.fingerprint(hashes.SHA256())))


def matches(certificate: x509.Certificate, fingerprints: tuple[DtlsFingerprint, ...]) -> bool:
    """Whether a certificate has one of the fingerprints by the best hash among these (RFC 8122 §5): others
    prove nothing then. Unknown hashes never match."""
    offered: dict[str, list[bytes]] = {}
    for fingerprint in fingerprints:
        value = fingerprint.value.upper().encode(errors="replace")
        offered.setdefault(fingerprint.algorithm.lower(), []).append(value)
    best = next((name for name in HASHES if name in offered), None)
    if best is None:
        return False
    own = _hex_pairs(certificate.fingerprint(HASHES[best])).encode()
    return any(secrets.compare_digest(own, value) for value in offered[best])


def _hex_pairs(digest: bytes) -> str:
    return digest.hex(":").upper()
