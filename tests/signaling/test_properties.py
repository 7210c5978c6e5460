"""Whatever several clients send in whatever order, and whatever the relay does: the rules hold."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from relay import ConnectionState
from signaling.messages import Reason
from signaling.session import MESSAGE_BURST, MESSAGE_RATE
from tests.signaling.double import Connection
from tests.signaling.lab import Client, Lab, Message, answer, answer_with, candidate
from tests.signaling.scene import VALID
from tests.signaling.test_messages import JSON_VALUES

ANSWERS = [answer(), answer_with("a=fingerprint"), answer_with("a=rtpmap"), {"type": "offer"}]
CANDIDATES = [candidate(), candidate(""), None, candidate("nonsense"), {}]
WITHOUT_REPLY = ("publisher_ice_candidate", "consumer_ice_candidate")
CONSUMABLE = (ConnectionState.CONNECTED,)
CLOSING = ("close_publisher", "close_consumer")
LATE_REPLY = ("publish_audio", "consumer_answer")
RESTART_ANSWER = "ice_restart_answer"
GRACE = 10
ROOMS = st.sampled_from(["a", "b", "c"])
CLIENTS = st.integers(0, 3)
STRANGERS = st.none() | CLIENTS


class Owned(NamedTuple):
    """A connection, and whose it is or was."""

    who: int
    id: str


class Rules(RuleBasedStateMachine):
    """Four clients, three rooms of which two may be open, three participants in each."""

    connections = Bundle("connections")

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab(max_rooms=2, max_participants=3, resume_grace=GRACE)
        self.clients = [self.lab.client() for _ in range(4)]
        self.asked = 0
        self.waiting: list[set[str]] = [set() for _ in self.clients]

    # What clients do.

    @rule(who=CLIENTS, room=ROOMS)
    def join(self, who: int, room: str) -> None:
        self._ask(who, {"type": "join_room", "room": room, "name": f"Client {who}"})

    @rule(target=connections, who=CLIENTS)
    def create_publisher(self, who: int) -> Any:
        reply = self._ask(who, {"type": "create_publisher"})
        return self._created(who, reply, "publisher_id")

    @rule(target=connections, who=CLIENTS, of=connections)
    def create_consumer(self, who: int, of: Owned) -> Any:
        reply = self._ask(who, {"type": "create_consumer", "publisher_id": of.id})
        return self._created(who, reply, "consumer_id")

    @rule(target=connections, who=CLIENTS)
    def come_and_publish(self, who: int) -> Any:
        self.join(who, "a")
        owned = self.create_publisher(who)
        if isinstance(owned, Owned):
            self.answer(owned, None, "publish_audio", answer())
            self.establish(owned)
        return owned

    @rule(target=connections, who=CLIENTS, media=st.booleans())
    def come_and_listen_to_all(self, who: int, media: bool) -> Any:
        self.join(who, "a")
        relay = self.lab.relay
        heard = [item.id for item in relay.publishers.values() if item.state in CONSUMABLE]
        found = [self.create_consumer(who, Owned(who, id)) for id in heard]
        consumers = [owned for owned in found if isinstance(owned, Owned)]
        for owned in consumers:
            self.answer(owned, None, "consumer_answer", answer())
            if media:
                self.establish(owned)
        return multiple(*consumers)

    @rule(
        of=connections,
        stranger=STRANGERS,
        type=st.sampled_from(LATE_REPLY),
        answer=st.sampled_from(ANSWERS),
    )
    def answer(self, of: Owned, stranger: int | None, type: str, answer: Message) -> None:
        self._ask_about(of, stranger, {"type": type, "answer": answer})

    @rule(
        of=connections,
        stranger=STRANGERS,
        type=st.sampled_from(WITHOUT_REPLY),
        init=st.sampled_from(CANDIDATES),
    )
    def trickle(self, of: Owned, stranger: int | None, type: str, init: Message | None) -> None:
        self._ask_about(of, stranger, {"type": type, "candidate": init})

    @rule(of=connections, stranger=STRANGERS, type=st.sampled_from(CLOSING))
    def close(self, of: Owned, stranger: int | None, type: str) -> None:
        self._ask_about(of, stranger, {"type": type})

    @rule(of=connections, stranger=STRANGERS, answer=st.none() | st.sampled_from(ANSWERS))
    def restart(self, of: Owned, stranger: int | None, answer: Message | None) -> None:
        """Ask for a restart, or answer its offer."""
        kind = "publisher_id" if of.id in self.lab.relay.publishers else "consumer_id"
        message: Message = {"type": "restart_ice", kind: of.id}
        if answer is not None:
            message |= {"type": RESTART_ANSWER, "answer": answer}
        self._ask(of.who if stranger is None else stranger, message)

    @rule(who=CLIENTS, type=st.sampled_from(sorted(VALID)))
    def send_anything_valid(self, who: int, type: str) -> None:
        self._ask(who, {"type": type} | VALID[type])

    @rule(who=CLIENTS, type=st.sampled_from(sorted(VALID)), data=st.data())
    def send_anything_mutated(self, who: int, type: str, data: st.DataObject) -> None:
        message: Message = {"type": type} | VALID[type]
        message[data.draw(st.sampled_from(sorted(message)))] = data.draw(JSON_VALUES)
        self._ask(who, message)

    @rule(who=CLIENTS, frame=st.text(max_size=20))
    def send_anything_at_all(self, who: int, frame: str) -> None:
        client = self.clients[who]
        before = len(client.inbox)
        client.session.receive(frame, self.lab.now)
        assert len(client.inbox) == before + 1
        self._take_replies()

    @rule(who=CLIENTS, muted=st.booleans())
    def mute(self, who: int, muted: bool) -> None:
        self._ask(who, {"type": "set_muted", "muted": muted})

    @rule(who=CLIENTS, reason=st.sampled_from([Reason.LEFT, Reason.DISCONNECTED, Reason.SHUTDOWN]))
    def replace_the_socket(self, who: int, reason: Reason) -> None:
        self.clients[who].session.end(reason)
        self._take_replies()
        assert not self.waiting[who]
        self.clients[who] = self.lab.client()

    # What the network does.

    @rule(who=CLIENTS, patience=st.sampled_from([0, GRACE - 1, GRACE]))
    def lose_the_socket(self, who: int, patience: int) -> None:
        """And come back, in time or not, with what waits for media still waiting."""
        lost = self.clients[who]
        was_in_a_room = self._is_in_a_room(lost)
        lost.session.lose(self.lab.now)
        self.clients[who] = client = self.lab.client()
        assert self._come_back(who, client, lost.token, patience) is (
            was_in_a_room and patience < GRACE
        )

    @rule(who=CLIENTS)
    def take_over_a_half_open_socket(self, who: int) -> None:
        old, self.clients[who] = self.clients[who], self.lab.client()
        was_in_a_room = self._is_in_a_room(old)
        assert self._come_back(who, self.clients[who], old.token, 0) is was_in_a_room
        assert (old.closed is not None) is was_in_a_room

    def _is_in_a_room(self, client: Client) -> bool:
        return client.session._place is not None

    def _come_back(self, who: int, client: Client, token: str | None, patience: int) -> bool:
        self.lab.wait(patience)
        self.asked += 1
        frame = {"type": "resume_room", "resume_token": token or "none", "id": f"q{self.asked}"}
        (reply,) = client.feed(json.dumps(frame))
        resumed = bool(reply["type"] == "room_resumed")
        if resumed:
            client.token = reply["resume_token"]
            own = [reply["publisher"], *reply["consumers"]]
            assert not any(item["state"] == "closed" for item in own if item)
        self._take_replies()  # somebody may have been given up
        self._forget_what_was_lost(who)
        return resumed

    def _forget_what_was_lost(self, who: int) -> None:
        """Replies that went nowhere, for nobody was there; what still waits for media does not."""
        waits = {
            item.request.id
            for room in self.lab.rooms._rooms.values()
            for participant in room.participants.values()
            for item in (participant.publication, *participant.subscriptions.values())
            if item is not None and item.request is not None
        } | {
            item.restarting.id
            for room in self.lab.rooms._rooms.values()
            for participant in room.participants.values()
            for item in (participant.publication, *participant.subscriptions.values())
            if item is not None and item.restarting is not None
        }
        self.waiting[who] &= waits

    @rule(of=connections)
    def establish(self, of: Owned) -> None:
        connection = self._connection(of.id)
        if connection.state is ConnectionState.CONNECTING:
            connection.establish()
        self._take_replies()

    @rule(of=connections, works=st.booleans())
    def end_the_restart(self, of: Owned, works: bool) -> None:
        connection = self._connection(of.id)
        if connection.is_restarting:
            connection.find_another_path() if works else connection.find_no_path()
        self._take_replies()

    @rule(of=connections)
    def doubt(self, of: Owned) -> None:
        connection = self._connection(of.id)
        if connection.state is ConnectionState.CONNECTED:
            connection.emit("doubtful")
        self._take_replies()

    @rule(of=connections)
    def lose(self, of: Owned) -> None:
        self._connection(of.id).fail()
        self._take_replies()

    @rule()
    def rest(self) -> None:
        self.lab.now += MESSAGE_BURST / MESSAGE_RATE

    # What always holds.

    @invariant()
    def participants_are_in_one_room_each(self) -> None:
        everybody = [
            participant
            for room in self.lab.rooms._rooms.values()
            for participant in room.participants.values()
        ]
        assert len({item.id for item in everybody}) == len(everybody) <= len(self.clients)
        assert all(room.participants for room in self.lab.rooms._rooms.values())
        assert len(self.lab.rooms) <= 2

    @invariant()
    def what_is_open_belongs_to_somebody_who_is_there(self) -> None:
        owned: set[str] = set()
        for room in self.lab.rooms._rooms.values():
            for participant in room.participants.values():
                owned.update(participant.subscriptions)
                for subscription in participant.subscriptions.values():
                    publication = subscription.publication
                    assert publication.owner.publication is publication
                    assert publication.subscriptions[participant.id] is subscription
                    assert room.participants[publication.owner.id] is publication.owner
                if participant.publication is not None:
                    owned.add(participant.publication.id)
                    assert participant.publication.media.muted == participant.muted
        assert owned == set(self.lab.relay.open_connections())

    @invariant()
    def requests_wait_only_for_media(self) -> None:
        connecting = sum(
            self._connection(id).state is ConnectionState.CONNECTING
            or self._connection(id).is_restarting
            for id in self.lab.relay.open_connections()
        )
        assert sum(map(len, self.waiting)) == connecting

    def teardown(self) -> None:
        self.lab.end_all()
        self._take_replies()
        assert not any(self.waiting)

    def _ask(self, who: int, message: Message) -> Message | None:
        """Send a message with an id: one direct answer at once, or for media later."""
        self.asked += 1
        id = f"q{self.asked}"
        self.waiting[who].add(id)
        frame = json.dumps(message | {"id": id})
        self.clients[who].session.receive(frame, self.lab.now)
        reply = self._take_replies().get(id)
        if reply is not None and reply["type"] == "room_joined":
            self.clients[who].token = reply["resume_token"]
        if reply is None and message["type"] in WITHOUT_REPLY:
            self.waiting[who].discard(id)
        elif reply is None:
            assert message["type"] in (*LATE_REPLY, RESTART_ANSWER)
        return reply

    def _ask_about(self, of: Owned, stranger: int | None, message: Message) -> None:
        """The owner of a connection asks, or somebody who has no business with it."""
        ids = {"publisher_id": of.id, "consumer_id": of.id}
        self._ask(of.who if stranger is None else stranger, message | ids)

    def _take_replies(self) -> dict[str, Message]:
        """Each reply answers one request of that client's, which waited, and does so once."""
        found: dict[str, Message] = {}
        for client, waiting in zip(self.clients, self.waiting, strict=True):
            for message in client.take():
                if "id" in message:
                    waiting.remove(message["id"])
                    found[message["id"]] = message
                assert message.get("code") != "internal"
        return found

    def _connection(self, id: str) -> Connection:
        relay = self.lab.relay
        return relay.publishers.get(id) or relay.consumers[id]

    def _created(self, who: int, reply: Message | None, field: str) -> Any:
        assert reply is not None
        return multiple() if reply["type"] == "error" else Owned(who, reply[field])


Rules.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestRules = Rules.TestCase


def test_a_second_reply_to_the_same_request_would_be_noticed() -> None:
    machine = Rules()
    machine.join(0, "a")
    machine.clients[0].inbox.append({"type": "room_left", "id": "q1"})
    with pytest.raises(KeyError):
        machine._take_replies()
    machine.teardown()
