"""Counters that wrap, timelines without a seam, and reception statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sequence import Reception, Timeline, extend_sequence, ticks, timestamp_delta

FRAME = 960  # ticks of a 20 ms packet at 48 kHz


@pytest.mark.parametrize(
    ("highest", "sequence", "extended"),
    [
        (0, 0, 0),
        (0, 1, 1),
        (0, 65535, -1),
        (100, 99, 99),
        (65535, 0, 65536),
        (65536, 65535, 65535),
        (65536, 0, 65536),
        (131071, 1, 131073),
        (0, 0x7FFF, 0x7FFF),
        (0, 0x8000, -0x8000),  # half of the range away: older
        (0, 0x8001, -0x7FFF),
    ],
)
def test_extend_sequence(highest: int, sequence: int, extended: int) -> None:
    assert extend_sequence(highest, sequence) == extended


@given(st.integers(0, 2**40), st.integers(-0x8000, 0x7FFF))
def test_extending_undoes_cutting_to_16_bits(highest: int, distance: int) -> None:
    assert extend_sequence(highest, (highest + distance) & 0xFFFF) == highest + distance


@pytest.mark.parametrize(
    ("later", "earlier", "delta"),
    [
        (0, 0, 0),
        (960, 0, 960),
        (0, 960, -960),
        (959, 2**32 - 1, 960),
        (2**32 - 1, 959, -960),
        (2**31 - 1, 0, 2**31 - 1),
        (2**31, 0, -(2**31)),
    ],
)
def test_timestamp_delta(later: int, earlier: int, delta: int) -> None:
    assert timestamp_delta(later, earlier) == delta


class Packet(NamedTuple):
    """A packet that goes in, what is to come out (None: it is stale), and when, in seconds."""

    sequence: int
    timestamp: int
    out: tuple[int, int] | None
    now: float = 0.0


CUT = "cut"
"""A pause begins."""
RESTART = "restart"
"""The source begins anew with the packet that follows, as every source does with its first."""

TIMELINES: dict[str, list[Packet | str]] = {
    "in order": [
        Packet(1000, 48000, (1, 960)),
        Packet(1001, 48960, (2, 1920)),
        Packet(1002, 49920, (3, 2880)),
    ],
    "begins at zero": [Packet(0, 0, (1, 960)), Packet(1, 960, (2, 1920))],
    "begins late": [Packet(5, 0, (1, 48000), 1.0), Packet(6, 960, (2, 48960), 1.02)],
    "sequence number wraps": [
        Packet(65534, 0, (1, 960)),
        Packet(65535, 960, (2, 1920)),
        Packet(0, 1920, (3, 2880)),
        Packet(1, 2880, (4, 3840)),
    ],
    "timestamp wraps on its way in": [
        Packet(10, 2**32 - 960, (1, 960)),
        Packet(11, 0, (2, 1920)),
        Packet(12, 960, (3, 2880)),
    ],
    "timestamp wraps on its way out": [
        Packet(10, 0, (1, 960)),
        Packet(11, 2**32 - 1000, (2, 2**32 - 40)),
        Packet(12, 2**32 - 40, (3, 920)),
    ],
    "loss stays visible": [
        Packet(1, 960, (1, 960)),
        Packet(4, 3840, (4, 3840)),
        Packet(5, 4800, (5, 4800)),
    ],
    "loss over the wrap-around": [Packet(65533, 0, (1, 960)), Packet(2, 4800, (6, 5760))],
    "reordering stays visible": [
        Packet(1, 960, (1, 960)),
        Packet(3, 2880, (3, 2880)),
        Packet(2, 1920, (2, 1920)),
        Packet(4, 3840, (4, 3840)),
    ],
    "reordering over the wrap-around": [
        Packet(65535, 960, (1, 960)),
        Packet(1, 2880, (3, 2880)),
        Packet(0, 1920, (2, 1920)),
        Packet(2, 3840, (4, 3840)),
    ],
    "older than the first packet": [
        Packet(10, 960, (1, 960)),
        Packet(9, 0, None),
        Packet(11, 1920, (2, 1920)),
    ],
    "silence keeps its length": [
        Packet(1, 960, (1, 960)),
        Packet(2, 960 + 19200, (2, 960 + 19200)),
    ],
    "several frames in a packet": [Packet(1, 0, (1, 960)), Packet(2, 2880, (2, 3840))],
    "arrival does not move the source's clock": [
        Packet(1, 960, (1, 960), 0.0),
        Packet(2, 1920, (2, 1920), 5.0),
        Packet(3, 2880, (3, 2880), 5.0),
    ],
    "a pause takes no numbers but its time": [
        Packet(1, 960, (1, 960)),
        Packet(2, 1920, (2, 1920)),
        CUT,  # 3 to 52 come while muted
        Packet(53, 50880, (3, 50880)),
        Packet(54, 51840, (4, 51840)),
    ],
    "muted from the beginning": [
        RESTART,
        Packet(500, 7, (1, 960)),
        CUT,
        Packet(600, 96007, (2, 96960)),
    ],
    "muted twice without a packet between": [
        Packet(1, 960, (1, 960)),
        CUT,
        CUT,
        Packet(9, 8640, (2, 8640)),
    ],
    "muted and unmuted without a packet between": [
        Packet(1, 960, (1, 960)),
        CUT,
        Packet(2, 1920, (2, 1920)),
    ],
    "muted over the wrap-around": [
        Packet(65535, 960, (1, 960)),
        CUT,
        Packet(10, 11520, (2, 11520)),
        Packet(11, 12480, (3, 12480)),
    ],
    "a packet from the pause comes late": [
        Packet(1, 960, (1, 960)),
        CUT,
        Packet(9, 8640, (2, 8640)),
        Packet(8, 7680, None),
        Packet(1, 960, None),
        Packet(10, 9600, (3, 9600)),
    ],
    "reordering right after a pause": [
        Packet(1, 960, (1, 960)),
        CUT,
        Packet(9, 8640, (2, 8640)),
        Packet(11, 10560, (4, 10560)),
        Packet(10, 9600, (3, 9600)),
    ],
    "loss right before a pause is none of the next piece": [
        Packet(1, 960, (1, 960)),
        Packet(3, 2880, (3, 2880)),
        CUT,
        Packet(20, 19200, (4, 19200)),
    ],
    "the newest packet before a pause counts, not the last": [
        Packet(1, 960, (1, 960)),
        Packet(3, 2880, (3, 2880)),
        Packet(2, 1920, (2, 1920)),
        CUT,
        Packet(20, 19200, (4, 19200)),
    ],
    "the source begins anew, lower": [
        Packet(40000, 2**31, (1, 960)),
        RESTART,
        Packet(7, 12, (2, 1920)),
        Packet(8, 972, (3, 2880)),
    ],
    "the source begins anew, higher": [
        Packet(7, 12, (1, 960)),
        RESTART,
        Packet(40000, 2**31, (2, 1920)),
        Packet(40001, 2**31 + 960, (3, 2880)),
    ],
    "the source begins anew with the same number": [
        Packet(7, 12, (1, 960)),
        RESTART,
        Packet(7, 12, (2, 1920)),
        Packet(8, 972, (3, 2880)),
    ],
    "the source begins anew half of the range away": [
        Packet(0, 0, (1, 960)),
        RESTART,
        Packet(0x8000, 0, (2, 1920)),
        Packet(0x8001, 960, (3, 2880)),
    ],
    "the source begins anew after a while": [
        Packet(7, 12, (1, 960), 0.0),
        RESTART,
        Packet(90, 5, (2, 960 + 96000), 2.0),
        Packet(91, 965, (3, 1920 + 96000), 2.02),
    ],
    "the newest packet's arrival is where a restart counts from": [
        Packet(1, 960, (1, 48000), 1.0),
        Packet(3, 2880, (3, 49920), 1.04),
        Packet(2, 1920, (2, 48960), 9.0),
        RESTART,
        Packet(70, 0, (4, 49920 + 48000), 2.04),
    ],
    "a restart in a burst still takes a frame": [
        Packet(7, 12, (1, 48000), 1.0),
        RESTART,
        Packet(90, 5, (2, 48960), 0.999),
    ],
}


def play(steps: list[Packet | str]) -> list[tuple[int, int] | None]:
    """What a timeline puts out, driven as the forwarder drives it."""
    timeline, out, restart = Timeline(0.0), [], True
    for step in steps:
        if step == CUT:
            timeline.cut()
        elif step == RESTART:
            restart = True
        elif isinstance(step, Packet):
            if restart:
                timeline.restart(step.timestamp, step.now)
                restart = False
            if not timeline.joined:
                timeline.join(step.sequence)
            out.append(timeline.map(step.sequence, step.timestamp, step.now))
    return out


@pytest.mark.parametrize("steps", TIMELINES.values(), ids=TIMELINES)
def test_timeline(steps: list[Packet | str]) -> None:
    assert play(steps) == [step.out for step in steps if isinstance(step, Packet)]


def test_a_timeline_joins_at_its_first_packet_and_after_every_break() -> None:
    timeline = Timeline(0.0)
    assert not timeline.joined
    for break_off in (timeline.cut, lambda: timeline.restart(5, 0.0)):
        timeline.join(5)
        assert timeline.joined
        break_off()
        assert not timeline.joined


def test_a_timeline_knows_its_newest_packet() -> None:
    timeline = Timeline(0.0)
    assert (timeline.highest, timeline.timestamp, timeline.at) == (0, 0, 0.0)
    timeline.restart(500, 0.0)
    timeline.join(65535)
    for sequence, timestamp, now in [(65535, 500, 0.0), (1, 2420, 0.04), (0, 1460, 0.05)]:
        timeline.map(sequence, timestamp, now)
    assert (timeline.highest, timeline.timestamp, timeline.at) == (3, 2880, 0.04)


def test_a_piece_of_many_wrap_arounds() -> None:
    timeline, sequence = Timeline(0.0), 65000
    timeline.restart(0, 0.0)
    timeline.join(sequence)
    for index in range(0, 200_000, 1000):
        mapped = timeline.map((sequence + index) & 0xFFFF, index * FRAME & 0xFFFFFFFF, 0.02 * index)
        assert mapped == (1 + index, (1 + index) * FRAME & 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("seconds", "count"), [(0.0, 0), (0.02, 960), (1.0, 48000), (-0.02, -960), (1e-6, 0)]
)
def test_ticks(seconds: float, count: int) -> None:
    assert ticks(seconds) == count


# Properties. A piece is what a source sends between two breaks.

MAX_DISPLACEMENT = 60  # SRTP refuses what is more than 128 packets late


@dataclass(frozen=True)
class Piece:
    """order: indices of the packets that arrive, in order of arrival. anew: under another SSRC, with
    other counters; else the same source after a pause, `pause` packets later."""

    anew: bool
    first: int
    first_timestamp: int
    pause: int
    order: tuple[int, ...]


@st.composite
def disturbed(draw: st.DrawFn) -> tuple[int, ...]:
    """Indices of a stream with loss and reordering."""
    count = draw(st.integers(1, 60))
    lost = draw(st.sets(st.integers(0, count - 1), max_size=count - 1))
    left = [index for index in range(count) if index not in lost]
    delays = draw(
        st.lists(st.integers(0, MAX_DISPLACEMENT), min_size=len(left), max_size=len(left))
    )
    late = {index: index + delay for index, delay in zip(left, delays, strict=True)}
    return tuple(sorted(left, key=lambda index: (late[index], index)))


undisturbed = st.integers(1, 60).map(lambda count: tuple(range(count)))


def pieces(orders: st.SearchStrategy[tuple[int, ...]]) -> st.SearchStrategy[list[Piece]]:
    piece = st.builds(
        Piece,
        st.booleans(),
        st.integers(0, 0xFFFF),
        st.integers(0, 2**32 - 1),
        st.integers(0, 0x7000),
        orders,
    )
    return st.lists(piece, min_size=1, max_size=6)


Mapped = list[tuple[int, int] | None]


def mapped(sound: list[Piece]) -> list[Mapped]:
    """What a timeline makes of each piece, all of it at one instant."""
    timeline, out = Timeline(0.0), []
    sequence = timestamp = 0
    for number, piece in enumerate(sound):
        if piece.anew or number == 0:
            sequence, timestamp = piece.first, piece.first_timestamp
            timeline.restart((timestamp + FRAME * piece.order[0]) & 0xFFFFFFFF, 0.0)
        else:
            sequence, timestamp = sequence + piece.pause, timestamp + FRAME * piece.pause
            timeline.cut()
        timeline.join((sequence + piece.order[0]) & 0xFFFF)
        out.append(
            [
                timeline.map(
                    (sequence + index) & 0xFFFF, (timestamp + FRAME * index) & 0xFFFFFFFF, 0.0
                )
                for index in piece.order
            ]
        )
        sequence += max(piece.order) + 1
        timestamp += FRAME * (max(piece.order) + 1)
    return out


def modelled(sound: list[Piece]) -> list[Mapped]:
    """The same from what the words say, on counters that never wrap."""
    out: list[Mapped] = []
    highest = clock = source = 0  # clock: output timestamp of the newest packet; source: its index
    for number, piece in enumerate(sound):
        first = piece.order[0]
        if piece.anew or number == 0:
            base = clock + FRAME - FRAME * first  # the first to arrive comes a frame later
        else:
            base = clock + FRAME * (piece.pause + source)
        packets = [(highest + 1 + index - first, base + FRAME * index) for index in piece.order]
        out.append([(s, t % 2**32) if s > highest else None for s, t in packets])
        highest, clock = max(packets)
        source = 1  # what comes next is one frame after the newest
    return out


@given(pieces(undisturbed))
def test_without_loss_the_numbers_are_contiguous_whatever_breaks(sound: list[Piece]) -> None:
    numbers = [packet[0] for piece in mapped(sound) for packet in piece if packet is not None]
    assert numbers == list(range(1, 1 + sum(len(piece.order) for piece in sound)))


@given(pieces(disturbed()))
def test_loss_and_reordering_stay_inside_a_piece(sound: list[Piece]) -> None:
    assert mapped(sound) == modelled(sound)


@given(pieces(disturbed()))
def test_no_two_packets_get_one_number(sound: list[Piece]) -> None:
    out = [packet for piece in mapped(sound) for packet in piece if packet is not None]
    assert len({sequence for sequence, _ in out}) == len(out)


# Reception.


def received(*packets: tuple[int, int, float]) -> Reception:
    """Statistics of (sequence, timestamp, arrival) at 48 kHz."""
    reception = Reception(packets[0][0])
    for sequence, timestamp, arrival in packets:
        reception.receive(sequence, timestamp, arrival, 48_000)
    return reception


def test_nothing_received_yet() -> None:
    reception = Reception(500)
    assert (reception.received, reception.expected, reception.lost) == (0, 0, 0)
    assert reception.jitter == 0.0


@pytest.mark.parametrize(
    ("sequences", "expected", "lost", "highest"),
    [
        ([7], 1, 0, 7),
        ([7, 8, 9], 3, 0, 9),
        ([7, 9], 3, 1, 9),
        ([7, 9, 8], 3, 0, 9),
        ([7, 6, 8], 3, 0, 8),  # the very first one was late
        ([7, 5, 8], 4, 1, 8),
        ([65535, 0], 2, 0, 65536),
        ([65534, 1, 65535], 4, 1, 65537),
        ([0, 65535], 2, 0, 0),
    ],
)
def test_loss(sequences: list[int], expected: int, lost: int, highest: int) -> None:
    reception = received(*((sequence, 0, 0.0) for sequence in sequences))
    assert reception.received == len(sequences)
    assert (reception.expected, reception.lost, reception.highest) == (expected, lost, highest)


@pytest.mark.parametrize(
    ("late", "ticks"),
    [
        ([0.0] * 50, 0.0),
        ([5.0] * 50, 0.0),  # all alike: delay is not jitter
        ([0.0, 0.010], 30.0),  # 480 ticks, a sixteenth of it (RFC 3550 §6.4.1)
        ([0.010, 0.0], 30.0),
        ([0.0, 0.010, 0.010], 30.0 * 15 / 16),
    ],
)
def test_jitter(late: list[float], ticks: float) -> None:
    packets = [(index, FRAME * index, 0.02 * index + late[index]) for index in range(len(late))]
    assert received(*packets).jitter == pytest.approx(ticks, abs=1e-6)


def test_a_timestamp_that_wraps_is_no_jitter() -> None:
    start = 2**32 - 5 * FRAME
    packets = [(index, (start + FRAME * index) % 2**32, 0.02 * index) for index in range(10)]
    assert received(*packets).jitter == pytest.approx(0.0, abs=1e-6)


def test_a_clock_that_has_run_for_long_is_no_jitter() -> None:
    """Days of 48 kHz wrap the timestamp over and over; the arrival clock does not."""
    boot = 90 * 86400.0
    packets = [(index, FRAME * index, boot + 0.02 * index) for index in range(10)]
    assert received(*packets).jitter == pytest.approx(0.0, abs=1e-3)


class Rfc3550:
    """The algorithms of RFC 3550 A.1, A.3 and A.8, as it writes them, but on a set of numbers."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.transit: int | None = None
        self.jitter = 0.0

    def receive(self, unwrapped: int, timestamp: int, arrival: int) -> None:
        self.numbers.add(unwrapped)
        transit = (arrival - timestamp) % 2**32
        if self.transit is not None:
            moved = (transit - self.transit) % 2**32
            self.jitter += (min(moved, 2**32 - moved) - self.jitter) / 16
        self.transit = transit

    @property
    def expected(self) -> int:
        return max(self.numbers) - min(self.numbers) + 1


@given(
    st.integers(0, 0xFFFF),
    st.integers(0, 2**32 - 1),
    disturbed(),
    st.lists(st.integers(0, 48_000), min_size=60, max_size=60),
    st.integers(0, 2**36),
)
def test_reception_does_as_rfc_3550(
    first: int, start: int, order: tuple[int, ...], late: list[int], clock: int
) -> None:
    model, reception = Rfc3550(), Reception((first + order[0]) & 0xFFFF)
    for index in order:
        timestamp = (start + FRAME * index) % 2**32
        arrival = clock + FRAME * index + late[index]  # in ticks
        model.receive(first + index, timestamp, arrival)
        reception.receive((first + index) & 0xFFFF, timestamp, arrival / 48_000, 48_000)
    assert reception.received == len(model.numbers)
    assert reception.expected == model.expected
    assert reception.lost == model.expected - len(model.numbers)
    assert reception.highest & 0xFFFF == (first + max(order)) & 0xFFFF
    assert reception.jitter == pytest.approx(model.jitter, abs=0.01)


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([1, 2, 3], 0),
        ([1, 6], 0),  # four never came
        ([1, 7], 1),
        ([1, 7, 13], 2),
        ([1, 7, 6, 5, 8], 1),
        ([7, 1, 8], 0),  # the first came late
        ([0xFFFE, 4], 1),
        ([0xFFFE, 3], 0),
    ],
)
def test_gaps(numbers: list[int], gaps: int) -> None:
    assert received(*((number, 0, 0.0) for number in numbers)).gaps == gaps


def test_gaps_go_on_with_the_next_ssrc() -> None:
    reception = Reception(5, received((1, 0, 0.0), (9, 0, 0.0)).gaps)
    reception.receive(5, 0, 0.0, 48_000)
    assert reception.gaps == 1
