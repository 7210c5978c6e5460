"""DTLS input to one end of a handshake that is in progress.

The other end is OpenSSL's own. What it sends is delivered, changed, cut, doubled, put off or left out as
the course says, and datagrams of the input's own come in between.
"""

from __future__ import annotations

from relay.certificate import Certificate
from relay.dtls import DtlsContext, DtlsEndpoint, DtlsFailure
from relay.parameters import DtlsRole
from relay.srtp import SrtpKeys
from tests.fuzz.course import Reader, Step, join, split
from tests.fuzz.target import Target, require
from tests.relay.openssl import OpenSslPeer

_OURS, _THEIRS, _STRANGER = (Certificate.generate() for _ in range(3))
_CONTEXT = DtlsContext(_OURS)

MAX_ANSWER = 16
"""Datagrams at most that one datagram makes us send: a flight and an alert."""

BEGIN, DELIVER, CHANGE, RAW, WAIT, REPEAT, SKIP, CUT = range(8)
"""Operations. BEGIN's argument: a byte whose bits choose roles and the peer."""


class _Handshake:
    def __init__(self, choice: int) -> None:
        role = DtlsRole.CLIENT if choice & 1 else DtlsRole.SERVER
        certificate = _STRANGER if choice & 2 else _THEIRS
        self.ours = DtlsEndpoint(_CONTEXT, role, (_THEIRS.fingerprint,))
        self.theirs = OpenSslPeer(
            certificate,
            client=role is DtlsRole.SERVER,
            profiles=None if choice & 4 else b"SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80",
            mtu=300 if choice & 8 else 1200,
            protocols=[b"x" * 200] * 6 if choice & 16 else None,
        )
        self.now = 0.0
        self.sent: list[bytes] = []
        self.coming: list[bytes] = []
        self.tampered = False
        self.ours.start(self.now)
        self._exchange()

    def take(self, step: Step) -> None:
        operation, argument = step[0] % 8, Reader(step[1])
        if operation == RAW:
            self._receive(argument.rest())
        elif operation == WAIT:
            self.now += argument.byte() / 16
            self.ours.handle_timeout(self.now)
        elif operation == REPEAT and self.sent:
            self._receive(self.sent[argument.byte() % len(self.sent)])
        elif self.coming:
            self._deliver(operation, argument)
        self._exchange()
        self._check()

    def _deliver(self, operation: int, argument: Reader) -> None:
        datagram = bytearray(self.coming.pop(0))
        self.sent.append(bytes(datagram))
        if operation == SKIP:
            return
        if operation == CHANGE:
            while datagram and (change := argument.take(3)):
                datagram[int.from_bytes(change[:2], "big") % len(datagram)] ^= change[-1]
        elif operation == CUT:
            datagram = datagram[: argument.number(2) % (len(datagram) + 1)] + argument.rest()
        self._receive(bytes(datagram))

    def _receive(self, datagram: bytes) -> None:
        self.ours.receive(datagram, self.now)

    def _exchange(self) -> None:
        answer = self.ours.datagrams()
        require(len(answer) <= MAX_ANSWER, "an answer is bounded")
        for datagram in answer:
            require(len(datagram) <= 1200, "datagrams fit every path")
            self.theirs.receive(datagram)
        self.coming += self.theirs.datagrams()

    def _check(self) -> None:
        ours = self.ours
        if ours.outcome is not None:
            require(ours.deadline() is None, "nothing is waited for when it is over")
            require(ours._connection is None, "OpenSSL's object goes when it is over")
        if isinstance(ours.outcome, SrtpKeys) and self.theirs.done:
            length = len(ours.outcome.local)
            material = self.theirs.exported(2 * length)
            require(ours.outcome.local[:16] in material, "both ends have the same keys")


def run(data: bytes) -> None:
    """The first step tells who takes part."""
    steps = split(data)
    choice = Reader(steps[0][1]).byte() if steps else 0
    handshake = _Handshake(choice)
    for step in steps[1:]:
        handshake.take(step)
    if choice & 2:
        outcome = handshake.ours.outcome
        require(outcome is None or isinstance(outcome, DtlsFailure), "a stranger gets no keys")


def seeds() -> list[bytes]:
    """Whole handshakes in both roles, with and without loss, and a few that must fail."""
    all_of_it: list[Step] = [(DELIVER, b"")] * 12
    courses: list[list[Step]] = [
        [(BEGIN, bytes((choice,))), *all_of_it] for choice in (0, 1, 2, 3, 4, 8, 16, 24)
    ]
    for choice in (0, 1):
        begin: Step = (BEGIN, bytes((choice,)))
        lost: list[Step] = [(SKIP, b""), (WAIT, b"\x40"), (REPEAT, b"\0"), *all_of_it]
        courses.append([begin, *lost])
        courses.append([begin, *all_of_it, (REPEAT, b"\3"), (REPEAT, b"\0"), (WAIT, b"\xff")])
        courses.append([begin, (DELIVER, b""), (CHANGE, b"\x00\x0d\x01"), *all_of_it])
        courses.append([begin, (CUT, b"\x00\x14"), *all_of_it])
        alert = bytes.fromhex("15fefd000000000000000000020228")
        courses.append([begin, (DELIVER, b""), (RAW, alert), *all_of_it])
        courses.append([begin, (RAW, bytes.fromhex("16fefd0000000000000000000c") + bytes(12))])
    return [join(steps) for steps in courses]


TARGET = Target(run, seeds, max_length=6000, course=True)
