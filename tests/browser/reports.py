"""The browser's own statistics (W3C webrtc-stats) of one peer connection, as far as tests ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Report = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What `getStats` told about a connection of one audio stream."""

    entries: Report

    def of_type(self, kind: str) -> Report:
        return [entry for entry in self.entries if entry["type"] == kind]

    @property
    def inbound(self) -> dict[str, Any] | None:
        """The stream that is received, None for a connection that sends."""
        return next(iter(self.of_type("inbound-rtp")), None)

    @property
    def outbound(self) -> dict[str, Any] | None:
        """The stream that is sent, None for a connection that receives."""
        return next(iter(self.of_type("outbound-rtp")), None)

    @property
    def packets_lost(self) -> int:
        """Of the stream in whichever direction, as its receiver counts; 0 while it has not told."""
        received = self.inbound or next(iter(self.of_type("remote-inbound-rtp")), None)
        return 0 if received is None else int(received["packetsLost"])

    @property
    def concealed(self) -> float:
        """Seconds of what was received that the browser had to invent, silence included."""
        return 0.0 if self.inbound is None else self.inbound["concealedSamples"] / 48_000

    @property
    def remote_addresses(self) -> set[tuple[str, int]]:
        """Address and port of the other end of every candidate pair, selected or not."""
        candidates = {entry["id"]: entry for entry in self.of_type("remote-candidate")}
        remotes = (candidates[pair["remoteCandidateId"]] for pair in self.of_type("candidate-pair"))
        return {(remote["address"], remote["port"]) for remote in remotes}

    @property
    def round_trip_time(self) -> float | None:
        """Of the selected candidate pair, in seconds."""
        for pair in self.of_type("candidate-pair"):
            if pair.get("nominated") and pair["state"] == "succeeded":
                return pair.get("currentRoundTripTime")
        return None
