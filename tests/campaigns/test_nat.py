from __future__ import annotations

import struct

from tests.campaigns.nat import PortTranslator


def packet(source: int, destination: int, *, protocol: int = 17) -> bytes:
    """IPv4 with a payload of three bytes."""
    header = bytes([0x45, 0, 0, 31]) + bytes(5) + bytes([protocol]) + bytes(10)
    return header + struct.pack("!HHHH", source, destination, 11, 0xABCD) + b"abc"


def ports(data: bytes) -> tuple[int, int, int]:
    """Source, destination and checksum."""
    source, destination, _, checksum = struct.unpack_from("!HHHH", data, 20)
    return source, destination, checksum


def test_a_port_keeps_its_outer_port() -> None:
    translator = PortTranslator()
    first, _, checksum = ports(translator.outbound(packet(5000, 40000)))
    again, destination, _ = ports(translator.outbound(packet(5000, 40001)))
    other, _, _ = ports(translator.outbound(packet(5001, 40000)))
    assert first == again != other
    assert first != 5000
    assert destination == 40001
    assert checksum == 0


def test_answers_find_their_way_back() -> None:
    translator = PortTranslator()
    outer, _, _ = ports(translator.outbound(packet(5000, 40000)))
    answer = translator.inbound(packet(40000, outer))
    assert answer is not None
    assert ports(answer)[:2] == (40000, 5000)
    assert answer.endswith(b"abc")


def test_nobody_is_meant_by_a_port_that_was_never_given() -> None:
    assert PortTranslator().inbound(packet(40000, 20000)) is None


def test_forgetting_gives_other_ports_and_closes_the_old_ones() -> None:
    translator = PortTranslator()
    before, _, _ = ports(translator.outbound(packet(5000, 40000)))
    translator.rebind()
    assert translator.inbound(packet(40000, before)) is None
    after, _, _ = ports(translator.outbound(packet(5000, 40000)))
    assert after != before


def test_what_is_not_udp_over_ipv4_passes_unchanged() -> None:
    translator = PortTranslator()
    for other in (packet(5000, 80, protocol=6), bytes([0x60]) + bytes(47), b"", b"\x45"):
        assert translator.outbound(other) == other
        assert translator.inbound(other) == other
