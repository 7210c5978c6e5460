"""What stands behind an option is read, or refused in words; what each one takes is in `test_config.py`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import readers

READERS = {
    "integer": readers.integer(0, 65_535),
    "text": readers.text,
    "address": readers.address,
    "network": readers.network,
    "origin": readers.origin,
    "announced": readers.announced,
    "path": readers.path,
    "http_url": readers.http_url,
    "one_of": readers.one_of(("text", "json")),
    "yes_or_no": readers.yes_or_no,
}
ANYTHING = st.one_of(
    st.text(),
    st.from_regex(r"(https?://)?[\w.:\[\]@/%*-]{1,20}", fullmatch=True),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.text(), max_size=2),
    st.dictionaries(st.text(), st.integers(), max_size=1),
)


@pytest.mark.parametrize("name", READERS)
@given(value=ANYTHING)
def test_anything_is_read_or_refused_by_a_sentence(name: str, value: object) -> None:
    read: Callable[[object], object] = READERS[name]
    refusal, found = None, None
    try:
        found = read(value)
    except readers.Unusable as error:
        refusal = str(error)
    assert refusal is None or refusal.startswith("expected ")
    if isinstance(found, str) and name != "http_url":
        assert read(found) == found
