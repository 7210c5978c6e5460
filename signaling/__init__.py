"""Rooms and participants: the protocol's messages, the WebSocket server, the web client, the command line.

The way of a message: `server.py` (socket) → `session.py` (one participant's end) → `messages.py` (typed
message) → `room.py` (what it means) → `media.py` (the relay) and back through each participant's outlet.
`negotiation.py` alone turns the relay's parameters into SDP and back. `docs/protocol.md` is the contract.
"""
