"""The latest packets of a publisher."""

from __future__ import annotations

from relay.history import HISTORY_PACKETS, MAX_KEPT_LENGTH, History


def test_what_is_kept_is_found() -> None:
    history = History()
    history.keep(memoryview(b"packet"), 3, 7, 480)
    assert history.holds(7)
    assert history.find(7) == (b"packet", 3, 480)
    assert not history.holds(8)
    assert history.find(8) is None


def test_it_holds_the_latest() -> None:
    history = History()
    for sequence in range(1, 2 * HISTORY_PACKETS + 1):
        history.keep(b"%d" % sequence, 0, sequence, 0)
    for sequence in range(1, 2 * HISTORY_PACKETS + 1):
        assert history.holds(sequence) is (sequence > HISTORY_PACKETS)


def test_of_a_long_packet_the_number_is_known() -> None:
    history = History()
    history.keep(bytes(MAX_KEPT_LENGTH), 0, 1, 0)
    history.keep(bytes(MAX_KEPT_LENGTH + 1), 0, 2, 0)
    assert history.find(1) is not None
    assert history.holds(2)
    assert history.find(2) is None


def test_what_is_kept_does_not_change() -> None:
    memory = bytearray(b"first")
    history = History()
    history.keep(memoryview(memory), 5, 1, 0)
    memory[:] = b"other"
    assert history.find(1) == (b"first", 5, 0)
