"""ICE: what is leant on in aioice, the mux, and agents against peers in memory and over loopback."""

from __future__ import annotations

import asyncio
import inspect
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aioice
import pytest
from aioice import stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, StunProtocol, validate_password, validate_username
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay import ice, ice_agent, ice_checks
from relay.address import Address, Path
from relay.ice import IceMux
from relay.ice_agent import IceAgent
from relay.outreach import HOST_BURST, HOST_RATE
from relay.parameters import IceParameters
from relay.roaming import MAX_PATHS
from relay.stats import DropReason
from relay.timers import TimerGrid
from tests.hosts import gather_only

from .ice_peer import (
    LOCAL,
    LOCAL_6,
    PATH,
    PEER_PARAMETERS,
    REMOTE,
    REMOTE_6,
    Network,
    Observed,
    Peer,
    candidate,
)
from .waiting import until


class TestContract:
    """The parts of aioice 0.13.0 that `relay/ice_checks.py` leans on though they are not its API.

    When one of these fails after an upgrade, `relay/ice_checks.py` has to be read again.
    """

    @pytest.fixture
    async def connection(self) -> aioice.Connection:
        return aioice.Connection(ice_controlling=True)

    @pytest.mark.parametrize(
        ("owner", "name", "parameters"),
        [
            (aioice.Connection, "_add_remote_candidate", ["remote_candidate", "network_host"]),
            (aioice.Connection, "_pair_remote_candidate", ["remote_candidate"]),
            (aioice.Connection, "sort_check_list", []),
            (aioice.Connection, "check_complete", ["pair"]),
            (aioice.Connection, "request_received", ["message", "addr", "protocol"]),
            (aioice.Connection, "check_incoming", ["message", "addr", "protocol"]),
            (aioice.Connection, "check_start_task", ["pair"]),
            (aioice.Connection, "_unfreeze_initial", []),
            (StunProtocol, "__init__", ["receiver"]),
            (StunProtocol, "connection_made", ["transport"]),
            (StunProtocol, "connection_lost", ["exc"]),
            (stun.Transaction, "response_received", ["message", "addr"]),
            (aioice.Connection, "switch_role", ["ice_controlling"]),
            (
                StunProtocol,
                "request",
                ["request", "addr", "integrity_key", "retransmissions"],
            ),
            (stun.Message, "check_message_integrity", ["key"]),
        ],
    )
    def test_methods(self, owner: type, name: str, parameters: list[str]) -> None:
        signature = inspect.signature(getattr(owner, name))
        assert list(signature.parameters)[1:] == parameters

    def test_kinds(self) -> None:
        coroutines = (
            StunProtocol.request,
            aioice.Connection.close,
        )
        assert all(map(inspect.iscoroutinefunction, coroutines))
        plain = (
            aioice.Connection._add_remote_candidate,
            aioice.Connection.check_complete,
            aioice.Connection.request_received,
        )
        assert not any(map(inspect.iscoroutinefunction, plain))

    async def test_attributes(self, connection: aioice.Connection) -> None:
        assert connection._protocols == []
        assert connection._local_candidates == []
        assert connection._remote_candidates == []
        assert connection._nominated == {}
        assert StunProtocol(connection).transactions == {}
        assert connection._closing is False
        assert 0 <= connection._tie_breaker < 1 << 64
        assert connection._check_list == []
        assert connection._check_list_done is False
        assert connection._check_list_state.empty()
        assert list(connection._early_checks) == []
        assert connection._early_checks.maxlen is not None
        assert connection._early_checks_done is False
        assert isinstance(stun.RETRY_RTO, float)

    async def test_a_signaled_candidate_knows_its_network_host(
        self, connection: aioice.Connection
    ) -> None:
        signaled = ice_checks._to_aioice(candidate())
        connection._add_remote_candidate(signaled, REMOTE.host)
        assert connection._remote_candidates == [signaled]
        assert (signaled._network_host, signaled.port) == REMOTE

    async def test_a_reflexive_candidate_knows_its_network_host(self) -> None:
        # Made by check_incoming with `host=`, and compared by `_network_host` from then on.
        made = aioice.Candidate("1", 1, "udp", 1, REMOTE.host, REMOTE.port, "prflx")
        assert made._network_host == REMOTE.host

    async def test_a_pair_names_its_protocol_and_address(
        self, connection: aioice.Connection
    ) -> None:
        protocol = StunProtocol(connection)
        signaled = ice_checks._to_aioice(candidate())
        signaled._network_host = REMOTE.host
        pair = CandidatePair(protocol, signaled)
        assert pair.protocol is protocol
        assert pair.remote_addr == tuple(REMOTE)
        protocol.connection_lost(None)

    def test_priorities(self) -> None:
        # RFC 8445 §5.1.2.1
        assert candidate_priority(1, "host", 65_534) == (126 << 24) + (65_534 << 8) + 255
        assert candidate_foundation("host", "udp", "192.0.2.1")

    def test_messages_know_whether_they_are_signed(self) -> None:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        assert not message.check_message_integrity(b"key")
        message.add_message_integrity(b"key")
        parsed = stun.parse_message(bytes(message))
        assert parsed.check_message_integrity(b"key")
        assert not parsed.check_message_integrity(b"another")

    @settings(max_examples=500)
    @given(st.binary(max_size=200))
    def test_bad_messages_raise_two_kinds_of_errors(self, data: bytes) -> None:
        framed = struct.pack("!HHI12s", 1, len(data), stun.COOKIE, b"transaction!") + data
        for datagram in (data, framed):
            try:
                stun.parse_message(datagram)
            except (ValueError, struct.error):
                continue


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    """Closes what a test left open, and looks for what an agent left behind."""
    network = Network()
    yield network
    for agent in tuple(network.mux._agents.values()):
        agent.close()
    await asyncio.wait_for(network.mux.close(), 20)
    assert network.mux._agents == {}
    assert network.mux.transactions == {}
    assert network.mux.selected == {}
    assert network.mux.running == {}
    assert network.settled == {}
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert [task for task in left if "aioice" in repr(task) or "relay" in repr(task)] == []


@pytest.fixture
def observed() -> Observed:
    return Observed()


@pytest.fixture
def agent(network: Network, observed: Observed) -> IceAgent:
    return network.mux.create_agent([LOCAL], observed.observer())


@pytest.fixture
def peer(network: Network, agent: IceAgent) -> Peer:
    return Peer(network, agent)


class TestConnectivity:
    async def test_candidate_before_the_answer(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        assert observed.selected == [PATH]
        assert observed.validated == []  # the peer has sent no check of its own
        assert agent.round_trip_time is not None

    async def test_candidate_after_the_answer(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        agent.add_remote_candidate(candidate())
        await observed.until_selected(PATH)

    @pytest.mark.parametrize("local", [1, 2])
    async def test_each_of_many_that_come_later_is_checked(
        self, network: Network, observed: Observed, local: int
    ) -> None:
        agent = network.mux.create_agent([LOCAL], observed.observer())
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        silent = [Peer(network, agent, Address("203.0.113.9", 6_000 + n)) for n in range(3)]
        for one in silent:
            one.answering = False
            agent.add_remote_candidate(candidate(one.address))
        await until(lambda: all(one.requests for one in silent))
        if local == 2:
            agent.add_local_address(Address("192.0.2.2", 40_000))
            await until(
                lambda: {path.local.host for path, _ in network.sent} == {"192.0.2.1", "192.0.2.2"}
            )

    async def test_who_waits_for_candidates_costs_nothing(
        self, network: Network, agent: IceAgent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop, calls = asyncio.get_running_loop(), 0
        call_at = loop.call_at

        def count(*arguments: Any, **options: Any) -> asyncio.TimerHandle:
            nonlocal calls
            calls += 1
            return call_at(*arguments, **options)

        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        monkeypatch.setattr(loop, "call_at", count)
        await asyncio.sleep(10 * ice_checks.CHECK_INTERVAL)
        assert calls == 1  # our own

    async def test_no_candidate_at_all(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        peer.check()
        await observed.until_selected(PATH)
        assert observed.validated == [PATH]

    async def test_check_before_the_answer(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        # RFC 8445 §7.3: answered at once, and checked back when the credentials are known.
        peer.check()
        await asyncio.sleep(0)
        assert [response.message_class for response in peer.responses] == [stun.Class.RESPONSE]
        assert peer.requests == []
        agent.start(PEER_PARAMETERS)
        await observed.until_selected(PATH)

    async def test_checks_are_what_rfc_8445_wants(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        request = peer.requests[0]
        ours = agent.parameters.username_fragment
        assert request.attributes["USERNAME"] == f"peer:{ours}"
        assert "ICE-CONTROLLING" in request.attributes
        assert "USE-CANDIDATE" in request.attributes
        assert request.check_message_integrity(PEER_PARAMETERS.password.encode())

    async def test_answers_come_from_where_they_were_asked(
        self, network: Network, observed: Observed
    ) -> None:
        second = Address("192.0.2.2", 40_000)
        agent = network.mux.create_agent([LOCAL, second], observed.observer())
        peer = Peer(network, agent)
        peer.check(local=second)
        ((path, _),) = network.sent
        assert path == Path(second, REMOTE)

    @pytest.mark.parametrize("early", [False, True])
    async def test_a_check_by_somebody_elses_path_is_answered_once_that_is_ours(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed, early: bool
    ) -> None:
        # Else the peer would speak DTLS, and the other connection get it.
        observed.elsewhere.add(PATH)
        peer.answering = False
        if early:
            peer.check()
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        peer.check()
        peer.check()
        await until(lambda: bool(peer.requests))
        assert peer.responses == []
        request = peer.request()
        peer.send(bytes(request))
        peer.send(bytes(peer.answer(peer.requests[-1])))
        await observed.until_selected(PATH)
        await until(lambda: bool(peer.responses))
        assert [one.transaction_id for one in peer.responses] == [request.transaction_id]
        assert peer.responses[0].attributes["XOR-MAPPED-ADDRESS"] == tuple(REMOTE)
        observed.elsewhere.clear()
        peer.check()
        await until(lambda: len(peer.responses) == 2)

    async def test_ipv6(self, network: Network, observed: Observed) -> None:
        agent = network.mux.create_agent([LOCAL, LOCAL_6], observed.observer())
        Peer(network, agent, REMOTE_6)
        agent.start(PEER_PARAMETERS)
        agent.add_remote_candidate(candidate(REMOTE_6))
        await observed.until_selected(Path(LOCAL_6, REMOTE_6))
        assert all(path.local == LOCAL_6 for path, _ in network.sent)

    async def test_peer_moves(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected(PATH)
        moved = Peer(network, agent, Address("203.0.113.9", 6_000))
        moved.check()
        await observed.until_selected(Path(LOCAL, moved.address))

    async def test_address_that_is_added_later(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected(PATH)
        second = Address("192.0.2.2", 40_000)
        agent.add_local_address(second)
        peer.check(local=second)
        await observed.until_selected(Path(second, REMOTE))

    async def test_a_role_conflict_is_resolved(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        # RFC 8445 §7.3.1.1: the lower tie-breaker gives in; ours is not below zero.
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        peer.check(ICE_CONTROLLED=None, ICE_CONTROLLING=0)
        await asyncio.sleep(0)
        assert [response.error_code for response in peer.responses] == [487]
        assert observed.validated == [PATH]  # refused, but authentic: the peer is there


class TestLoopback:
    """aioice's own connection at the other end, on real sockets."""

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    @pytest.mark.parametrize("signaled", ["before", "after", "never"])
    async def test_connects(
        self, host: str, signaled: str, observed: Observed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gather_only(monkeypatch, host)
        wire = await Wire.open(host)
        agent = wire.mux.create_agent([wire.local], observed.observer())
        other = aioice.Connection(ice_controlling=False)
        other.remote_username = agent.parameters.username_fragment
        other.remote_password = agent.parameters.password
        await other.gather_candidates()
        own = aioice.Candidate(
            "1", 1, "udp", 2_130_706_431, wire.local.host, wire.local.port, "host"
        )
        await other.add_remote_candidate(own)
        await other.add_remote_candidate(None)
        (theirs,) = other.local_candidates
        address = Address(theirs.host, theirs.port)
        if signaled == "before":
            agent.add_remote_candidate(candidate(address))
        agent.start(IceParameters(other.local_username, other.local_password))
        if signaled == "after":
            await asyncio.sleep(0)
            agent.add_remote_candidate(candidate(address))
        await asyncio.wait_for(other.connect(), 20)
        await observed.until_selected(Path(wire.local, address))
        assert wire.drops == []
        agent.close()
        await other.close()
        await wire.close()


class Wire(asyncio.DatagramProtocol):
    """A mux on a UDP socket."""

    transport: asyncio.DatagramTransport
    local: Address

    def __init__(self) -> None:
        self.drops: list[DropReason] = []
        self.mux = IceMux(self._send, self.drops.append, TimerGrid())

    @classmethod
    async def open(cls, host: str) -> Wire:
        transport, wire = await asyncio.get_running_loop().create_datagram_endpoint(
            cls, local_addr=(host, 0)
        )
        wire.transport = transport
        wire.local = Address(*transport.get_extra_info("sockname")[:2])
        return wire

    def _send(self, path: Path, datagram: bytes) -> None:
        self.transport.sendto(datagram, tuple(path.remote))

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        now = asyncio.get_running_loop().time()
        self.mux.receive(Path(self.local, Address(*addr[:2])), data, now)

    async def close(self) -> None:
        await asyncio.wait_for(self.mux.close(), 20)
        self.transport.close()


class TestRefused:
    """What is dropped, and never answered."""

    async def test_wrong_password(self, network: Network, peer: Peer) -> None:
        peer.check(key="w" * 24)
        assert network.drops == {DropReason.STUN_UNAUTHENTICATED: 1}
        assert network.sent == []

    async def test_not_signed(self, network: Network, peer: Peer) -> None:
        request = peer.request()
        del request.attributes["MESSAGE-INTEGRITY"], request.attributes["FINGERPRINT"]
        peer.send(bytes(request))
        assert network.drops == {DropReason.STUN_UNAUTHENTICATED: 1}
        assert network.sent == []

    @pytest.mark.parametrize("username", ["nobody:peer", "", ":", "peer", None])
    async def test_unknown_user(self, network: Network, peer: Peer, username: str | None) -> None:
        peer.check(USERNAME=username)
        assert network.drops == {DropReason.STUN_UNKNOWN_USER: 1}
        assert network.sent == []

    async def test_user_who_has_left(self, network: Network, agent: IceAgent, peer: Peer) -> None:
        agent.close()
        peer.check()
        assert network.drops == {DropReason.STUN_UNKNOWN_USER: 1}
        assert network.sent == []

    async def test_without_priority(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        peer.check(PRIORITY=None)
        assert network.drops == {DropReason.STUN_MALFORMED: 1}
        assert observed.validated == []

    async def test_indication(self, network: Network, peer: Peer) -> None:
        peer.send(bytes(stun.Message(stun.Method.BINDING, stun.Class.INDICATION)))
        assert network.drops == {DropReason.STUN_UNEXPECTED: 1}
        assert network.sent == []

    @pytest.mark.parametrize("kind", [stun.Class.RESPONSE, stun.Class.ERROR])
    async def test_response_to_nothing(
        self, network: Network, peer: Peer, kind: stun.Class
    ) -> None:
        peer.send(bytes(stun.Message(stun.Method.BINDING, kind)))
        assert network.drops == {DropReason.STUN_UNEXPECTED: 1}

    async def test_forged_response(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        peer.answering = False
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await until(lambda: bool(peer.requests))
        peer.send(bytes(peer.answer(peer.requests[0], key="forged")))
        await asyncio.sleep(0)
        assert observed.selected == []
        peer.send(bytes(peer.answer(peer.requests[0])))
        await observed.until_selected(PATH)

    async def test_response_from_elsewhere(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        # RFC 8445 §7.2.5.2.1: the answer must come from where the check went.
        peer.answering = False
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await until(lambda: bool(peer.requests))
        elsewhere = Path(LOCAL, Address("203.0.113.66", 6_666))
        network.receive(elsewhere, bytes(peer.answer(peer.requests[0])))
        for _ in range(5):
            await asyncio.sleep(0)
        assert observed.selected == []

    async def test_a_check_before_the_answer_validates_its_path(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        peer.check()
        assert observed.validated == [PATH]
        await until(lambda: bool(peer.responses))
        agent.start(PEER_PARAMETERS)
        await observed.until_selected(PATH)

    async def test_signaled_candidates_leave_room_for_the_peers_own_checks(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        for number in range(3 * ice_checks.MAX_REMOTE_ADDRESSES):
            agent.add_remote_candidate(candidate(Address("203.0.113.9", 1_000 + number)))
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        peer.check()
        await observed.until_selected(PATH)
        assert network.drops == {}

    async def test_more_checks_than_are_looked_at(
        self, network: Network, agent: IceAgent, observed: Observed, peer: Peer
    ) -> None:
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        burst = int(ice_agent.CHECK_BURST)
        for _ in range(burst + 100):
            peer.check(key="not the agent's" * 2)
        assert network.drops == {DropReason.STUN_UNAUTHENTICATED: burst + 100}
        for _ in range(2 * burst):
            peer.check()  # what somebody else forged was at nobody's expense
        await asyncio.sleep(0.01)
        assert len(peer.responses) >= burst
        assert len(peer.responses) + network.drops[DropReason.RATE_LIMITED] == 2 * burst
        assert network.drops[DropReason.RATE_LIMITED] > burst / 2

    @pytest.mark.parametrize("attribute", [b"\x80\x22\0\0", b"\0\x20\0\x14\0\2" + bytes(18)])
    async def test_what_takes_long_to_read_is_not_read(
        self,
        monkeypatch: pytest.MonkeyPatch,
        network: Network,
        agent: IceAgent,
        peer: Peer,
        attribute: bytes,
    ) -> None:
        parsed: list[bytes] = []
        monkeypatch.setattr("relay.ice_checks.stun.parse_message", parsed.append)
        for kind in (b"\0\1", b"\1\1"):
            body = attribute * (1440 // len(attribute))
            head = kind + len(body).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + bytes(12)
            peer.send(head + body)
            peer.send(head[:2] + b"\0\0" + head[4:])
        assert parsed == []
        assert network.drops == {
            DropReason.STUN_MALFORMED: 2,
            DropReason.STUN_UNKNOWN_USER: 1,
            DropReason.STUN_UNEXPECTED: 1,
        }

    async def test_too_many_addresses(
        self, network: Network, agent: IceAgent, observed: Observed
    ) -> None:
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        known = ice_checks.MAX_REMOTE_ADDRESSES
        for number in range(known + 5):
            Peer(network, agent, Address("198.51.100.7", 1_000 + number)).check()
        assert network.drops == {DropReason.STUN_TOO_MANY_ADDRESSES: 5}
        assert len(observed.validated) == known
        network.peers[Address("198.51.100.7", 1_000)].check()  # a known one may always
        assert network.drops == {DropReason.STUN_TOO_MANY_ADDRESSES: 5}

    async def test_too_many_candidates(self, network: Network, agent: IceAgent) -> None:
        for number in range(3 * ice_checks.MAX_REMOTE_ADDRESSES):
            agent.add_remote_candidate(candidate(Address("198.51.100.7", 1_000 + number)))
        agent.start(PEER_PARAMETERS)
        seen: set[Address] = set()

        def checked() -> bool:
            seen.update(path.remote for path, _ in network.sent)
            return len(seen) >= ice_checks.MAX_REMOTE_ADDRESSES

        await until(checked)
        assert len(agent._connection._remote_candidates) == ice_checks.MAX_REMOTE_ADDRESSES

    @pytest.mark.parametrize(
        "changes",
        [
            {"address": "5a0e8c1f-1111-2222-3333-444455556666.local"},
            {"address": "relay.example.org"},
            {"address": ""},
            {"address": "198.51.100.256"},
            {"address": "224.0.0.1"},
            {"address": "ff02::1"},
            {"address": "255.255.255.255"},
            {"address": "0.0.0.0"},
            {"address": "::"},
            {"port": 0},
            {"port": 65_536},
            {"port": -1},
            {"protocol": "tcp", "port": 9, "tcp_type": "active"},
            {"component": 2},
            {"type": "prflx"},
            {"type": "nonsense"},
            {"address": "2001:db8::7"},  # a family that we have no socket of
        ],
    )
    async def test_useless_candidate(
        self, network: Network, agent: IceAgent, peer: Peer, changes: dict[str, Any]
    ) -> None:
        agent.add_remote_candidate(candidate(**changes))
        agent.add_remote_candidate(candidate())  # the one after it is tried
        agent.start(PEER_PARAMETERS)
        await until(lambda: bool(peer.requests))
        assert {path.remote for path, _ in network.sent} == {REMOTE}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_that_arrives_raises(data: st.DataObject) -> None:
    """Arbitrary bytes, arbitrary attributes and mutated messages: used or counted, never raised."""

    faults: list[object] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        network = Network()
        observed = Observed()
        agent = network.mux.create_agent([LOCAL], observed.observer())
        peer = Peer(network, agent)
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for _ in range(5):
            peer.send(data.draw(hostile(peer)))
            await asyncio.sleep(0)
        agent.close()
        await network.mux.close()

    asyncio.run(scenario())
    assert faults == []


def hostile(peer: Peer) -> st.SearchStrategy[bytes]:
    """Datagrams that look more or less like STUN of this session."""
    valid = [bytes(peer.request())]
    valid += [bytes(peer.answer(request)) for request in peer.requests[-1:]]
    attribute = st.builds(
        lambda kind, value: struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4),
        st.sampled_from([entry[0] for entry in stun.ATTRIBUTES]),
        st.binary(max_size=24),
    )
    identifiers = [request.transaction_id for request in peer.requests[-1:]] + [bytes(12)]
    framed = st.builds(
        lambda kind, body, identifier: (
            struct.pack("!HHI12s", kind, len(body), stun.COOKIE, identifier) + body
        ),
        st.sampled_from([0x0001, 0x0011, 0x0101, 0x0111, 0x0003, 0x0FFF]),
        st.lists(attribute, max_size=4).map(b"".join),
        st.sampled_from(identifiers),
    )
    mutated = st.builds(
        lambda message, position, byte: (
            message[: position % len(message)]
            + bytes([byte])
            + message[position % len(message) + 1 :]
        ),
        st.sampled_from(valid),
        st.integers(0, 200),
        st.integers(0, 255),
    )
    signed = st.builds(
        lambda changes: bytes(peer.request(**changes)),
        st.dictionaries(
            st.sampled_from(["PRIORITY", "ICE-CONTROLLED", "USE-CANDIDATE", "USERNAME"]),
            st.none(),
        ),
    )
    return st.one_of(st.binary(max_size=100), framed, mutated, signed)


class TestVictim:
    """Somebody whose address others name in their candidates."""

    VICTIM = Address("203.0.113.9", 53)

    async def _name(self, network: Network, connections: int) -> list[IceAgent]:
        agents = []
        for _ in range(connections):
            agent = network.mux.create_agent([LOCAL], Observed().observer())
            for number in range(ice_checks.MAX_REMOTE_ADDRESSES):
                agent.add_remote_candidate(candidate(Address(self.VICTIM.host, 53 + number)))
            agent.start(PEER_PARAMETERS)
            agents.append(agent)
        return agents

    async def test_gets_no_more_checks_than_from_one_budget(self, network: Network) -> None:
        agents = await self._name(network, connections=20)
        began = asyncio.get_running_loop().time()
        await until(lambda: network.mux.withheld >= 50)
        passed = asyncio.get_running_loop().time() - began
        sent = sum(path.remote.host == self.VICTIM.host for path, _ in network.sent)
        assert sent <= HOST_BURST + HOST_RATE * passed + 1
        assert sent >= HOST_BURST
        assert network.drops == {}  # nothing came that could have been dropped
        for agent in agents:
            agent.close()
        await network.mux.close()

    async def test_delays_nobody_who_is_there(
        self, network: Network, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(network.mux.outreach, "take", lambda host, now: False)
        observed = Observed()
        agent = network.mux.create_agent([LOCAL], observed.observer())
        peer = Peer(network, agent)
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await until(lambda: network.mux.withheld > 0)
        assert network.sent == []
        peer.check()
        # Answered and checked at once: the next retransmission might be half a minute away.
        assert [stun.parse_message(datagram).message_class for _, datagram in network.sent] == [
            stun.Class.RESPONSE,
            stun.Class.REQUEST,
        ]
        await observed.until_selected(PATH)
        agent.close()
        await network.mux.close()


class TestConsent:
    @pytest.fixture(autouse=True)
    def hurry(self, monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
        """Seconds become milliseconds (RFC 7675 §5.1: every 5 s, lost after 30 s)."""
        monkeypatch.setattr("relay.consent.INTERVAL", 0.005)
        network.mux.timers.step = 0.002

    @pytest.fixture
    def expiring(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Short enough to wait for; the peer answers at once or never."""
        monkeypatch.setattr("relay.consent.EXPIRY", 0.1)

    async def test_is_asked_for(self, agent: IceAgent, peer: Peer, observed: Observed) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        await until(lambda: len(peer.requests) > 20)
        assert observed.failures == 0

    async def test_checks_are_what_rfc_7675_wants(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        before = len(peer.requests)
        await until(lambda: len(peer.requests) > before + 5)
        checks = peer.requests[before:]
        assert len({check.transaction_id for check in checks}) == len(checks)
        for check in checks:
            assert check.attributes["USERNAME"] == f"peer:{agent.parameters.username_fragment}"
            assert check.attributes["PRIORITY"] == candidate_priority(1, "prflx")
            assert "ICE-CONTROLLING" in check.attributes
            assert "USE-CANDIDATE" not in check.attributes
            assert check.check_message_integrity(PEER_PARAMETERS.password.encode())

    async def test_tells_the_round_trip_time(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        agent.round_trip_time = None
        await until(lambda: agent.round_trip_time is not None)

    async def test_a_round_trip_ends_when_the_answer_came(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        # Not when it is looked at: it may have waited on its way up.
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        peer.answering = False
        peer.requests.clear()
        await until(lambda: bool(peer.requests))
        check = peer.requests[-1]
        assert agent._consent is not None
        sent = agent._consent._outstanding[check.transaction_id]
        network.mux.receive(PATH, bytes(peer.answer(check)), sent + 0.125)
        assert agent.round_trip_time == pytest.approx(0.125)

    async def test_the_peers_checks_are_answered(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        for number in range(3):  # the first goes through aioice, those after are known
            peer.responses.clear()
            request = peer.request()
            peer.send(bytes(request))
            await until(lambda: bool(peer.responses))
            (answer,) = peer.responses
            assert answer.message_class is stun.Class.RESPONSE
            assert answer.transaction_id == request.transaction_id
            assert answer.attributes["XOR-MAPPED-ADDRESS"] == tuple(REMOTE)
            assert answer.check_message_integrity(agent.parameters.password.encode())
            assert observed.validated == [PATH] * (number + 1)
        assert network.drops == {}

    @pytest.mark.parametrize("changes", [{"key": "w" * 24}, {"key": "w" * 24, "PRIORITY": 1}])
    async def test_forged_checks_are_not_answered(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed, changes: Any
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        peer.check()
        await until(lambda: bool(peer.responses))
        peer.responses.clear()
        peer.check(**changes)
        assert network.drops == {DropReason.STUN_UNAUTHENTICATED: 1}
        await asyncio.sleep(0)
        assert peer.responses == []

    async def test_a_role_conflict_is_told_on_a_selected_pair(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        for _ in range(2):  # such a request never becomes a familiar one
            peer.responses.clear()
            peer.check(ICE_CONTROLLED=None, ICE_CONTROLLING=0)
            await until(lambda: bool(peer.responses))
            assert peer.responses[0].error_code == 487

    @pytest.mark.parametrize("forgery", ["key", "refusal", "elsewhere"])
    async def test_forged_answers_give_none(
        self,
        network: Network,
        agent: IceAgent,
        peer: Peer,
        observed: Observed,
        expiring: None,
        forgery: str,
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        peer.answering = False
        while not observed.failures:
            peer.requests.clear()
            await until(lambda: peer.requests or observed.failures)
            if not peer.requests:
                return
            request = peer.requests[-1]
            if forgery == "key":
                peer.send(bytes(peer.answer(request, key="forged")))
            elif forgery == "refusal":
                peer.send(bytes(peer.refusal(request)))
            else:
                elsewhere = Path(LOCAL, Address("203.0.113.66", 6_666))
                network.receive(elsewhere, bytes(peer.answer(request)))

    async def test_an_answer_of_another_form_counts(
        self, agent: IceAgent, peer: Peer, observed: Observed, expiring: None
    ) -> None:
        # RFC 8445 §7.1 wants FINGERPRINT; what is signed without it is still the peer's word.
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        peer.answering = False
        seen = len(peer.requests)
        await until(lambda: len(peer.requests) > seen)
        answer = peer.answer(peer.requests[-1])
        del answer.attributes["FINGERPRINT"]
        agent.round_trip_time = None
        peer.send(bytes(answer))
        assert agent.round_trip_time is not None

    async def test_moves_with_the_peer(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected(PATH)
        moved = Peer(network, agent, Address("203.0.113.9", 6_000))
        moved.check()
        await observed.until_selected(Path(LOCAL, moved.address))
        assert set(network.mux.selected) == {Path(LOCAL, moved.address)}
        left, seen = len(peer.requests), len(moved.requests)
        await until(lambda: len(moved.requests) > seen + 3)
        assert len(peer.requests) == left

    async def test_is_lost(
        self, agent: IceAgent, peer: Peer, observed: Observed, expiring: None
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        await until(lambda: len(peer.requests) > 3)
        peer.answering = False
        await observed.until_failed()
        agent.close()
        await asyncio.wait_for(agent.mux.close(), 20)
        assert observed.failures == 1

    async def test_closing_from_the_observer(self, network: Network, expiring: None) -> None:
        closed = asyncio.Event()

        def fail(why: str) -> None:
            mine.close()
            closed.set()

        observed = Observed()
        observer = observed.observer()
        mine = network.mux.create_agent([LOCAL], replace(observer, failed=fail))
        peer = Peer(network, mine)
        mine.add_remote_candidate(candidate())
        mine.start(PEER_PARAMETERS)
        await observed.until_selected()
        peer.answering = False
        await asyncio.wait_for(closed.wait(), 20)


class TestSettled:
    """When the media plane may answer the peer's checks by itself; seconds become milliseconds."""

    @pytest.fixture(autouse=True)
    def hurry(self, monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
        monkeypatch.setattr("relay.consent.INTERVAL", 0.02)
        monkeypatch.setattr("relay.ice_agent.PROBE_INTERVAL", 0.01)
        monkeypatch.setattr("relay.roaming.QUIET", 0.0)
        network.mux.timers.step = 0.002

    @pytest.fixture
    async def selected(self, agent: IceAgent, peer: Peer, observed: Observed) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()

    async def test_once_the_usual_check_is_known(
        self, network: Network, peer: Peer, selected: None
    ) -> None:
        assert network.settled == {}
        peer.check()
        request = bytes(peer.request())
        assert network.settled[PATH].answer(request) is not None
        peer.check(PRIORITY=7)
        assert network.settled[PATH].answer(request) is None
        assert network.settled[PATH].answer(bytes(peer.request(PRIORITY=7))) is not None

    async def test_at_once_when_it_was_known_before(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        peer.check()
        assert network.settled == {}
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        await until(lambda: not network.mux.running)
        assert network.settled[PATH].answer(bytes(peer.request())) is not None

    async def test_not_what_asks_for_more_than_an_answer(
        self, network: Network, peer: Peer, selected: None
    ) -> None:
        peer.check(ICE_CONTROLLED=None, ICE_CONTROLLING=0)
        assert network.settled == {}

    async def test_not_while_the_path_is_in_doubt(
        self, network: Network, agent: IceAgent, peer: Peer, selected: None
    ) -> None:
        peer.check()
        peer.answering = False
        await until(lambda: agent.is_doubtful)
        assert network.settled == {}
        peer.check()
        assert network.settled == {}
        peer.answering = True
        await until(lambda: not agent.is_doubtful)
        assert set(network.settled) == {PATH}

    async def test_not_after_a_move(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed, selected: None
    ) -> None:
        peer.check()
        moved = Peer(network, agent, Address("203.0.113.9", 6_000))
        moved.check()
        await observed.until_selected(Path(LOCAL, moved.address))
        assert PATH not in network.settled
        await until(lambda: set(network.settled) == {Path(LOCAL, moved.address)})

    async def test_not_while_aioice_checks_the_path(
        self, network: Network, peer: Peer, selected: None
    ) -> None:
        # A restart of another agent's, say, which waits for its answers.
        peer.check()
        observed = Observed()
        other = network.mux.create_agent([LOCAL], observed.observer())
        peer.answering = False
        other.add_remote_candidate(candidate())
        other.start(PEER_PARAMETERS)
        await until(lambda: bool(network.mux.running))
        assert network.settled == {}
        peer.check()
        assert network.settled == {}
        peer.answering = True
        await until(lambda: not network.mux.running)
        await observed.until_selected()
        await until(lambda: not network.mux.running)
        peer.check()  # by the first agent's credentials, whose path it is no more
        assert network.settled == {}

    async def test_settled_again_once_such_a_check_has_ended(
        self, network: Network, peer: Peer, selected: None
    ) -> None:
        peer.check()
        other = network.mux.create_agent([LOCAL], Observed().observer())
        peer.answering = False
        other.add_remote_candidate(candidate())
        other.start(PEER_PARAMETERS)
        await until(lambda: bool(network.mux.running))
        peer.answering = True
        other.close()
        await until(lambda: not network.mux.running)
        await until(lambda: set(network.settled) == {PATH})

    async def test_not_after_the_end(
        self, network: Network, agent: IceAgent, peer: Peer, selected: None
    ) -> None:
        peer.check()
        assert set(network.settled) == {PATH}
        agent.close()
        assert network.settled == {}


class TestRoaming:
    """The peer moves, and the relay follows; seconds become milliseconds."""

    @pytest.fixture(autouse=True)
    def hurry(self, monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
        monkeypatch.setattr("relay.consent.INTERVAL", 0.02)
        monkeypatch.setattr("relay.ice_agent.PROBE_INTERVAL", 0.01)
        monkeypatch.setattr("relay.roaming.QUIET", 0.0)
        network.mux.timers.step = 0.002

    @pytest.fixture
    async def moved(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> Peer:
        """The peer was at REMOTE, and is at another address now."""
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected(PATH)
        moved = Peer(network, agent, Address("203.0.113.9", 6_000))
        moved.check()
        await observed.until_selected(Path(LOCAL, moved.address))
        return moved

    async def test_back_again(self, peer: Peer, moved: Peer, observed: Observed) -> None:
        for _ in range(3):
            moved.answering = False
            peer.answering = True
            peer.check()
            await observed.until_selected(PATH)
            peer.answering = False
            moved.answering = True
            moved.check()
            await observed.until_selected(Path(LOCAL, moved.address))
        assert observed.failures == 0

    async def test_without_a_check_by_the_peer(
        self, peer: Peer, moved: Peer, observed: Observed
    ) -> None:
        # It was heard at REMOTE once, and says nothing now; only our checks reach it there.
        peer.check()
        moved.answering = False
        await observed.until_selected(PATH)

    async def test_a_living_path_is_kept(
        self, peer: Peer, moved: Peer, observed: Observed, agent: IceAgent
    ) -> None:
        for _ in range(5):
            peer.check()
            await asyncio.sleep(0.01)
        await until(lambda: not agent.is_doubtful)
        assert observed.selected[-1] == Path(LOCAL, moved.address)
        assert len(observed.selected) == 2

    async def test_a_path_whose_check_was_running_at_the_nomination(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        slow = Peer(network, agent, Address("203.0.113.9", 6_000))
        slow.answering = False
        agent.add_remote_candidate(candidate(slow.address))
        agent.start(PEER_PARAMETERS)
        await until(lambda: bool(slow.requests))
        agent.add_remote_candidate(candidate())
        await observed.until_selected(PATH)
        slow.answering, peer.answering = True, False
        slow.check()
        await observed.until_selected(Path(LOCAL, slow.address))

    async def test_a_path_whose_check_was_about_to_begin_at_the_end_of_the_first_ones(
        self,
        network: Network,
        agent: IceAgent,
        peer: Peer,
        observed: Observed,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        moved = Peer(network, agent, Address("203.0.113.9", 6_000))

        def select(path: Path) -> None:
            observed.selected.append(path)
            if path == PATH:
                moved.check()  # and in the next turn what is running is cancelled

        agent.observer = replace(agent.observer, selected=select)
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await until(lambda: observed.selected == [PATH, Path(LOCAL, moved.address)])

    async def test_a_peer_that_answers_nowhere_is_doubted_and_believed_again(
        self, peer: Peer, moved: Peer, observed: Observed, agent: IceAgent
    ) -> None:
        peer.check()
        moved.answering = peer.answering = False
        await until(lambda: observed.doubts == 1)
        assert agent.is_doubtful
        moved.answering = True
        moved.check()
        await until(lambda: not agent.is_doubtful)
        assert observed.failures == 0
        assert observed.selected[-1] == Path(LOCAL, moved.address)

    async def test_every_move_of_a_restless_nat_is_followed(
        self,
        network: Network,
        agent: IceAgent,
        moved: Peer,
        observed: Observed,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("relay.roaming.FORGET_AFTER", 0.0)
        for number in range(3 * MAX_PATHS):
            moved.answering = False
            moved = Peer(network, agent, Address("203.0.113.9", 7_000 + number))
            moved.check()
            await observed.until_selected(Path(LOCAL, moved.address))
        assert network.drops == {}
        assert len(agent.paths) == MAX_PATHS
        assert len(observed.forgotten) == 1 + 2 * MAX_PATHS
        assert len(agent._connection._check_list) <= MAX_PATHS + 1
        assert len(agent._connection._remote_candidates) <= MAX_PATHS + 1

    async def test_replayed_checks_change_nothing(
        self, network: Network, agent: IceAgent, moved: Peer, observed: Observed
    ) -> None:
        # Whoever saw a check can send it again from anywhere, but cannot answer ours.
        replayed = bytes(moved.request())
        stranger = Path(LOCAL, Address("203.0.113.66", 6_666))
        for _ in range(5):
            network.receive(stranger, replayed)
            await asyncio.sleep(0.01)
        assert observed.selected[-1] == Path(LOCAL, moved.address)
        await until(lambda: not agent.is_doubtful)


class TestRoleConflict:
    async def test_a_peer_that_insists_is_given_up(
        self, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        peer.stubborn = True
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_failed()
        agent.close()
        await asyncio.wait_for(agent.mux.close(), 20)
        assert len(peer.requests) <= ice_checks.MAX_ROLE_CONFLICTS + 2


class TestClose:
    """The network fixture looks for tasks and transactions afterwards."""

    async def test_new(self, agent: IceAgent) -> None:
        agent.close()
        agent.close()

    async def test_waiting_for_candidates(self, agent: IceAgent) -> None:
        agent.start(PEER_PARAMETERS)
        await asyncio.sleep(0)
        agent.close()

    async def test_checking(self, network: Network, agent: IceAgent, peer: Peer) -> None:
        peer.answering = False
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await until(lambda: bool(peer.requests))
        assert network.mux.transactions
        agent.close()

    @pytest.mark.parametrize("turns", range(6))
    async def test_right_after_the_nomination(
        self, agent: IceAgent, peer: Peer, observed: Observed, turns: int
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        for _ in range(turns):
            await asyncio.sleep(0)
        agent.close()

    async def test_in_the_turn_of_a_move_that_came_with_the_nomination(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        moved = Peer(network, agent, Address("203.0.113.9", 6_000))
        moved.answering = False

        def select(path: Path) -> None:
            observed.selected.append(path)
            moved.check()
            agent.close()

        agent.observer = replace(agent.observer, selected=select)
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()

    async def test_connected(
        self, network: Network, agent: IceAgent, peer: Peer, observed: Observed
    ) -> None:
        agent.add_remote_candidate(candidate())
        agent.start(PEER_PARAMETERS)
        await observed.until_selected()
        await until(lambda: network.mux.selected)
        agent.close()

    async def test_nothing_is_taken_afterwards(
        self, network: Network, agent: IceAgent, peer: Peer
    ) -> None:
        agent.close()
        agent.add_remote_candidate(candidate())
        agent.add_local_address(LOCAL_6)
        await network.mux.close()
        assert network.sent == []


class TestCredentials:
    async def test_are_new_each_time(self, network: Network, observed: Observed) -> None:
        agents = [network.mux.create_agent([LOCAL], observed.observer()) for _ in range(20)]
        assert len({agent.parameters.username_fragment for agent in agents}) == 20
        assert len({agent.parameters.password for agent in agents}) == 20

    async def test_are_what_rfc_8839_allows(self, agent: IceAgent) -> None:
        validate_username(agent.parameters.username_fragment)
        validate_password(agent.parameters.password)

    async def test_never_twice_at_once(
        self, network: Network, observed: Observed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = iter(["same-one", "p" * 24, "same-one", "same-one", "another1", "q" * 24])
        for module in (ice, ice_agent):
            monkeypatch.setattr(module, "random_name", lambda length: next(names).replace("-", "+"))
        first = network.mux.create_agent([LOCAL], observed.observer())
        second = network.mux.create_agent([LOCAL], observed.observer())
        assert first.parameters.username_fragment == "same+one"
        assert second.parameters.username_fragment == "another1"
