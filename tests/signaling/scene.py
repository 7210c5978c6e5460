"""A scene for everything that can be done wrong."""

from __future__ import annotations

from typing import Any

from tests.signaling.lab import Client, Lab, Message, answer, candidate

VALID: dict[str, Message] = {
    "join_room": {"room": "room", "name": "Ada"},
    "resume_room": {"resume_token": "token"},
    "create_publisher": {},
    "publish_audio": {"publisher_id": "nobody", "answer": answer()},
    "publisher_ice_candidate": {"publisher_id": "nobody", "candidate": candidate()},
    "create_consumer": {"publisher_id": "nobody"},
    "consumer_answer": {"consumer_id": "nobody", "answer": answer()},
    "consumer_ice_candidate": {"consumer_id": "nobody", "candidate": candidate()},
    "restart_ice": {"publisher_id": "nobody"},
    "ice_restart_answer": {"consumer_id": "nobody", "answer": answer()},
    "close_publisher": {"publisher_id": "nobody"},
    "close_consumer": {"consumer_id": "nobody"},
    "set_muted": {"muted": True},
    "mute_participant": {"participant_id": "nobody", "muted": True},
    "remove_participant": {"participant_id": "nobody"},
    "get_stats": {},
    "leave_room": {},
}
"""Every message of the protocol with all that it must have."""

EITHER = {type: {"publisher_id", "consumer_id"} for type in ("restart_ice", "ice_restart_answer")}
"""Fields of which a message must have exactly one."""


def refused(client: Client, type: str, code: str, **fields: Any) -> None:
    """The message gets this error, with its id and a sentence."""
    reply = client.ask(type, **fields)
    assert (reply["type"], reply["code"]) == ("error", code), reply
    assert reply["message"].endswith(".")
    assert len(reply["message"]) > 20
    assert set(reply) == {"type", "code", "message"}


class Scene:
    """Ada does the wrong thing; Bob is in the room with her, Eve in another one."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.ada = lab.joined("Ada")
        self.bob = lab.joined("Bob")
        self.eve = lab.joined("Eve", room="elsewhere")

    def nobody_noticed(self) -> None:
        assert self.bob.take() == []
        assert self.eve.take() == []
