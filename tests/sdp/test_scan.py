from __future__ import annotations

import pytest

from sdp import SdpError, scan


@pytest.mark.parametrize("text", ["0", "1", "10", "65535"])
def test_a_number_is_read(text: str) -> None:
    assert scan.number(text, "a port", 0, 65535) == int(text)


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "+1", "-1", "1_0", "01", "00", "0x1", "1.0", "1e3", "\u0663", "²", "65536"],
)
def test_what_is_no_number_in_range_is_refused(text: str) -> None:
    with pytest.raises(SdpError, match=r"expected a port \(0 to 65535\), got ") as caught:
        scan.port(text)
    assert caught.value.found == text


@pytest.mark.parametrize("length", [20, 21, 8000])
def test_a_number_is_bounded_before_it_is_converted(length: int) -> None:
    # int() itself refuses more than 4,300 digits with a ValueError of its own.
    with pytest.raises(SdpError, match="a port"):
        scan.port("9" * length)


def test_the_low_bound_of_a_number() -> None:
    assert scan.number("1", "channels", 1, 2) == 1
    with pytest.raises(SdpError, match="channels"):
        scan.number("0", "channels", 1, 2)


def test_every_token_character_and_no_other() -> None:
    # RFC 8866 §9: %x21 / %x23-27 / %x2A-2B / %x2D-2E / %x30-39 / %x41-5A / %x5E-7E
    allowed = {0x21, *range(0x23, 0x28), 0x2A, 0x2B, 0x2D, 0x2E}
    allowed |= {*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x5E, 0x7F)}
    for code in range(0x180):
        if code in allowed:
            assert scan.token(chr(code), "a mid") == chr(code)
        else:
            with pytest.raises(SdpError, match=r"a mid \(a token\)"):
                scan.token(chr(code), "a mid")


@pytest.mark.parametrize("text", ["a", "{x}", "a/b:c=d", "é", "日本"])
def test_a_word_is_anything_without_a_space(text: str) -> None:
    assert scan.word(text, "a user name") == text


@pytest.mark.parametrize("text", ["", " ", "a b", " a", "a "])
def test_a_word_with_a_space_or_nothing_in_it_is_refused(text: str) -> None:
    with pytest.raises(SdpError, match="a user name"):
        scan.word(text, "a user name")


@pytest.mark.parametrize("text", ["abcd", "aZ09+/", "x" * 8])
def test_ice_characters(text: str) -> None:
    assert scan.ice_chars(text, "a ufrag", 4, 8) == text


@pytest.mark.parametrize("text", ["", "abc", "x" * 9, "abc-", "abc=", "abc d", "abcé"])
def test_other_than_ice_characters_or_too_few_or_many_are_refused(text: str) -> None:
    with pytest.raises(SdpError, match=r"a ufrag \(4 to 8 letters"):
        scan.ice_chars(text, "a ufrag", 4, 8)


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "0.0.0.0", "::", "::1", "2001:db8::1", "::ffff:1.2.3.4", "fe80::1%eth0"],
)
def test_an_ip_address_is_kept_as_written(text: str) -> None:
    assert scan.address(text) == text


@pytest.mark.parametrize(
    "text",
    ["example.com", "localhost", "8a4ee2f5-0b5c-4b6c-a7ad-d8c4b8b0a3a0.local", "x" * 255],
)
def test_a_host_name_is_kept_as_written(text: str) -> None:
    assert scan.address(text) == text


@pytest.mark.parametrize(
    "text",
    ["1.2.3", "1.2.3.4.5", "127.0.0.999", "127.0.0.01", "1", ".", ":", ":::", "1::2::3", "12345::"],
)
def test_what_looks_like_an_ip_address_must_be_one(text: str) -> None:
    with pytest.raises(SdpError, match="an IP address or host name"):
        scan.address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "[::1]",
        "::1%",
        "::1%a b",
        "::1%a%b",
        "1.2.3.4%x",
        "a b",
        "a/b",
        "é.local",
        "x" * 256,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SdpError, match="an IP address or host name"):
        scan.address(text)


def test_words_are_counted() -> None:
    assert scan.words("a b c", 3, "<x> <y> <z>") == ["a", "b", "c"]
    for text in ("a b", "a b c d", ""):
        with pytest.raises(SdpError, match="expected <x> <y> <z>"):
            scan.words(text, 3, "<x> <y> <z>")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [("a", ("a", None)), ("a ", ("a", "")), ("a b c", ("a", "b c")), ("", ("", None))],
)
def test_an_optional_tail(text: str, pieces: tuple[str, str | None]) -> None:
    assert scan.optional_tail(text) == pieces


@pytest.mark.parametrize("text", ["", "a=x", "s=日本 \u00a0", "a" * scan.MAX_LINE_LENGTH])
def test_a_line_is_kept(text: str) -> None:
    assert scan.line(text) == text


@pytest.mark.parametrize("code", [0x00, 0x09, 0x0A, 0x0D, 0x1B, 0x7F, 0x85, 0x9F, 0xD800, 0xDFFF])
def test_a_line_with_a_control_character_or_half_a_pair_is_refused(code: int) -> None:
    char = chr(code)
    with pytest.raises(SdpError, match="no control character and valid Unicode") as caught:
        scan.line(f"a=x{char}y")
    assert caught.value.found == char


def test_a_line_that_is_too_long_is_refused() -> None:
    with pytest.raises(SdpError, match="at most 8192 characters in a line, not 8193"):
        scan.line("a" * (scan.MAX_LINE_LENGTH + 1))
