"""The DTLS handshake of one connection (RFC 6347), which agrees on SRTP keys (RFC 5764).

Sans-I/O: datagrams go in by `receive`, come out of `datagrams`, and the clock is an argument. Only
this module knows OpenSSL. The endpoint lives for one handshake; it is over when `outcome` is set:

    outcome         meaning
    None            going on; call `handle_timeout` when `deadline` has passed
    SrtpKeys        done, and the other end's certificate has the fingerprint that was signaled
    DtlsFailure     OpenSSL refused, or the fingerprint is a stranger's

OpenSSL's object holds some 80 KiB and goes as soon as there is an outcome. What may still be needed of
it is kept as bytes: the last flight, since the other end repeats its own until ours arrives, and the
alert that says goodbye.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from OpenSSL import SSL

from .certificate import Certificate, matches
from .parameters import DtlsFingerprint, DtlsRole
from .srtp import PROFILES, PROFILES_BY_NAME, SrtpKeys, SrtpProfile
from .stats import DropReason

MTU = 1200
"""Largest datagram that we send, in bytes: what passes IPv6's minimum with tunnels to spare."""

INITIAL_TIMEOUT = 0.4
"""Seconds until a flight is sent again the first time. RFC 6347 §4.2.4.1 says one second, for paths
that nobody has measured; ICE has just measured this one, and RFC 9147 §5.8.2 allows less then."""

MAX_TIMEOUT = 6.4

MIN_REPEAT_INTERVAL = 0.1
"""Seconds between two last flights that are sent because the other end repeats its own."""

CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256"
    b":ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
)
"""Forward secrecy and AEAD only; every browser has the first (RFC 8827 §6.5)."""

_EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"
_DTLS_1_2 = 0xFEFD
_RECORD_HEADER_LENGTH = 13
_CHANGE_CIPHER_SPEC, _HANDSHAKE = 20, 22
_READ_SIZE = 1 << 16


@dataclass(frozen=True, slots=True)
class DtlsFailure:
    """Why there are no keys. reason: for a log, in OpenSSL's words or ours."""

    reason: str


class DtlsContext:
    """What all handshakes under one certificate share; making one costs as much as a handshake step."""

    def __init__(self, certificate: Certificate) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_max_proto_version(_DTLS_1_2)
        # No resumption in any form: a resumed handshake shows no certificate.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(
            SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_NO_QUERY_MTU
        )
        context.set_cipher_list(CIPHERS)
        # Nobody signs these certificates; the fingerprint is compared when the handshake is done.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept)
        context.use_certificate(certificate.x509)
        context.use_privatekey(certificate.key)
        context.set_tlsext_use_srtp(":".join(profile.name for profile in PROFILES).encode())
        self._context = context

    def connection(self, role: DtlsRole) -> SSL.Connection:
        """An OpenSSL object in memory, for `DtlsRole.CLIENT` or `SERVER`."""
        connection = SSL.Connection(self._context, None)
        connection.set_ciphertext_mtu(MTU)
        if role is DtlsRole.CLIENT:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        return connection


class DtlsEndpoint:
    """Our end of one handshake.

    role: CLIENT speaks first, SERVER waits. fingerprints: what the other end said of its certificate.
    """

    def __init__(
        self, context: DtlsContext, role: DtlsRole, fingerprints: tuple[DtlsFingerprint, ...]
    ) -> None:
        self.role = role
        self.outcome: SrtpKeys | DtlsFailure | None = None
        self._fingerprints = fingerprints
        self._connection: SSL.Connection | None = context.connection(role)
        self._outbox: list[bytes] = []
        self._flight: list[bytes] = []
        self._goodbye: list[bytes] = []
        self._records = 0
        self._timeout = INITIAL_TIMEOUT
        self._deadline: float | None = None
        self._repeat_after = -math.inf

    def start(self, now: float) -> None:
        """Begin. now: seconds on any steady clock, the same at every call."""
        if self.role is DtlsRole.CLIENT:
            self._advance(now)

    def receive(self, datagram: bytes, now: float) -> DropReason | None:
        """Take a datagram from the other end; tells why, when it was of no use."""
        types = _record_types(datagram)
        if types is None:
            return DropReason.DTLS_MALFORMED
        if self._connection is not None:
            self._connection.bio_write(datagram)
            self._advance(now)
            return None
        repeats = not types.isdisjoint((_CHANGE_CIPHER_SPEC, _HANDSHAKE))
        if self.role is DtlsRole.SERVER and repeats and now >= self._repeat_after:
            # The other end repeats its last flight, so ours was lost (RFC 6347 §4.2.4). Its datagrams come
            # together, and anybody can write its address on some: one answer to all of them is enough.
            self._repeat_after = now + MIN_REPEAT_INTERVAL
            self._repeat_flight()
            return None
        return DropReason.DTLS_UNEXPECTED

    def datagrams(self) -> list[bytes]:
        """What is to be sent now, in order; each call gives what the one before did not."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def deadline(self) -> float | None:
        """When `handle_timeout` is due; None while nothing waits for an answer."""
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        """Send the last flight again, if its time has come (RFC 6347 §4.2.4.1)."""
        if self._deadline is None or now < self._deadline or self._connection is None:
            return
        self._timeout = min(self._timeout * 2, MAX_TIMEOUT)
        self._deadline = now + self._timeout
        # OpenSSL would repeat only when its own clock agrees, which begins at one second.
        self._repeat_flight()

    def goodbye(self) -> list[bytes]:
        """The close_notify alert of a finished handshake, to be sent when the connection closes."""
        return self._goodbye

    def _advance(self, now: float) -> None:
        """Let OpenSSL work on what arrived."""
        assert self._connection is not None
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            done = False
        except SSL.Error as error:
            self._fail(_describe(error))
            return
        else:
            done = True
        flight = self._drain()
        if flight:
            self._flight = flight
            self._outbox += flight
            self._timeout = INITIAL_TIMEOUT
            self._deadline = now + self._timeout
        if done:
            self._finish()

    def _repeat_flight(self) -> None:
        self._outbox += [self._number(datagram) for datagram in self._flight]

    def _finish(self) -> None:
        connection = self._connection
        assert connection is not None
        certificate = connection.get_peer_certificate(as_cryptography=True)
        profile = PROFILES_BY_NAME.get(connection.get_selected_srtp_profile().decode())
        if certificate is None or not matches(certificate, self._fingerprints):
            self._refuse("the certificate has another fingerprint than was signaled")
        elif profile is None:
            self._refuse("no SRTP profile in common")
        else:
            self.outcome = _export(connection, profile, self.role)
            connection.shutdown()
            self._goodbye = self._drain()
            self._release()

    def _refuse(self, reason: str) -> None:
        assert self._connection is not None
        self._connection.shutdown()  # OpenSSL is content, so it has no alert of its own to send
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        self.outcome = DtlsFailure(reason)
        self._outbox += self._drain()  # OpenSSL's alert, which tells the other end why
        self._release()

    def _release(self) -> None:
        self._connection = None
        self._deadline = None

    def _drain(self) -> list[bytes]:
        """What OpenSSL wrote, as datagrams. Its memory forgets where one ended, so records are put
        together anew, as many as fit into one."""
        assert self._connection is not None
        written = b""
        while True:
            try:
                written += self._connection.bio_read(_READ_SIZE)
            except SSL.WantReadError:
                return [self._number(datagram) for datagram in _pack(written)]

    def _number(self, datagram: bytes) -> bytes:
        """Count the records of epoch 0 ourselves, which nothing protects, so that a repeated record has
        a new number, as RFC 6347 §4.2.4 wants it: the same one would be dropped as a replay, also where
        the other end had to forget the first (a ChangeCipherSpec that came too early)."""
        numbered = bytearray(datagram)
        position = 0
        for length in _record_lengths(datagram) or ():
            if numbered[position + 3 : position + 5] == b"\0\0":
                numbered[position + 5 : position + 11] = self._records.to_bytes(6, "big")
                self._records += 1
            position += length
        return bytes(numbered)


def _accept(*_: object) -> bool:
    return True


def _describe(error: SSL.Error) -> str:
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(reason[-1]) for reason in reasons) or type(error).__name__


def _export(connection: SSL.Connection, profile: SrtpProfile, role: DtlsRole) -> SrtpKeys:
    """Cut the exported material: both keys, then both salts, the client's first (RFC 5764 §4.2)."""
    key, salt = profile.key_length, profile.salt_length
    material = connection.export_keying_material(_EXPORTER_LABEL, 2 * (key + salt))
    client = material[:key] + material[2 * key : 2 * key + salt]
    server = material[key : 2 * key] + material[2 * key + salt :]
    if role is DtlsRole.CLIENT:
        return SrtpKeys(profile, local=client, remote=server)
    return SrtpKeys(profile, local=server, remote=client)


def _record_lengths(data: bytes) -> list[int] | None:
    """The lengths of the records in `data`, headers included; None unless they fill it exactly."""
    lengths = []
    position = 0
    while position < len(data):
        if position + _RECORD_HEADER_LENGTH > len(data):
            return None
        body = int.from_bytes(data[position + 11 : position + 13], "big")
        lengths.append(_RECORD_HEADER_LENGTH + body)
        position += lengths[-1]
    return lengths if position == len(data) else None


def _record_types(datagram: bytes) -> set[int] | None:
    """The content types of a datagram's records; None when it is not made of whole records."""
    lengths = _record_lengths(datagram)
    if not lengths:
        return None
    types = set()
    position = 0
    for length in lengths:
        types.add(datagram[position])
        position += length
    return types


def _pack(written: bytes) -> list[bytes]:
    datagrams: list[bytes] = []
    position = 0
    for length in _record_lengths(written) or ():
        record = written[position : position + length]
        position += length
        if datagrams and len(datagrams[-1]) + length <= MTU:
            datagrams[-1] += record
        else:
            datagrams.append(record)
    return datagrams
