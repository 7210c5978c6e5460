"""The dashboard's pages with answers that are imagined: layout, accessibility, keyboard, policy, faults."""

from __future__ import annotations

import time

import pytest

from tests.browser.chromium import Chromium
from tests.browser.dashboard import Board, imagined
from tests.browser.imagined import LONG_NAME, RIGHT_TO_LEFT, Imagined
from tests.browser.waiting import eventually

SERVERS = {"nobody": (0, 0, 0), "everybody": (30, 7, 9), "one-room": (1, 200, 3)}
PLACES = {
    "#/": ".room",
    "#/history": ".past-room",
    "#/rooms/r0": ".lane-list li",
    "#/calls/r0p0": ".diagnosis",
}


def _server(name: str) -> Imagined:
    rooms, people, bad = SERVERS[name]
    return Imagined(time.time(), rooms, people, bad)


async def _settled(board: Board, place: str) -> None:
    await board.expect(PLACES[place], bool, f"something at {place}")
    await eventually(
        lambda: board.text("#freshness-text"), lambda text: text == "Live", what="an answer"
    )


async def _expect_flawless(board: Board) -> None:
    assert await board.overflow() <= 0
    assert await board.faults() == []
    assert board.complaints() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("place", PLACES)
async def test_every_page_fits_and_can_be_read(
    chromium: Chromium, place: str, width: int, dark: bool
) -> None:
    server = _server("everybody")
    async with imagined(chromium, server, place, width=width, dark=dark) as board:
        await _settled(board, place)
        await _expect_flawless(board)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody", "Nobody is here. The relay is ready."),
        ("everybody", "7 people hear badly."),
        ("one-room", "3 people hear badly."),
    ],
)
async def test_the_first_sentence_says_it_all(chromium: Chromium, name: str, sentence: str) -> None:
    async with imagined(chromium, _server(name), width=360) as board:
        await board.expect_title(sentence)
        await _expect_flawless(board)


async def test_the_worst_is_unfolded_and_what_is_fine_is_not(chromium: Chromium) -> None:
    async with imagined(chromium, _server("everybody")) as board:
        await board.expect_title("7 people hear badly.")
        assert len(await board.texts(".room")) == 30
        assert len(await board.texts(".room[open]")) == 1
        first, second, *_ = await board.texts(".person-name")
        assert (first, second) == ("Ada", LONG_NAME)


async def test_somebody_is_found_by_name(chromium: Chromium) -> None:
    async with imagined(chromium, _server("one-room")) as board:
        await board.expect_title("3 people hear badly.")
        await board.page.tab.fill(".search input", "radia 7")
        await eventually(
            lambda: board.texts(".person-name"), lambda names: names == ["Radia 7"], what="found"
        )
        await board.page.tab.fill(".search input", "nobody of this name")
        await board.expect(".empty", lambda text: "no person is called" in text, "nobody")


async def test_by_keyboard_from_the_sentence_to_the_second_that_was_bad(chromium: Chromium) -> None:
    async with imagined(chromium, Imagined(time.time(), 2, 4, 1)) as board:
        await board.expect_title("Ada hears badly.")
        press = board.page.tab.keyboard.press
        walked = []
        for _ in range(4):
            await press("Tab")
            walked.append(await board.focused())
        assert walked == ["button Skip to the content", "a Now", "a History", "a Ada"]

        await press("Enter")
        await board.expect(".diagnosis h2", lambda text: "listener" in text, "the cause")
        assert await board.focused() == "h1 Ada"
        assert await board.text("nav [aria-current=page]") == "History"

        await board.page.tab.focus(".cursor-row input")
        before = await board.page.tab.get_attribute(".cursor-row input", "aria-valuetext")
        for _ in range(3):
            await press("ArrowLeft")
        after = await board.page.tab.get_attribute(".cursor-row input", "aria-valuetext")
        assert before != after
        assert after is not None
        assert "Score: is heard" in after
        assert "?at=" in await board.address()

        await board.page.tab.focus(".evidence button")
        await press("Enter")
        reading = await board.text(".reading")
        assert reading.startswith("is heard 4"), reading
        await _expect_flawless(board)


async def test_where_the_focus_is_can_be_seen(chromium: Chromium) -> None:
    async with imagined(chromium, Imagined(time.time(), 2, 4, 1), "#/calls/r0p0") as board:
        await _settled(board, "#/calls/r0p0")
        seen = 0
        for _ in range(25):
            await board.page.tab.keyboard.press("Tab")
            outline = await board.page.evaluate(
                """() => { const it = document.activeElement; const style = getComputedStyle(it);
                return it === document.body ? -1 : Number.parseFloat(style.outlineWidth)
                  * (style.outlineStyle === "none" ? 0 : 1) }"""
            )
            if outline == -1:
                break  # through
            assert outline >= 2, await board.focused()
            seen += 1
        assert seen > 10


async def test_the_figures_are_a_table_too(chromium: Chromium) -> None:
    async with imagined(chromium, Imagined(time.time(), 2, 4, 1), "#/calls/r0p0") as board:
        await _settled(board, "#/calls/r0p0")
        await board.page.click(".figures-fold summary")
        rows = await eventually(lambda: board.texts(".figures-fold tr"), what="rows")
        assert rows[0].split("\t")[:3] == ["Time", "Score, is heard", "Score, hears"]
        assert len(rows) > 100
        await _expect_flawless(board)


async def test_a_link_leads_to_an_instant(chromium: Chromium) -> None:
    server = Imagined(time.time(), 2, 4, 1)
    at = int(server.now - 3_600 + 1_000)
    async with imagined(chromium, server, f"#/calls/r0p0?at={at}") as board:
        await _settled(board, "#/calls/r0p0")
        value = await board.page.tab.input_value(".cursor-row input")
        assert abs(int(value) - at) <= 10


async def test_a_large_room_is_shown_as_a_whole_when_asked(chromium: Chromium) -> None:
    async with imagined(chromium, _server("one-room"), "#/rooms/r0") as board:
        await _settled(board, "#/rooms/r0")
        assert len(await board.texts(".lane-list li")) == 40
        await board.page.click(".everybody > button")
        assert len(await board.texts(".lane-list li")) == 200
        assert await board.overflow() <= 0


async def test_what_is_not_there_is_said_kindly(chromium: Chromium) -> None:
    async with imagined(chromium, _server("everybody"), "#/calls/nobody") as board:
        await board.expect_title("This call is not known")


async def test_updates_keep_the_focus_and_what_was_unfolded(chromium: Chromium) -> None:
    server = Imagined(time.time(), 3, 8)
    async with imagined(chromium, server) as board:
        await board.expect_title("3 rooms, 24 people, everybody fine.")
        await board.page.click(".room:nth-child(2) summary")
        await board.page.tab.focus(".room:nth-child(2) .person-name")
        server.bad = 2
        await board.expect_title("2 people hear badly.")
        assert (await board.focused()).startswith("a ")
        assert len(await board.texts(".room[open]")) == 2


async def test_a_better_or_worse_state_is_spoken_but_not_every_number(chromium: Chromium) -> None:
    server = Imagined(time.time(), 3, 4)
    async with imagined(chromium, server) as board:
        await board.expect_title("3 rooms, 12 people, everybody fine.")
        await board.page.evaluate(
            """() => { const spoken = (window.spoken = []);
            const announcer = document.querySelector("#announcer");
            new MutationObserver(() => spoken.push(announcer.textContent)).observe(
            announcer, { childList: true, characterData: true, subtree: true }) }"""
        )
        server.bad = 2
        await board.expect_title("2 people hear badly.")
        server._seed = 5
        spoken = await eventually(
            lambda: board.page.evaluate("() => window.spoken"), what="the change is spoken"
        )
        assert spoken == ["2 people hear badly."]


@pytest.mark.parametrize(
    ("place", "name"), [("#/", ".person-name"), ("#/rooms/r0", ".lane-name")], ids=["now", "room"]
)
async def test_names_are_read_from_their_own_side(
    chromium: Chromium, place: str, name: str
) -> None:
    async with imagined(chromium, Imagined(time.time(), 2, 4, 1), place, width=360) as board:
        await _settled(board, place)
        seen = await board.beginnings(name)
        assert seen[RIGHT_TO_LEFT]
        assert seen[LONG_NAME]


async def test_a_file_that_cannot_be_had_is_told_until_another_page(chromium: Chromium) -> None:
    server = Imagined(time.time(), 2, 4, 1)
    async with imagined(chromium, server, "#/calls/r0p0") as board:
        await _settled(board, "#/calls/r0p0")
        server.withheld = True
        await board.page.click(".take-away button")
        told = await board.expect("#banner", bool, "that it was not saved")
        assert "Nothing was saved" in told
        assert "Trying again" not in told
        assert await board.text("#freshness-text") == "Live"
        server.withheld = False
        await board.go("#/")
        await board.expect_title("Ada hears badly.")
        assert await board.texts("#banner") == []


async def test_nothing_is_asked_while_nobody_looks(chromium: Chromium) -> None:
    async with imagined(chromium, Imagined(time.time(), 1, 2)) as board:
        await board.expect_title("1 room, 2 people, everybody fine.")
        hide = """(hidden) => { Object.defineProperty(document, "hidden", { value: hidden,
            configurable: true }); document.dispatchEvent(new Event("visibilitychange")) }"""
        asked: list[str] = []
        await board.page.evaluate(hide, True)
        board.page.tab.on("request", lambda request: asked.append(request.url))
        await board.page.tab.wait_for_timeout(3_000)
        assert asked == []
        await board.page.evaluate(hide, False)
        await eventually(lambda: _list(asked), what="a question at once")


async def _list(asked: list[str]) -> list[str]:
    return asked
