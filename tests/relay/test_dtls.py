"""DTLS handshakes over a virtual link, and with an OpenSSL peer of its own mind."""

from __future__ import annotations

from collections.abc import Callable

import pylibsrtp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay import dtls
from relay.certificate import HASHES, Certificate
from relay.dtls import DtlsContext, DtlsEndpoint, DtlsFailure
from relay.parameters import DtlsFingerprint, DtlsRole
from relay.srtp import PROFILES, SrtpKeys, SrtpProfile
from relay.stats import DropReason
from tests.virtual import PERFECT, Chance, Link, Plan

from .openssl import OpenSslPeer, handshake_types, split_records

OURS = Certificate.generate()
THEIRS = Certificate.generate()
CONTEXT = DtlsContext(OURS)
PEER_CONTEXT = DtlsContext(THEIRS)

SMALL_MTU = 256
"""Bytes; cuts the handshake into eight datagrams, where 1200 make four."""

STRANGER = Certificate.generate().fingerprint

Settled = Callable[[], bool]


def endpoints(
    client_expects: DtlsFingerprint = OURS.fingerprint,
    server_expects: DtlsFingerprint = THEIRS.fingerprint,
) -> tuple[DtlsEndpoint, DtlsEndpoint]:
    """A started client, under THEIRS, and a server, under OURS."""
    client = DtlsEndpoint(PEER_CONTEXT, DtlsRole.CLIENT, (client_expects,))
    server = DtlsEndpoint(CONTEXT, DtlsRole.SERVER, (server_expects,))
    client.start(0.0)
    server.start(0.0)
    return client, server


def both_settled(client: DtlsEndpoint, server: DtlsEndpoint) -> Settled:
    return lambda: client.outcome is not None and server.outcome is not None


def assert_equal_keys(client: DtlsEndpoint, server: DtlsEndpoint) -> None:
    assert isinstance(client.outcome, SrtpKeys)
    assert isinstance(server.outcome, SrtpKeys)
    assert client.outcome.profile == server.outcome.profile
    assert client.outcome.local == server.outcome.remote
    assert client.outcome.remote == server.outcome.local
    assert client.outcome.local != client.outcome.remote


def handshake(plan: Plan) -> Link:
    """Run a handshake of two endpoints and check that it completed."""
    client, server = endpoints()
    link = Link(client, server, plan)
    assert link.run(both_settled(client, server)), "both ends fell silent"
    assert_equal_keys(client, server)
    return link


def length_of_handshake() -> int:
    return len(handshake(PERFECT).sent)


@pytest.fixture(params=[dtls.MTU, SMALL_MTU])
def mtu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Each largest datagram in turn."""
    monkeypatch.setattr(dtls, "MTU", request.param)
    return int(request.param)


@pytest.fixture
def small_mtu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handshakes of many datagrams."""
    monkeypatch.setattr(dtls, "MTU", SMALL_MTU)


class TestLossyLink:
    def test_without_loss(self, mtu: int) -> None:
        link = handshake(PERFECT)
        assert link.now == 0.0
        assert len(link.sent) == (8 if mtu == SMALL_MTU else 4)
        assert all(len(datagram) <= mtu for _, datagram in link.sent)

    def test_each_datagram_lost(self, mtu: int) -> None:
        for index in range(length_of_handshake()):
            link = handshake(Plan(dropped={index}))
            assert link.now == pytest.approx(dtls.INITIAL_TIMEOUT)

    def test_each_datagram_duplicated(self, mtu: int) -> None:
        for index in range(length_of_handshake()):
            assert handshake(Plan(duplicated={index})).now == 0.0

    def test_every_pair_swapped(self, mtu: int) -> None:
        length = length_of_handshake()
        for first in range(length):
            for second in range(first + 1, length):
                handshake(Plan(delayed={first: second}))

    def test_every_pair_lost(self, small_mtu: None) -> None:
        length = length_of_handshake()
        for first in range(length):
            for second in range(first + 1, length + 2):
                handshake(Plan(dropped={first, second}))

    @pytest.mark.parametrize("seed", range(50))
    def test_heavy_weather(self, seed: int, small_mtu: None) -> None:
        handshake(Chance(seed, probability=0.3, limit=60).plan())


class TestTimeouts:
    def test_backs_off(self) -> None:
        client, _ = endpoints()
        (hello,) = client.datagrams()
        now, waits = 0.0, []
        for _ in range(7):
            deadline = client.deadline()
            assert deadline is not None
            waits.append(deadline - now)
            now = deadline
            client.handle_timeout(now)
            assert body(*client.datagrams()) == body(hello)
        assert waits == pytest.approx([0.4, 0.8, 1.6, 3.2, 6.4, 6.4, 6.4])

    def test_does_nothing_early(self) -> None:
        client, _ = endpoints()
        client.datagrams()
        client.handle_timeout(dtls.INITIAL_TIMEOUT - 0.001)
        assert client.datagrams() == []
        assert client.deadline() == dtls.INITIAL_TIMEOUT

    def test_a_server_waits_without_a_deadline(self) -> None:
        _, server = endpoints()
        assert server.deadline() is None
        assert server.datagrams() == []

    def test_an_answer_resets_the_back_off(self) -> None:
        client, server = endpoints()
        link = Link(client, server, Plan(dropped={0, 1}))
        link.run(lambda: client.outcome is not None)
        assert link.now == pytest.approx(0.4 + 0.8)
        assert client.deadline() is None
        assert server.deadline() is None
        client.handle_timeout(100.0)
        assert client.datagrams() == []

    def test_repeats_under_new_record_numbers(self) -> None:
        client, server = endpoints()
        (hello,) = client.datagrams()
        client.handle_timeout(dtls.INITIAL_TIMEOUT)
        (again,) = client.datagrams()
        assert record_number(again) == record_number(hello) + 1
        assert body(again) == body(hello)
        assert server.receive(again, 0.0) is None
        assert server.datagrams()


class TestFingerprint:
    @pytest.mark.parametrize(
        ("wrong", "expectations"),
        [
            (0, {"client_expects": STRANGER}),
            (1, {"server_expects": STRANGER}),
            (0, {"client_expects": DtlsFingerprint("sha-1", OURS.fingerprint.value)}),
            (1, {"server_expects": DtlsFingerprint("sha-256", "")}),
        ],
    )
    @pytest.mark.parametrize("dropped", [frozenset(), frozenset({1}), frozenset({2})])
    def test_a_wrong_one_never_gets_a_key(
        self, wrong: int, expectations: dict[str, DtlsFingerprint], dropped: frozenset[int]
    ) -> None:
        pair = endpoints(**expectations)
        checking = pair[wrong]
        link = Link(*pair, Plan(dropped=dropped))

        def watch() -> None:
            assert not isinstance(checking.outcome, SrtpKeys)

        assert link.run(lambda: checking.outcome is not None, watch=watch)
        assert isinstance(checking.outcome, DtlsFailure)
        assert "fingerprint" in checking.outcome.reason
        assert checking.deadline() is None

    def test_none_never_gets_a_key(self) -> None:
        client = DtlsEndpoint(PEER_CONTEXT, DtlsRole.CLIENT, ())
        _, server = endpoints()
        client.start(0.0)
        Link(client, server).run(lambda: client.outcome is not None)
        assert isinstance(client.outcome, DtlsFailure)

    @pytest.mark.parametrize("algorithm", ["sha-256", "SHA-384", "sha-512"])
    def test_one_of_many_is_enough(self, algorithm: str) -> None:
        value = THEIRS.x509.fingerprint(HASHES[algorithm.lower()]).hex(":")  # lower case, too
        client, _ = endpoints()
        server = DtlsEndpoint(
            CONTEXT, DtlsRole.SERVER, (STRANGER, DtlsFingerprint(algorithm, value))
        )
        Link(client, server).run(both_settled(client, server))
        assert_equal_keys(client, server)

    @pytest.mark.parametrize("role", [DtlsRole.CLIENT, DtlsRole.SERVER])
    def test_the_stranger_is_told(self, role: DtlsRole) -> None:
        ours = DtlsEndpoint(CONTEXT, role, (STRANGER,))
        peer = OpenSslPeer(THEIRS, client=role is DtlsRole.SERVER)
        ours.start(0.0)
        Link(ours, peer).run(lambda: isinstance(ours.outcome, DtlsFailure))
        assert peer.closed or peer.error is not None


class TestIndependentPeer:
    """OpenSSL's own object at the other end, which shares nothing of ours."""

    @pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
    @pytest.mark.parametrize("role", [DtlsRole.CLIENT, DtlsRole.SERVER])
    def test_each_profile_alone(self, role: DtlsRole, profile: SrtpProfile) -> None:
        ours = DtlsEndpoint(CONTEXT, role, (THEIRS.fingerprint,))
        peer = OpenSslPeer(THEIRS, client=role is DtlsRole.SERVER, profiles=profile.name.encode())
        ours.start(0.0)
        assert Link(ours, peer).run(lambda: ours.outcome is not None and peer.done)
        assert isinstance(ours.outcome, SrtpKeys)
        assert ours.outcome.profile == profile
        sending = self._session_of(peer, profile, outbound=True, client=role is DtlsRole.SERVER)
        packet = b"\x80\x6f\x00\x01\x00\x00\x03\xc0\x00\x00\x00\x07sound"
        receiving = pylibsrtp.Session(
            pylibsrtp.Policy(
                ours.outcome.remote, pylibsrtp.Policy.SSRC_ANY_INBOUND, 0, profile.identifier
            )
        )
        assert receiving.unprotect(sending.protect(packet)) == packet
        receiving = self._session_of(peer, profile, outbound=False, client=role is DtlsRole.SERVER)
        sending = pylibsrtp.Session(
            pylibsrtp.Policy(
                ours.outcome.local, pylibsrtp.Policy.SSRC_ANY_OUTBOUND, 0, profile.identifier
            )
        )
        assert receiving.unprotect(sending.protect(packet)) == packet

    @staticmethod
    def _session_of(
        peer: OpenSslPeer, profile: SrtpProfile, *, outbound: bool, client: bool
    ) -> pylibsrtp.Session:
        """The peer's SRTP session: client key, server key, client salt, server salt (RFC 5764 §4.2)."""
        key, salt = profile.key_length, profile.salt_length
        material = peer.exported(2 * (key + salt))
        turn = 0 if outbound == client else 1
        keys = material[: 2 * key][turn * key :][:key]
        salts = material[2 * key :][turn * salt :][:salt]
        direction = (
            pylibsrtp.Policy.SSRC_ANY_OUTBOUND if outbound else pylibsrtp.Policy.SSRC_ANY_INBOUND
        )
        return pylibsrtp.Session(pylibsrtp.Policy(keys + salts, direction, 0, profile.identifier))

    def test_our_order_decides_when_we_are_the_server(self) -> None:
        server = DtlsEndpoint(CONTEXT, DtlsRole.SERVER, (THEIRS.fingerprint,))
        backwards = b":".join(profile.name.encode() for profile in reversed(PROFILES))
        peer = OpenSslPeer(THEIRS, client=True, profiles=backwards)
        Link(server, peer).run(lambda: server.outcome is not None)
        assert isinstance(server.outcome, SrtpKeys)
        assert server.outcome.profile == PROFILES[0]

    @pytest.mark.parametrize("role", [DtlsRole.CLIENT, DtlsRole.SERVER])
    @pytest.mark.parametrize("profiles", [None, b"SRTP_AES128_CM_SHA1_32"])
    def test_no_profile_in_common(self, role: DtlsRole, profiles: bytes | None) -> None:
        ours = DtlsEndpoint(CONTEXT, role, (THEIRS.fingerprint,))
        peer = OpenSslPeer(THEIRS, client=role is DtlsRole.SERVER, profiles=profiles)
        ours.start(0.0)
        Link(ours, peer).run(lambda: ours.outcome is not None)
        assert isinstance(ours.outcome, DtlsFailure)
        assert "profile" in ours.outcome.reason

    @pytest.mark.parametrize("role", [DtlsRole.CLIENT, DtlsRole.SERVER])
    def test_goodbye_is_a_close_notify(self, role: DtlsRole) -> None:
        ours = DtlsEndpoint(CONTEXT, role, (THEIRS.fingerprint,))
        peer = OpenSslPeer(THEIRS, client=role is DtlsRole.SERVER)
        ours.start(0.0)
        assert ours.goodbye() == []
        Link(ours, peer).run(lambda: ours.outcome is not None and peer.done)
        assert not peer.closed
        (alert,) = ours.goodbye()
        peer.receive(alert)
        assert peer.closed
        assert peer.error is None

    def test_its_own_timer_repairs_a_lost_flight(self) -> None:
        server = DtlsEndpoint(CONTEXT, DtlsRole.SERVER, (THEIRS.fingerprint,))
        peer = OpenSslPeer(THEIRS, client=True)
        peer.datagrams()  # the ClientHello is lost
        peer.wait_and_repeat()
        assert Link(server, peer).run(lambda: server.outcome is not None and peer.done)
        assert isinstance(server.outcome, SrtpKeys)

    def test_last_flight_is_repeated_when_the_handshake_is_over(self) -> None:
        server = DtlsEndpoint(CONTEXT, DtlsRole.SERVER, (THEIRS.fingerprint,))
        peer = OpenSslPeer(THEIRS, client=True)
        Link(server, peer, Plan(dropped={len_before_last_flight()})).run(
            lambda: server.outcome is not None
        )
        assert isinstance(server.outcome, SrtpKeys)
        assert not peer.done
        flights = []
        for turn in range(2):  # once more than needed: it is repeated as often as it is asked for
            peer.wait_and_repeat()
            repeated = peer.datagrams()
            assert len(repeated) > 1
            for datagram in repeated:
                server.receive(datagram, float(turn))
            flights.append(server.datagrams())
        assert [len(flight) for flight in flights] == [1, 1]  # for what came together, once
        for datagram in flights[1]:
            peer.receive(datagram)
        assert peer.done
        assert peer.error is None

    def test_no_resumption(self) -> None:
        context = DtlsContext(OURS)
        first = OpenSslPeer(THEIRS, client=True)
        server = DtlsEndpoint(context, DtlsRole.SERVER, (THEIRS.fingerprint,))
        Link(server, first).run(lambda: server.outcome is not None and first.done)
        second = OpenSslPeer(THEIRS, client=True, resumes=first)
        server = DtlsEndpoint(context, DtlsRole.SERVER, (THEIRS.fingerprint,))
        link = Link(server, second)
        link.run(lambda: server.outcome is not None and second.done)
        from_server = [datagram for sender, datagram in link.sent if sender == 0]
        # ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone; neither a
        # NewSessionTicket (4) nor the abbreviated handshake, which has no Certificate (11).
        assert handshake_types(from_server) == [2, 11, 12, 13, 14]
        assert isinstance(server.outcome, SrtpKeys)


def len_before_last_flight() -> int:
    """The index of the datagram that holds the server's last flight, with an OpenSSL client."""
    server = DtlsEndpoint(CONTEXT, DtlsRole.SERVER, (THEIRS.fingerprint,))
    peer = OpenSslPeer(THEIRS, client=True)
    link = Link(server, peer)
    link.run(lambda: server.outcome is not None and peer.done)
    assert link.sent[-1][0] == 0
    return len(link.sent) - 1


class TestLongClientHello:
    """Post-quantum key shares make a ClientHello span records and datagrams, which come in any order."""

    @staticmethod
    def _hello() -> tuple[OpenSslPeer, list[bytes]]:
        protocols = [b"p%03d" % number * 10 for number in range(30)]  # 1,230 bytes of ALPN
        peer = OpenSslPeer(THEIRS, client=True, protocols=protocols, mtu=1200)
        records = peer.datagrams()
        assert len(records) == 2
        assert all(record[0] == 22 for record in records)
        return peer, records

    @pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 1, 0), (0, 1, 0, 1)])
    def test_two_datagrams(self, order: tuple[int, ...]) -> None:
        peer, records = self._hello()
        server = DtlsEndpoint(CONTEXT, DtlsRole.SERVER, (THEIRS.fingerprint,))
        for index in order:
            assert server.receive(records[index], 0.0) is None
        assert Link(server, peer).run(lambda: server.outcome is not None and peer.done)
        assert isinstance(server.outcome, SrtpKeys)

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_two_records_in_one_datagram(self, order: tuple[int, int]) -> None:
        peer, records = self._hello()
        server = DtlsEndpoint(CONTEXT, DtlsRole.SERVER, (THEIRS.fingerprint,))
        assert server.receive(records[order[0]] + records[order[1]], 0.0) is None
        assert Link(server, peer).run(lambda: server.outcome is not None and peer.done)
        assert isinstance(server.outcome, SrtpKeys)

    def test_many_small_datagrams(self, small_mtu: None) -> None:
        peer = OpenSslPeer(THEIRS, client=True, mtu=SMALL_MTU, protocols=[b"x" * 250] * 4)
        records = peer.datagrams()
        assert len(records) > 4
        server = DtlsEndpoint(CONTEXT, DtlsRole.SERVER, (THEIRS.fingerprint,))
        for record in reversed(records):
            assert server.receive(record, 0.0) is None
        assert Link(server, peer).run(lambda: server.outcome is not None and peer.done)
        assert isinstance(server.outcome, SrtpKeys)


class TestNoise:
    """What a stranger who knows the address can send without knowing the handshake."""

    @given(st.binary(max_size=1500))
    def test_bytes_never_raise(self, noise: bytes) -> None:
        for endpoint in endpoints():
            endpoint.receive(noise, 0.0)
            endpoint.datagrams()
            endpoint.handle_timeout(1.0)

    @given(
        st.integers(0, 255),
        st.sampled_from([0xFEFD, 0xFEFF, 0x0303]),
        st.integers(0, 2),
        st.binary(max_size=200),
    )
    def test_records_never_raise(self, kind: int, version: int, epoch: int, body: bytes) -> None:
        head = bytes([kind]) + version.to_bytes(2, "big") + epoch.to_bytes(2, "big")
        record = head + bytes(6) + len(body).to_bytes(2, "big") + body
        for endpoint in endpoints():
            endpoint.receive(record, 0.0)
            endpoint.datagrams()
            assert not isinstance(endpoint.outcome, SrtpKeys)

    @settings(deadline=None, max_examples=50)
    @given(st.data())
    def test_a_handshake_goes_on_among_garbage(self, data: st.DataObject) -> None:
        client, server = endpoints()
        link = Link(client, server)

        def watch() -> None:
            garbage = data.draw(not_records())
            for endpoint in (client, server):
                if endpoint.outcome is None:
                    assert endpoint.receive(garbage, link.now) is DropReason.DTLS_MALFORMED

        assert link.run(both_settled(client, server), watch=watch)
        assert_equal_keys(client, server)

    @pytest.mark.parametrize("cut", [0, 1, 12, 13, 14, 25, 60, -1])
    def test_a_handshake_goes_on_among_truncated_datagrams(self, cut: int) -> None:
        client, server = endpoints()
        link = Link(client, server)
        seen = 0

        def watch() -> None:
            nonlocal seen
            for sender, datagram in link.sent[seen:]:
                receiver = (server, client)[sender]
                piece = datagram[:cut]
                if receiver.outcome is None and not is_whole(piece):
                    assert receiver.receive(piece, link.now) is DropReason.DTLS_MALFORMED
            seen = len(link.sent)

        assert link.run(both_settled(client, server), watch=watch)
        assert_equal_keys(client, server)

    def test_a_handshake_goes_on_among_forged_ciphertext(self) -> None:
        client, server = endpoints()
        link = Link(client, server)

        def watch() -> None:
            forged = bytes([22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 9, 0, 40]) + bytes(40)
            for endpoint in (client, server):
                if endpoint.outcome is None:
                    endpoint.receive(forged, link.now)

        assert link.run(both_settled(client, server), watch=watch)
        assert_equal_keys(client, server)

    @pytest.mark.parametrize("kind", [20, 21, 22, 23, 24])
    def test_after_the_end(self, kind: int) -> None:
        client, server = endpoints()
        Link(client, server).run(both_settled(client, server))
        record = bytes([kind, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 9, 0, 4]) + bytes(4)
        assert client.receive(record, 0.0) is DropReason.DTLS_UNEXPECTED
        assert client.datagrams() == []
        if kind in (20, 22):
            assert server.receive(record, 0.0) is None
            assert server.datagrams()
        else:
            assert server.receive(record, 0.0) is DropReason.DTLS_UNEXPECTED
            assert server.datagrams() == []
        assert_equal_keys(client, server)


def is_whole(data: bytes) -> bool:
    """Whether DTLS records fill `data` exactly."""
    position = 0
    while position + 13 <= len(data):
        position += 13 + int.from_bytes(data[position + 11 : position + 13], "big")
    return position == len(data) and bool(data)


def not_records() -> st.SearchStrategy[bytes]:
    """Bytes that no sequence of whole records makes."""
    return st.binary(max_size=300).filter(lambda data: not is_whole(data))


def record_number(datagram: bytes) -> int:
    """The sequence number of the first record (RFC 6347 §4.1)."""
    return int.from_bytes(datagram[5:11], "big")


def body(datagram: bytes) -> bytes:
    """What follows the header of the one record in `datagram`."""
    (record,) = split_records(datagram)
    return record[13:]
