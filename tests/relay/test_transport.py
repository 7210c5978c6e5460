"""A transport's states, against a peer without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from relay.address import Address, Path
from relay.errors import InvalidStateError, ParameterError
from relay.events import ConnectionState, NetworkChange
from relay.parameters import DtlsFingerprint, DtlsRole, IceParameters, RtpParameters
from relay.rtcp import ReceiverReport
from relay.stats import DropReason
from relay.transport import DTLS_BURST, MAX_EARLY_DTLS, Transport

from .fake_plane import OURS, DtlsPeer, FakeNetwork, Recorder
from .ice_peer import LOCAL, PATH, REMOTE, candidate
from .waiting import until

ELSEWHERE = Path(LOCAL, Address("203.0.113.66", 6_666))


@pytest.fixture
async def network() -> AsyncIterator[FakeNetwork]:
    """Looks for what transports leave behind."""
    network = FakeNetwork()
    yield network
    await asyncio.wait_for(network.router.ice.close(), 20)
    assert network.router.bindings == {}
    assert network.router.ice._agents == {}
    assert network.router.ice.transactions == {}
    assert DropReason.INTERNAL_ERROR not in network.router.drops


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def transport(network: FakeNetwork, recorder: Recorder) -> AsyncIterator[Transport]:
    transport = Transport(network.router, (LOCAL,), 0x1234, recorder.observer())
    yield transport
    transport.close()


@pytest.fixture
def peer(network: FakeNetwork, transport: Transport) -> DtlsPeer:
    return DtlsPeer(network, transport)


@pytest.fixture
async def beginning(
    transport: Transport, peer: DtlsPeer, monkeypatch: pytest.MonkeyPatch
) -> Transport:
    """The transport, which has said hello by DTLS to a peer that says nothing, and repeats it soon."""
    monkeypatch.setattr("relay.dtls.INITIAL_TIMEOUT", 0.01)
    transport.add_remote_candidate(candidate())
    transport.connect(peer.parameters(DtlsRole.SERVER))
    await until(lambda: transport._dtls is not None)
    return transport


@pytest.fixture
async def other(network: FakeNetwork) -> AsyncIterator[Transport]:
    """Another connection's."""
    other = Transport(network.router, (LOCAL,), 0x5678, Recorder().observer())
    yield other
    other.close()


async def connect(transport: Transport, peer: DtlsPeer, role: DtlsRole = DtlsRole.CLIENT) -> None:
    """Bring a transport to CONNECTED. role: the peer's in DTLS."""
    transport.add_remote_candidate(candidate(peer.address))
    transport.connect(peer.parameters(role))
    await until(lambda: peer.requests)
    peer.check()
    peer.speak_dtls(client=role is DtlsRole.CLIENT)
    await until(lambda: transport.state is ConnectionState.CONNECTED)


class TestStates:
    def test_begins_new(self, transport: Transport) -> None:
        assert transport.state is ConnectionState.NEW
        assert transport.paths == {}
        assert transport.round_trip_time is None

    @pytest.mark.parametrize("role", [DtlsRole.CLIENT, DtlsRole.SERVER])
    async def test_connects(
        self, transport: Transport, peer: DtlsPeer, recorder: Recorder, role: DtlsRole
    ) -> None:
        await connect(transport, peer, role)
        ((keys, path),) = recorder.connected
        assert path == PATH
        assert recorder.failures == []
        assert peer.dtls is not None
        assert peer.dtls.exported(2 * (16 + 12))[:16] in (keys.local[:16], keys.remote[:16])
        assert transport.round_trip_time is not None

    async def test_connects_when_dtls_is_done_before_the_nomination(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        peer.answering = False
        transport.connect(peer.parameters())
        await asyncio.sleep(0)
        peer.check()
        peer.speak_dtls()
        await until(lambda: peer.dtls is not None and peer.dtls.done)
        assert transport.state is ConnectionState.CONNECTING
        assert recorder.connected == []
        await until(lambda: peer.requests)
        peer.send(bytes(peer.answer(peer.requests[-1])))
        await until(lambda: transport.state is ConnectionState.CONNECTED)

    @pytest.mark.parametrize(
        ("rtp", "wait"),
        [
            (RtpParameters(), True),
            (RtpParameters(nack=True), False),
            (RtpParameters(nack=True, reduced_size=True), True),
        ],
    )
    async def test_reports_wait_unless_something_urgent_may_stand_behind_them(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        rtp: RtpParameters,
        wait: bool,
    ) -> None:
        transport.add_remote_candidate(candidate())
        transport.connect(replace(peer.parameters(), rtp=rtp))
        await until(lambda: transport._selected is not None)
        peer.check()
        assert [waits for _, waits in network.plane.settled.values()] == [wait]
        transport.close()
        assert network.plane.settled == {}

    async def test_whose_path_is_looked_at_is_known_to_the_plane_until_the_end(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        await connect(transport, peer)
        await until(lambda: not network.mux.running)
        peer.check()
        for _ in range(2):
            assert set(network.plane.settled) == {PATH}
            assert network.plane.known == set()
            network.mux.begin_check(PATH)
            assert network.plane.settled == {}
            assert network.plane.known == {PATH}
            network.mux.end_check(PATH)
        network.mux.begin_check(PATH)
        transport.close()
        assert network.plane.known == set()
        network.mux.end_check(PATH)
        assert network.plane.settled == {}

    @pytest.mark.parametrize("closed", [False, True])
    async def test_connect_twice(self, transport: Transport, peer: DtlsPeer, closed: bool) -> None:
        transport.connect(peer.parameters())
        if closed:
            transport.close()
        with pytest.raises(InvalidStateError, match="closed" if closed else "connecting"):
            transport.connect(peer.parameters())

    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            ({"ice": IceParameters("abc", "p" * 22)}, "username fragment"),
            ({"ice": IceParameters("a" * 257, "p" * 22)}, "username fragment"),
            ({"ice": IceParameters("us:er", "p" * 22)}, "username fragment"),
            ({"ice": IceParameters("us\ud800er", "p" * 22)}, "username fragment"),
            ({"ice": IceParameters("user", "p" * 21)}, "password"),
            ({"ice": IceParameters("user", "p" * 257)}, "password"),
            ({"ice": IceParameters("user", "p" * 22 + "\n")}, "password"),
            ({"ice": IceParameters("user", "\udcff" * 22)}, "password"),
            ({"fingerprints": ()}, "fingerprint"),
            ({"role": DtlsRole.AUTO}, "role"),
        ],
    )
    async def test_unusable_parameters_leave_it_new(
        self, transport: Transport, peer: DtlsPeer, changes: dict[str, object], name: str
    ) -> None:
        unusable = replace(peer.parameters(), **changes)  # type: ignore[arg-type]
        with pytest.raises(ParameterError, match=name):
            transport.connect(unusable)
        assert transport.state is ConnectionState.NEW
        await connect(transport, peer)  # right ones may follow

    async def test_wrong_fingerprint(
        self, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        stranger = DtlsFingerprint("sha-256", OURS.fingerprint.value)
        transport.add_remote_candidate(candidate())
        transport.connect(replace(peer.parameters(), fingerprints=(stranger,)))
        await until(lambda: peer.requests)
        peer.check()
        peer.speak_dtls()
        await until(lambda: recorder.failures)
        assert recorder.connected == []
        assert "fingerprint" in recorder.failures[0]
        assert transport.state is not ConnectionState.CONNECTED


class TestDeadline:
    @pytest.fixture(autouse=True)
    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("relay.transport.CONNECT_TIMEOUT", 0.05)

    async def test_no_check_came(
        self, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        transport.connect(peer.parameters())
        await until(lambda: recorder.failures)
        assert "ICE" in recorder.failures[0]

    async def test_no_dtls_came(
        self, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        transport.add_remote_candidate(candidate())
        transport.connect(peer.parameters())
        await until(lambda: recorder.failures)
        assert "DTLS" in recorder.failures[0]

    async def test_is_over_once_connected(
        self, monkeypatch: pytest.MonkeyPatch, transport: Transport, peer: DtlsPeer
    ) -> None:
        monkeypatch.setattr("relay.transport.CONNECT_TIMEOUT", 20.0)
        await connect(transport, peer)
        assert transport._connect_timer is not None
        assert transport._connect_timer.cancelled()

    async def test_is_over_once_closed(
        self, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        transport.connect(peer.parameters())
        transport.close()
        assert transport._connect_timer is not None
        assert transport._connect_timer.cancelled()


class TestDtls:
    async def test_from_an_address_without_a_check(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        transport.connect(peer.parameters())
        stranger = DtlsPeer(network, transport, ELSEWHERE.remote)
        stranger.speak_dtls()
        await asyncio.sleep(0)
        assert network.router.drops == {DropReason.DTLS_UNKNOWN_ADDRESS: 1}
        assert network.plane.sent == []

    async def test_before_the_answer(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        """A browser does not wait until its answer has come here; nothing of its handshake is lost."""
        peer.check()
        peer.speak_dtls()
        assert transport.state is ConnectionState.NEW
        transport.connect(peer.parameters())
        await until(lambda: transport.state is ConnectionState.CONNECTED)
        assert network.router.drops == {}

    async def test_no_more_is_kept_than_a_hello_takes(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        peer.check()
        for _ in range(3 * MAX_EARLY_DTLS):
            peer.speak_dtls()
        assert network.router.drops == {DropReason.DTLS_UNEXPECTED: 2 * MAX_EARLY_DTLS}

    async def test_repeats_a_lost_flight(
        self, network: FakeNetwork, beginning: Transport, peer: DtlsPeer
    ) -> None:
        def hellos() -> int:
            return sum(datagram[0] == 22 for _, datagram in network.plane.sent)

        await until(lambda: hellos() >= 3)
        peer.check()
        peer.speak_dtls(client=False)
        await until(lambda: beginning.state is ConnectionState.CONNECTED)

    async def test_after_the_end_is_counted(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        await connect(transport, peer)
        alert = bytes([21, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0])
        network.receive(PATH, alert)
        assert network.router.drops == {DropReason.DTLS_UNEXPECTED: 1}
        assert transport.state is ConnectionState.CONNECTED

    async def test_a_flood_is_bounded(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        await connect(transport, peer)
        hello = bytes.fromhex("16fefd000000000000000000020000")
        for _ in range(3 * int(DTLS_BURST)):
            network.receive(PATH, hello)
        assert network.router.drops[DropReason.RATE_LIMITED] >= DTLS_BURST


class Hasty(DtlsPeer):
    """Speaks DTLS in the moment in which a check of its own is answered."""

    def receive(self, path: Path, datagram: bytes) -> None:
        """Take what the relay sent."""
        super().receive(path, datagram)
        if self.responses and self.dtls is None:
            self.speak_dtls(local=path.local)


class TestPaths:
    async def test_a_second_one_is_validated_and_selected(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        await connect(transport, peer)
        moved = DtlsPeer(network, transport, ELSEWHERE.remote)
        moved.check()
        await until(lambda: recorder.selected)
        assert recorder.selected == [ELSEWHERE]
        assert list(transport.paths) == [PATH, ELSEWHERE]
        assert network.router.bindings == {PATH: transport, ELSEWHERE: transport}

    async def test_a_forged_check_takes_no_path_away(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        other: Transport,
    ) -> None:
        # Somebody with a session of his own writes the peer's address on his checks, and gets no answer.
        await connect(transport, peer)
        forger = DtlsPeer(network, other)
        forger.answering = False
        other.connect(forger.parameters())
        await asyncio.sleep(0)
        forger.check()
        await until(lambda: forger.requests)
        assert network.router.bindings == {PATH: transport}
        assert recorder.validated == [PATH]
        other.close()
        assert network.router.bindings == {PATH: transport}

    async def test_one_whose_owner_is_gone_goes_to_who_answers_there(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, other: Transport
    ) -> None:
        # An address translator gives a port away that a silent client still seems to have.
        await connect(transport, peer)
        await self._take(network, other)
        network.plane.sent.clear()
        transport.send_rtcp([ReceiverReport(0x1234)])
        transport.close()
        assert network.plane.sent == []
        assert network.router.bindings == {PATH: other}

    @pytest.mark.parametrize("greeted", [False, True])
    async def test_a_handshake_waits_until_the_path_is_its_own(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        other: Transport,
        greeted: bool,
    ) -> None:
        """Somebody passed ICE, perhaps said hello, and vanished; who has the port then speaks DTLS as soon
        as ICE lets it, and that is before our own check was answered."""
        transport.connect(peer.parameters())
        await asyncio.sleep(0)
        peer.check()
        await until(lambda: transport._selected is not None)
        del network.peers[REMOTE]
        if greeted:
            peer.speak_dtls()
        newcomer = Hasty(network, other)
        newcomer.answering = False
        other.connect(newcomer.parameters())
        await asyncio.sleep(0)
        newcomer.check()
        await until(lambda: newcomer.requests)
        assert network.router.bindings[PATH] is transport
        newcomer.send(bytes(newcomer.answer(newcomer.requests[-1])))
        await until(lambda: other.state is ConnectionState.CONNECTED)
        assert transport.state is ConnectionState.CONNECTING

    async def test_one_that_is_taken_is_used_no_more(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        other: Transport,
    ) -> None:
        await connect(transport, peer)
        await self._take(network, other)
        assert recorder.lost == 1
        assert transport.state is ConnectionState.CONNECTED
        assert transport.paths == {}
        assert transport.is_doubtful
        await until(lambda: recorder.doubts == 1)
        other.close()
        network.plane.sent.clear()
        transport.send_rtcp([ReceiverReport(0x1234)])
        assert network.plane.sent == []

    async def test_who_lost_one_comes_by_another(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        other: Transport,
    ) -> None:
        await connect(transport, peer)
        await self._take(network, other)
        moved = DtlsPeer(network, transport, ELSEWHERE.remote)
        moved.check()
        await until(lambda: recorder.selected == [ELSEWHERE])
        assert not transport.is_doubtful
        assert network.router.bindings == {PATH: other, ELSEWHERE: transport}
        transport.send_rtcp([ReceiverReport(0x1234)])
        assert network.plane.sent[-1][0] == ELSEWHERE

    async def test_who_lost_one_goes_by_one_that_is_known(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        other: Transport,
    ) -> None:
        await connect(transport, peer)
        moved = DtlsPeer(network, transport, ELSEWHERE.remote)
        moved.check()
        await until(lambda: recorder.selected == [ELSEWHERE])
        DtlsPeer(network, transport)  # is at the first one, still
        await self._take(network, other, ELSEWHERE.remote)
        assert recorder.lost == 1
        await until(lambda: recorder.selected == [ELSEWHERE, PATH])

    async def test_who_lost_one_may_have_it_back(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        other: Transport,
    ) -> None:
        await connect(transport, peer)
        await self._take(network, other)
        back = DtlsPeer(network, transport)
        back.check()
        await until(lambda: recorder.selected == [PATH])
        assert network.router.bindings == {PATH: transport}
        assert other._selected is None
        other.close()
        assert network.router.bindings == {PATH: transport}

    async def test_who_lost_one_asks_for_consent_no_more_and_fails_in_the_end(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        other: Transport,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("relay.consent.INTERVAL", 0.01)
        monkeypatch.setattr("relay.consent.EXPIRY", 0.3)
        network.router.timers.step = 0.002
        await connect(transport, peer)
        await self._take(network, other)
        requests = network.plane.peers[REMOTE].requests
        requests.clear()
        await until(lambda: recorder.failures)
        assert "consent" in recorder.failures[0]
        ours = transport.ice_parameters.username_fragment
        assert requests  # of the other one
        assert not [one for one in requests if ours in one.attributes["USERNAME"]]

    async def _take(
        self, network: FakeNetwork, other: Transport, address: Address = REMOTE
    ) -> DtlsPeer:
        """The peer of another connection, which is where somebody else was."""
        newcomer = DtlsPeer(network, other, address)
        other.connect(newcomer.parameters())
        await asyncio.sleep(0)
        newcomer.check()
        await until(lambda: network.router.bindings[Path(LOCAL, address)] is other)
        return newcomer

    async def test_a_handshake_is_repeated_to_nobody_else(
        self, network: FakeNetwork, beginning: Transport, other: Transport
    ) -> None:
        # Who has the port by now would take our flight for one of its own handshake's.
        newcomer = await self._take(network, other)
        network.plane.sent.clear()
        assert beginning._dtls is not None
        deadline = beginning._dtls.deadline()
        assert deadline is not None
        await until(lambda: beginning._dtls is not None and beginning._dtls.deadline() != deadline)
        assert not any(datagram[0] == 22 for _, datagram in network.plane.sent)
        newcomer.speak_dtls()
        await until(lambda: other.state is ConnectionState.CONNECTED)

    @pytest.mark.parametrize("taken", [False, True])
    async def test_a_handshake_goes_on_by_the_one_that_is_selected_meanwhile(
        self, network: FakeNetwork, beginning: Transport, other: Transport, taken: bool
    ) -> None:
        """Nothing comes by it before we have spoken: the other end waits for our hello."""
        del network.peers[REMOTE]
        if taken:
            await self._take(network, other)
        moved = DtlsPeer(network, beginning, ELSEWHERE.remote)
        moved.speak_dtls(client=False)
        moved.check()
        await until(lambda: beginning.state is ConnectionState.CONNECTED)


class TestRestart:
    """A second generation of ICE beside the first."""

    def _restarted(
        self, network: FakeNetwork, transport: Transport, at: Address = REMOTE
    ) -> DtlsPeer:
        """The other end, as it is once it has the offer of a restart that has begun."""
        peer = DtlsPeer(network, transport, at)
        assert transport._restart is not None
        peer.agent = transport._restart
        peer.credentials = IceParameters("again", "a" * 22)
        return peer

    @pytest.mark.parametrize("at", [REMOTE, ELSEWHERE.remote])
    async def test_keys_and_media_go_on(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        at: Address,
    ) -> None:
        await connect(transport, peer)
        before = transport.ice_parameters
        transport.restart_ice()
        assert transport.ice_parameters != before
        again = self._restarted(network, transport, at)
        transport.reconnect(again.parameters())
        assert transport.state is ConnectionState.CONNECTED
        again.check()
        await until(lambda: recorder.selected)
        assert recorder.selected == [Path(LOCAL, at)]
        assert recorder.changes == [NetworkChange.RESTART]
        assert len(recorder.connected) == 1
        assert recorder.failures == []
        assert list(network.router.ice._agents) == [transport.ice_parameters.username_fragment]
        assert network.router.ice.selected == {Path(LOCAL, at): transport._ice}
        transport.send_rtcp([ReceiverReport(0x1234)])
        assert network.plane.sent[-1][0] == Path(LOCAL, at)

    async def test_the_old_path_serves_until_the_new_one_is_there_and_a_little_longer(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("relay.transport.LINGER", 0.05)
        await connect(transport, peer)
        transport.restart_ice()
        again = self._restarted(network, transport, ELSEWHERE.remote)
        again.answering = False
        transport.reconnect(again.parameters())
        again.check()
        await until(lambda: again.requests)
        assert network.router.bindings == {PATH: transport, ELSEWHERE: transport}
        transport.send_rtcp([ReceiverReport(0x1234)])
        assert network.plane.sent[-1][0] == PATH
        again.send(bytes(again.answer(again.requests[-1])))
        await until(lambda: recorder.selected)
        assert network.router.bindings == {PATH: transport, ELSEWHERE: transport}
        await until(lambda: network.router.bindings == {ELSEWHERE: transport})
        assert list(transport.paths) == [ELSEWHERE]

    async def test_checks_may_come_before_the_answer(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        await connect(transport, peer)
        transport.restart_ice()
        again = self._restarted(network, transport)
        again.check()
        await until(lambda: again.responses)
        transport.reconnect(again.parameters())
        await until(lambda: recorder.selected)

    async def test_one_that_waits_for_its_answer_is_offered_again(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        """The peer asks for one while another offer is on its way to it, and answers that."""
        await connect(transport, peer)
        transport.restart_ice()
        again = self._restarted(network, transport)
        offered, ends = transport.ice_parameters, transport._restart_timer
        again.check()  # which may come before the answer
        transport.restart_ice()
        assert transport.ice_parameters == offered
        assert len(network.router.ice._agents) == 2
        assert ends is not None
        assert ends.cancelled()
        assert transport._restart_timer is not None
        assert transport._restart_timer.when() > ends.when()
        transport.reconnect(again.parameters())
        await until(lambda: recorder.selected)
        assert recorder.changes == [NetworkChange.RESTART]
        assert transport.ice_parameters == offered
        assert transport._restart_timer is None
        transport.restart_ice()
        assert transport.ice_parameters != offered

    async def test_another_one_takes_its_place(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        await connect(transport, peer)
        transport.restart_ice()
        first = transport.ice_parameters
        transport.reconnect(self._restarted(network, transport).parameters())
        transport.restart_ice()
        assert transport.ice_parameters != first
        assert len(network.router.ice._agents) == 2
        again = self._restarted(network, transport)
        again.credentials = IceParameters("third", "t" * 22)
        transport.reconnect(again.parameters())
        again.check()
        await until(lambda: recorder.selected)
        assert recorder.failures == []

    async def test_one_that_is_given_up_leaves_none_of_its_paths(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        """Nothing is taken by them any more, and another connection may have them."""
        await connect(transport, peer)
        transport.restart_ice()
        again = self._restarted(network, transport, ELSEWHERE.remote)
        again.answering = False
        transport.reconnect(again.parameters())
        again.check()
        await until(lambda: again.requests)
        assert network.router.bindings == {PATH: transport, ELSEWHERE: transport}
        transport.restart_ice()
        assert network.router.bindings == {PATH: transport}
        assert list(transport.paths) == [PATH]

    async def test_one_that_finds_no_path_leaves_all_as_it_was(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("relay.transport.RESTART_TIMEOUT", 0.05)
        await connect(transport, peer)
        before = transport.ice_parameters
        transport.restart_ice()
        await until(lambda: recorder.failed_restarts)
        assert transport.ice_parameters == before
        assert transport.state is ConnectionState.CONNECTED
        assert recorder.failures == []
        peer.check()
        await until(lambda: len(peer.responses) > 1)

    async def test_consent_may_expire_while_one_is_under_way(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        await connect(transport, peer)
        transport.restart_ice()
        transport._ice_failed(1, "consent expired")
        assert recorder.lost == 1
        assert recorder.failures == []
        assert transport.is_doubtful
        sent = len(network.plane.sent)
        transport.send_rtcp([ReceiverReport(0x1234)])
        assert len(network.plane.sent) == sent  # nothing without consent
        again = self._restarted(network, transport)
        transport.reconnect(again.parameters())
        again.check()
        await until(lambda: recorder.selected)
        assert not transport.is_doubtful
        transport.send_rtcp([ReceiverReport(0x1234)])
        assert network.plane.sent[-1][0] == PATH

    async def test_consent_that_expired_and_no_path_is_the_end(
        self,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("relay.transport.RESTART_TIMEOUT", 0.05)
        await connect(transport, peer)
        transport.restart_ice()
        transport._ice_failed(1, "consent expired")
        await until(lambda: recorder.failures)
        assert recorder.failures == ["consent expired"]

    @pytest.mark.parametrize("answered", [False, True])
    async def test_asking_for_others_all_the_time_keeps_no_dead_one_alive(
        self,
        network: FakeNetwork,
        transport: Transport,
        peer: DtlsPeer,
        recorder: Recorder,
        monkeypatch: pytest.MonkeyPatch,
        answered: bool,
    ) -> None:
        monkeypatch.setattr("relay.transport.LOST_TIMEOUT", 0.05)
        await connect(transport, peer)
        transport.restart_ice()
        transport._ice_failed(1, "consent expired")
        async with asyncio.timeout(5):
            while not recorder.failures:
                transport.restart_ice()
                if answered:
                    again = self._restarted(network, transport)
                    again.credentials = IceParameters(
                        f"{transport.ice_parameters.username_fragment}", "a" * 22
                    )
                    transport.reconnect(again.parameters())
                await asyncio.sleep(0.01)
        assert recorder.failures == ["consent expired"]

    async def test_doubts_are_told_unless_one_is_under_way(
        self, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        transport._ice_doubtful()
        assert recorder.doubts == 0
        await connect(transport, peer)
        transport._ice_doubtful()
        assert recorder.doubts == 1
        transport.restart_ice()
        transport._ice_doubtful()
        assert recorder.doubts == 1

    async def test_only_a_connected_one_restarts(
        self, transport: Transport, peer: DtlsPeer
    ) -> None:
        with pytest.raises(InvalidStateError, match="new"):
            transport.restart_ice()
        transport.connect(peer.parameters())
        with pytest.raises(InvalidStateError, match="connecting"):
            transport.restart_ice()
        transport.close()
        with pytest.raises(InvalidStateError, match="closed"):
            transport.restart_ice()

    async def test_only_one_that_has_begun_is_answered_and_once(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        await connect(transport, peer)
        with pytest.raises(InvalidStateError, match="not begun"):
            transport.reconnect(peer.parameters())
        transport.restart_ice()
        again = self._restarted(network, transport)
        transport.reconnect(again.parameters())
        with pytest.raises(InvalidStateError, match="answered"):
            transport.reconnect(again.parameters())

    async def test_an_answer_that_cannot_be_one(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        await connect(transport, peer)
        transport.restart_ice()
        again = self._restarted(network, transport)
        with pytest.raises(ParameterError, match="new ones"):
            transport.reconnect(peer.parameters())
        with pytest.raises(ParameterError, match="the same as before"):
            transport.reconnect(
                replace(again.parameters(), fingerprints=(DtlsFingerprint("sha-256", "00"),))
            )
        with pytest.raises(ParameterError, match="password"):
            transport.reconnect(replace(again.parameters(), ice=IceParameters("again", "short")))
        transport.reconnect(again.parameters())
        again.check()
        await until(lambda: recorder.selected)

    async def test_close_while_one_is_under_way(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        await connect(transport, peer)
        transport.restart_ice()
        again = self._restarted(network, transport, ELSEWHERE.remote)
        transport.reconnect(again.parameters())
        again.check()
        transport.close()
        assert network.router.bindings == {}
        assert network.router.ice._agents == {}


class TestClose:
    @pytest.mark.parametrize("connecting", [False, True])
    async def test_before_it_is_connected(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, connecting: bool
    ) -> None:
        if connecting:
            transport.connect(peer.parameters())
            await asyncio.sleep(0)
            peer.check()
            peer.speak_dtls()
            assert network.router.bindings == {PATH: transport}
        transport.close()
        assert transport.state is ConnectionState.CLOSED
        assert network.router.bindings == {}
        assert network.router.ice._agents == {}

    async def test_connected_says_goodbye(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        await connect(transport, peer)
        assert peer.dtls is not None
        await until(lambda: peer.dtls is not None and peer.dtls.done)
        assert not peer.dtls.closed
        transport.close()
        transport.close()
        await until(lambda: peer.dtls is not None and peer.dtls.closed)
        assert sum(datagram[0] == 21 for _, datagram in network.plane.sent) == 1

    async def test_nothing_is_taken_afterwards(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        await connect(transport, peer)
        transport.close()
        transport.add_remote_candidate(candidate(Address("203.0.113.1", 1)))
        transport.add_local_address(Address("192.0.2.9", 9))
        sent = len(network.plane.sent)
        peer.check()
        peer.speak_dtls()
        assert network.router.drops[DropReason.STUN_UNKNOWN_USER] == 1
        assert network.router.drops[DropReason.DTLS_UNKNOWN_ADDRESS] == 1
        assert len(network.plane.sent) == sent
        assert recorder.failures == []


class TestRtcp:
    async def test_before_there_are_keys(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer
    ) -> None:
        transport.connect(peer.parameters())
        await asyncio.sleep(0)
        peer.check()
        network.receive(PATH, b"\x80\xc9" + bytes(30))
        assert network.router.drops == {DropReason.RTCP_UNKNOWN_ADDRESS: 1}

    async def test_unauthenticated(
        self, network: FakeNetwork, transport: Transport, peer: DtlsPeer, recorder: Recorder
    ) -> None:
        await connect(transport, peer)
        network.receive(PATH, b"\x80\xc9" + bytes(30))
        network.receive(PATH, b"\x80\xc9")
        assert network.router.drops == {DropReason.RTCP_UNAUTHENTICATED: 2}
        assert recorder.rtcp == []
