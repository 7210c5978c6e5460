"""Clients without sockets: JSON in, JSON out, over the double of the relay."""

from __future__ import annotations

import json
from typing import Any

from signaling.access import Access
from signaling.capacity import Capacity
from signaling.events import Event, Observers
from signaling.messages import Reason, ServerMessage, encode
from signaling.rooms import Rooms
from signaling.session import Session
from tests.signaling.double import Consumer, Publisher, Relay

Message = dict[str, Any]

FINGERPRINT = ":".join(["CD"] * 32)

ANSWER_LINES = (
    "v=0",
    "o=- 1 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "c=IN IP4 0.0.0.0",
    "a=mid:0",
    "a=sendonly",
    "a=rtcp-mux",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:0123456789abcdef01234567",
    f"a=fingerprint:sha-256 {FINGERPRINT}",
    "a=setup:active",
    "a=rtpmap:111 opus/48000/2",
)
"""What a browser answers, without what it may leave out."""

CANDIDATE = "candidate:1 1 udp 2122260223 198.51.100.7 50000 typ host"


def answer(lines: tuple[str, ...] = ANSWER_LINES) -> Message:
    """An `RTCSessionDescriptionInit`."""
    return {"type": "answer", "sdp": "".join(f"{line}\r\n" for line in lines)}


def answer_with(replaced: str, *by: str) -> Message:
    """An answer whose line that starts with `replaced` is another, or gone."""
    at = next(i for i, line in enumerate(ANSWER_LINES) if line.startswith(replaced))
    return answer(ANSWER_LINES[:at] + by + ANSWER_LINES[at + 1 :])


def candidate(text: str | None = CANDIDATE, **fields: Any) -> Message:
    """An `RTCIceCandidateInit`."""
    return {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0} | fields


class Client:
    """One end of the protocol. inbox: what came and was not taken yet. told: everything that ever came.
    closed: how it was closed."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.inbox: list[Message] = []
        self.told: list[Message] = []
        self.closed: tuple[int, str] | None = None
        self.session = Session(lab.rooms, self, lab.now)
        self.id = ""
        self.token: str | None = None

    # The session's outlet.

    def send(self, message: ServerMessage) -> None:
        if self.closed is None:
            self.told.append(json.loads(encode(message)))
            self.inbox.append(self.told[-1])

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)

    # The client's doing.

    def feed(self, frame: str) -> list[Message]:
        """Send a frame; what came of it to this client."""
        before = len(self.inbox)
        self.session.receive(frame, self._lab.now)
        found = self.inbox[before:]
        del self.inbox[before:]
        return found

    def ask(self, type: str, **fields: Any) -> Message:
        """Send a message that is answered at once by one message, and return that."""
        found = self.feed(json.dumps({"type": type, "id": "q"} | fields))
        assert len(found) == 1, found
        assert found[0].pop("id") == "q"
        return found[0]

    def tell(self, type: str, **fields: Any) -> None:
        """Send a message that has no answer now."""
        assert self.feed(json.dumps({"type": type} | fields)) == []

    def take(self) -> list[Message]:
        """What came, and has not been taken yet."""
        found, self.inbox = self.inbox, []
        return found

    # Steps that many tests begin with.

    def join(self, room: str = "room", name: str = "Ada", **fields: Any) -> Message:
        reply = self.ask("join_room", room=room, name=name, **fields)
        assert reply["type"] == "room_joined", reply
        self.id, self.token = reply["participant_id"], reply["resume_token"]
        return reply

    def resume(self, token: str | None) -> Message:
        reply = self.ask("resume_room", resume_token=token)
        assert reply["type"] == "room_resumed", reply
        self.id, self.token = reply["participant_id"], reply["resume_token"]
        return reply

    def create_publisher(self) -> Publisher:
        reply = self.ask("create_publisher")
        assert reply["type"] == "publisher_created", reply
        return self._lab.relay.publishers[reply["publisher_id"]]

    def publish(self) -> Publisher:
        """A publisher with media; everybody's news of it are taken."""
        publisher = self.create_publisher()
        self.tell("publish_audio", publisher_id=publisher.id, answer=answer())
        publisher.establish()
        self._lab.take_all()
        return publisher

    def create_consumer(self, publisher: Publisher) -> Consumer:
        reply = self.ask("create_consumer", publisher_id=publisher.id)
        assert reply["type"] == "consumer_created", reply
        return self._lab.relay.consumers[reply["consumer_id"]]

    def consume(self, publisher: Publisher) -> Consumer:
        """A consumer with media."""
        consumer = self.create_consumer(publisher)
        self.tell("consumer_answer", consumer_id=consumer.id, answer=answer())
        consumer.establish()
        self.take()
        return consumer


class Lab:
    """A server's rooms over a double of the relay, or over another one, and a clock that stands. events:
    what observers were told."""

    def __init__(
        self,
        *,
        max_rooms: int = 10,
        max_participants: int = 10,
        access: Access | None = None,
        capacity: Capacity | None = None,
        resume_grace: float = 0,
        relay: Any = None,
    ) -> None:
        self.now = 0.0
        self.relay = Relay() if relay is None else relay
        self.events: list[Event] = []
        self.observers = Observers(lambda: self.now)
        self.observers.add(self.events.append)
        self.rooms = Rooms(
            self.relay,
            max_rooms=max_rooms,
            max_participants=max_participants,
            access=access,
            capacity=capacity,
            resume_grace=resume_grace,
            observers=self.observers,
        )
        self.clients: list[Client] = []

    def client(self) -> Client:
        """Somebody in no room."""
        self.clients.append(Client(self))
        return self.clients[-1]

    def joined(self, name: str = "Ada", room: str = "room") -> Client:
        """Somebody in a room; everybody's news of it are taken."""
        client = self.client()
        client.join(room, name)
        self.take_all()
        return client

    def wait(self, seconds: float) -> None:
        """Let time pass, and do what is due then."""
        self.now += seconds
        self.rooms.expire(self.now)

    def take_all(self) -> None:
        for client in self.clients:
            client.take()

    def end_all(self) -> None:
        """Every socket goes; nothing may be left then."""
        for client in self.clients:
            client.session.end(Reason.DISCONNECTED)
        self.rooms.end_waiting(Reason.DISCONNECTED)
        assert len(self.rooms) == 0
        assert self.rooms.participant_count == 0
        assert self.relay.open_connections() == []
