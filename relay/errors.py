"""What the relay raises at whoever calls it.

Only the caller's own mistakes and the machine's refusals are raised. What comes from the network is
never an exception here: it is counted under a `DropReason` (`stats.py`), or closes the connection that
it belongs to.

    RelayError
    ├── AddressError         a socket could not be opened, or an address could not be read
    ├── InvalidStateError    the call does not fit the state of the object
    └── ParameterError       the other end's parameters cannot be used
"""

from __future__ import annotations


class RelayError(Exception):
    """Base of everything that the relay raises."""


class AddressError(RelayError):
    """An address that cannot be used. host, port: as asked for; reason: the system's words."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(host, port, reason)
        self.host = host
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"cannot use UDP address {host}:{self.port}: {self.reason}"


class InvalidStateError(RelayError):
    """A call in the wrong state. state: the one the object is in; needed: what the call wants."""

    def __init__(self, what: str, state: str, needed: str) -> None:
        super().__init__(what, state, needed)
        self.what = what
        self.state = state
        self.needed = needed

    def __str__(self) -> str:
        return f"{self.what} is {self.state}, but must be {self.needed}"


class ParameterError(RelayError):
    """Parameters of the other end that cannot be used. name: which; expected: what would do."""

    def __init__(self, name: str, expected: str) -> None:
        super().__init__(name, expected)
        self.name = name
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.name}: expected {self.expected}"
