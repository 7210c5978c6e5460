"""A DTLS peer that shares no code with `relay/dtls.py`: OpenSSL's own object, with its own timers."""

from __future__ import annotations

import time

from OpenSSL import SSL

from relay.certificate import Certificate

ALL_PROFILES = b"SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"


class OpenSslPeer:
    """One end of a handshake. The clock is the wall's: OpenSSL has no other.

    profiles: OpenSSL's names of SRTP profiles, None for no such extension. protocols: ALPN names, to make
    a ClientHello long. resumes: the peer of an earlier handshake whose session is offered again.
    """

    def __init__(
        self,
        certificate: Certificate,
        *,
        client: bool,
        profiles: bytes | None = ALL_PROFILES,
        mtu: int = 1200,
        protocols: list[bytes] | None = None,
        resumes: OpenSslPeer | None = None,
    ) -> None:
        if resumes is None:
            self._context = _context(certificate, profiles, protocols)
        else:
            self._context = resumes._context
        self.connection = SSL.Connection(self._context, None)
        self.connection.set_ciphertext_mtu(mtu)
        if resumes is not None:
            session = resumes.connection.get_session()
            assert session is not None
            self.connection.set_session(session)
        if client:
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()
        self.done = False
        self.closed = False
        """Whether a close_notify came."""
        self.error: SSL.Error | None = None
        if client:
            self._advance()

    def receive(self, datagram: bytes, now: float = 0.0) -> None:
        """Take a datagram, and do what it asks for."""
        self.connection.bio_write(datagram)
        self._advance()

    def datagrams(self) -> list[bytes]:
        """What is to be sent: one record each."""
        written = b""
        while True:
            try:
                written += self.connection.bio_read(1 << 16)
            except SSL.WantReadError:
                return split_records(written)

    def deadline(self) -> float | None:
        """None: on a virtual link the other end's timer has to do."""
        return None

    def handle_timeout(self, now: float) -> None:
        """Never due."""

    def wait_and_repeat(self) -> None:
        """Wait, on the wall's clock, until OpenSSL repeats its flight."""
        timeout = self.connection.DTLSv1_get_timeout()
        if timeout is not None:
            time.sleep(timeout)
            self.connection.DTLSv1_handle_timeout()

    def exported(self, length: int) -> bytes:
        """Keying material by DTLS-SRTP's label (RFC 5764 §4.2)."""
        return self.connection.export_keying_material(b"EXTRACTOR-dtls_srtp", length)

    def _advance(self) -> None:
        try:
            if self.done:
                self.connection.recv(1 << 14)
            else:
                self.connection.do_handshake()
                self.done = True
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error as error:
            self.error = error


def _context(
    certificate: Certificate, profiles: bytes | None, protocols: list[bytes] | None
) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.use_certificate(certificate.x509)
    context.use_privatekey(certificate.key)
    context.set_options(SSL.OP_NO_QUERY_MTU)
    if profiles is not None:
        context.set_tlsext_use_srtp(profiles)
    if protocols is not None:
        context.set_alpn_protos(protocols)
    return context


def split_records(data: bytes) -> list[bytes]:
    """The records in `data`, headers included (RFC 6347 §4.1)."""
    records = []
    while data:
        end = 13 + int.from_bytes(data[11:13], "big")
        records.append(data[:end])
        data = data[end:]
    return records


def handshake_types(datagrams: list[bytes]) -> list[int]:
    """The handshake message types (RFC 5246 §7.4) that start in plaintext records, in order."""
    types = []
    for record in [record for datagram in datagrams for record in split_records(datagram)]:
        epoch = int.from_bytes(record[3:5], "big")
        fragment_offset = int.from_bytes(record[19:22], "big")
        if record[0] == 22 and epoch == 0 and fragment_offset == 0:
            types.append(record[13])
    return types
