"""Hostile clients against a real server, while other people talk: `make hostile`.

bystanders   the conversation that must not notice, in a process of its own
crowd        everybody in it, their voices, and what they hear
newcomers    who come meanwhile, and how long it takes them
strangers    datagrams from whoever can reach the UDP port
insiders     a participant with keys who sends what it should not
visitors     WebSocket and TCP connections that misbehave
frames       WebSockets of which every byte is the attacker's
handshakes   connections that are begun and never finished
campaign     one attack after the other, and what came of each
"""
