"""The talk page in states that are seldom seen: what it tells, what it keeps, how it is laid out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Route

from signaling.access import Access, Grants, Key
from tests.browser.chromium import Chromium, ChromiumPage
from tests.browser.dashboard import Board
from tests.browser.guests import Guests
from tests.browser.imagined_room import ImaginedRoom, join, room_page
from tests.browser.interface import script
from tests.browser.participant import Participant
from tests.browser.proof import expect_all_hear_each_other
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually

LONG_NAME = "Maximiliane-Theodora von und zu Hohenstein-Breitenbach am Wasser"
ARABIC_NAME = "محمد بن عبد الرحمن بن عبد الله الطويل جدا!"
NAMES = (
    "Ada",
    LONG_NAME,
    ARABIC_NAME,
    "W" * 64,
    "(עולם) שלום",
    "<img src=x onerror=alert(1)>",
    "Grace",
)

MICROPHONE = script("microphone.js", {"frequency": 440})
NEVER_ANSWERED = (
    "if (window.MediaDevices) MediaDevices.prototype.getUserMedia = () => new Promise(() => {})"
)
REFUSED = """if (window.MediaDevices) MediaDevices.prototype.getUserMedia = async () => {
  window.asked = (window.asked ?? 0) + 1;
  throw new DOMException("no", "NotAllowedError");
}"""

SHOWN_MESSAGES = """() => [...document.querySelectorAll("#banner, #notice-text")]
  .filter((it) => it.checkVisibility()).map((it) => it.textContent)"""


async def _messages(participant: Participant) -> list[str]:
    messages: list[str] = await participant.page.evaluate(SHOWN_MESSAGES)
    return messages


async def _expect_messages(
    participant: Participant, accept: Callable[[list[str]], bool], what: str
) -> None:
    await eventually(lambda: _messages(participant), accept, what=what)


async def test_who_left_is_not_told_to_allow_the_microphone(chromium: Chromium) -> None:
    async with room_page(chromium, ImaginedRoom(), preload=[NEVER_ANSWERED]) as board:
        await board.page.tab.clock.install()
        await join(board.page.tab)
        await board.page.tab.click("#leave")
        await board.page.tab.clock.run_for(2_000)
        assert await board.texts("#banner") == []

        await join(board.page.tab)
        await board.page.tab.clock.run_for(2_000)
        assert "asks for the microphone" in await board.text("#banner")
        await board.page.tab.click("#leave")
        assert await board.texts("#banner") == []


async def test_a_stop_that_is_announced_is_told_once_and_forgotten(
    chromium: Chromium, artifacts: Path
) -> None:
    server = RelayServer(artifacts / "server.log", "--drain-timeout=2")
    await server.start()
    guests = Guests(server)
    try:
        (ann,) = await guests.join(chromium, "Ann")
        stopping = asyncio.ensure_future(server.stop())
        await _expect_messages(
            ann, lambda shown: len(shown) == 1 and "going to stop" in shown[0], "what comes"
        )
        await ann.expect_state("reconnecting")
        await stopping
        await _expect_messages(
            ann, lambda shown: len(shown) == 1 and "has stopped" in shown[0], "one message"
        )
        await server.start()
        await ann.expect_state("joined")
        assert await _messages(ann) == []
    finally:
        await guests.close()
        await server.stop()


async def test_nobody_speaks_by_the_word_of_a_server_that_is_gone(
    chromium: Chromium, guests: Guests, server: RelayServer
) -> None:
    ann, ben = await guests.join(chromium, "Ann", "Ben")
    await expect_all_hear_each_other([ann, ben])
    await eventually(ann.tiles, lambda tiles: tiles["Ben"].speaking, what="Ben speaks")
    watch = """() => { const { dataset } = document.querySelector("[data-name=Ben]");
      window.until = null;
      new MutationObserver(() => { if (dataset.speaking === "false") window.until ??= dataset.connection })
        .observe(document.querySelector("[data-name=Ben]"), { attributes: true }) }"""
    await ann.page.evaluate(watch)

    await server.kill()

    # Before the browser has found out that the path is lost.
    until = await eventually(lambda: ann.page.evaluate("() => window.until"), what="silence")
    assert until == "connected"
    await server.start()


CONTEXTS = """window.contexts = [];
window.AudioContext = class extends AudioContext {
  constructor(...options) { super(...options); window.contexts.push(this) }
  resume() { window.resumed = (window.resumed ?? 0) + 1; return super.resume() } };"""


async def test_who_left_needs_no_sound_card(chromium: Chromium) -> None:
    async with room_page(chromium, ImaginedRoom("Ben"), preload=[CONTEXTS]) as board:

        async def states() -> list[str]:
            found: list[str] = await board.page.evaluate("() => contexts.map(({ state }) => state)")
            return found

        await join(board.page.tab)
        level = "() => document.querySelector('[data-self]').style.getPropertyValue('--level')"
        await eventually(states, lambda them: them == ["running"], what="a meter")
        await board.page.tab.click("#leave")
        await eventually(states, lambda them: them == ["suspended"], what="nothing runs on")
        resumed = await board.page.evaluate("() => resumed")
        await board.page.tab.click("#lobby-title")  # any gesture
        assert await board.page.evaluate("() => resumed") == resumed
        await join(board.page.tab)
        await eventually(states, lambda them: them == ["running"], what="a meter again")
        assert await board.page.evaluate(level) != ""


BLOCKED = """const play = HTMLMediaElement.prototype.play;
window.allowed = false;
HTMLMediaElement.prototype.play = function () {
  return window.allowed ? play.call(this) : Promise.reject(new DOMException("no", "NotAllowedError"));
};"""


async def test_sound_that_the_browser_holds_back_is_offered_and_then_no_more(
    chromium: Chromium, guests: Guests
) -> None:
    ann = await guests.arrive(chromium, "Ann", preload=[BLOCKED])
    (ben,) = await guests.join(chromium, "Ben")
    offered = "() => document.querySelector('#enable-audio').checkVisibility()"
    await ann.join()
    await eventually(lambda: ann.page.evaluate(offered), what="it is offered")
    await ann.leave()
    await ann.join()
    await eventually(lambda: ann.page.evaluate(offered), what="it is offered again")
    await ann.page.evaluate("() => { window.allowed = true }")
    await ann.page.click("#enable-audio")
    await eventually(
        lambda: ann.page.evaluate(offered), lambda shown: not shown, what="it is on", patience=5
    )
    assert await ann.page.evaluate("() => document.activeElement.id") == "room-title"
    await ann.expect_to_hear("Ben")
    await ben.expect_to_hear("Ann")


SECRET = "correct horse battery staple, twice"


def _token(*, publish: bool = True) -> str:
    grants = Grants("ann", "lab", None, publish=publish, subscribe=True, expires=time.time() + 600)
    return Access(Key.read(SECRET)).issue(grants)


async def test_an_invitation_pasted_into_the_open_page_counts(
    chromium: Chromium, artifacts: Path
) -> None:
    server = RelayServer(artifacts / "server.log", f"--auth-secret={SECRET}")
    await server.start()
    ann = await Participant.arrive(chromium, server, "Ann", "lab")
    try:
        await ann.page.click("#join")
        await _expect_messages(
            ann, lambda shown: "needs an invitation" in "".join(shown), "refused"
        )
        await ann.page.evaluate("(token) => { location.hash = `token=${token}` }", _token())
        await eventually(
            lambda: ann.page.evaluate("() => location.href"),
            lambda address: "token" not in address,
            what="it is taken out of the address",
        )
        await ann.join()
    finally:
        await ann.page.close()
        await server.stop()


async def test_who_may_only_listen_is_told_so_and_not_asked_for_a_microphone(
    chromium: Chromium, artifacts: Path
) -> None:
    server = RelayServer(artifacts / "server.log", f"--auth-secret={SECRET}")
    await server.start()
    fragment = f"#token={_token(publish=False)}"
    ann = await Participant.arrive(
        chromium, server, "Ann", "lab", preload=[REFUSED], fragment=fragment
    )
    try:
        await ann.join()
        await _expect_messages(ann, lambda shown: "listen" in "".join(shown), "what it is for")
        assert await ann.page.evaluate("() => window.asked ?? 0") == 0
        for control in ("#mute", "#use-microphone", "#device"):
            visible = f"() => document.querySelector('{control}').checkVisibility()"
            assert not await ann.page.evaluate(visible), control
    finally:
        await ann.page.close()
        await server.stop()


async def test_moderators_are_told_what_did_not_work(chromium: Chromium) -> None:
    room = ImaginedRoom("Ben")
    refusal = {"type": "error", "code": "forbidden", "message": "Your token grants no such thing."}
    room.answers["mute_participant"] = room.answers["remove_participant"] = lambda _: refusal
    async with room_page(chromium, room, f"{LINK}#token={_admin()}", preload=[MICROPHONE]) as board:
        await join(board.page.tab)
        await board.page.tab.click(".hold:visible")
        await board.expect("#notice-text", lambda text: "Ben" in text, "that it did not work")
        await board.page.tab.click("#notice-dismiss")
        assert await board.texts("#notice-text") == []
        await board.page.tab.click(".remove:visible")
        await board.page.tab.click(".remove:visible")
        await board.expect("#notice-text", lambda text: "Ben" in text, "that it did not work")


async def test_the_focus_stays_in_the_room_when_somebody_is_removed(chromium: Chromium) -> None:
    room = ImaginedRoom("Ben")
    async with room_page(chromium, room, f"{LINK}#token={_admin()}", preload=[MICROPHONE]) as board:
        await join(board.page.tab)
        await board.page.tab.focus(".remove:visible")
        room.say("participant_left", participant_id="p0")
        await board.expect("#headcount", lambda text: text == "Only you", "that Ben is gone")
        assert (await board.focused()).startswith("h1 ")


LINK = f"/?room={'a-very-long-name-of-a-room-' * 2}&name=Ann"


def _admin() -> str:
    grants = Grants(
        "ann", "*", None, publish=True, subscribe=True, admin=True, expires=time.time() + 600
    )
    return Access(Key.read(SECRET)).issue(grants)


CUT = """() => [...document.querySelectorAll("button, .badge")].filter((it) => it.checkVisibility())
  .filter((it) => {
    const box = it.getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(it);
    const hidden = it.querySelector(".visually-hidden");
    if (hidden) range.setEndBefore(hidden);
    const inner = range.getBoundingClientRect();
    const tile = (it.closest(".tile") ?? document.body).getBoundingClientRect();
    const spills = it.matches("button") && (inner.left < box.left + 4 || inner.right > box.right - 4);
    return spills || box.right > tile.right || box.bottom > tile.bottom || box.left < tile.left;
  }).map((it) => it.textContent.trim() || it.getAttribute("class"))"""
"""Buttons whose words do not fit into them, and what lies outside of its tile."""

HIDDEN_BY_CONTROLS = """() => {
  const { top, height } = document.querySelector(".controls").getBoundingClientRect();
  return height / innerHeight;
}"""


@pytest.mark.parametrize("talking", [True, False], ids=["talking-light", "listening-dark"])
@pytest.mark.parametrize("size", [(320, 640), (390, 760), (740, 360), (1280, 800)], ids=str)
async def test_the_room_fits_and_can_be_read(
    chromium: Chromium, size: tuple[int, int], talking: bool
) -> None:
    room = ImaginedRoom(*(NAMES * 3)[:19])
    link = f"{LINK}#token={_admin()}"
    preload = [MICROPHONE if talking else REFUSED]
    async with room_page(
        chromium, room, link, size=size, dark=not talking, preload=preload
    ) as board:
        await join(board.page.tab)
        await board.expect("#headcount", lambda text: text == "20 people", "everybody")
        await board.expect("#device", bool, "a choice, or that there is none")
        await _expect_fit(board)
        share = await board.page.evaluate(HIDDEN_BY_CONTROLS)
        assert share < 0.3, "the controls hide the people"


@pytest.mark.parametrize("others", [0, 1, 2, 3, 5])
async def test_few_people_fit_and_can_be_read(chromium: Chromium, others: int) -> None:
    room = ImaginedRoom(*NAMES[:others])
    async with room_page(chromium, room, f"{LINK}#token={_admin()}", preload=[MICROPHONE]) as board:
        await join(board.page.tab)
        await board.expect("#headcount", bool, "everybody")
        await _expect_fit(board)


async def _expect_fit(board: Board) -> None:
    assert await board.overflow() <= 0
    assert await board.page.evaluate(CUT) == []
    assert await board.faults() == []
    assert board.complaints() == []


async def test_names_are_read_from_their_own_side(chromium: Chromium) -> None:
    names = (ARABIC_NAME, LONG_NAME, "(עולם) שלום")
    async with room_page(
        chromium, ImaginedRoom(*names), size=(320, 640), preload=[MICROPHONE]
    ) as board:
        await join(board.page.tab)
        assert await board.beginnings(".name") == dict.fromkeys(("Ann", *names), True)
        initials = await board.texts(".initials")
        assert initials[1:] == ["م" + "ج", "MW", "ע" + "ש"]


async def test_nobody_joins_by_a_page_that_is_not_ready(
    chromium: Chromium, server: RelayServer
) -> None:
    before = """document.addEventListener("readystatechange", () => {
      window.early ??= document.querySelector("#join").disabled;
    });"""
    page = await chromium.page(f"{server.url}/?room=lab&name=Ann", [before])
    assert await page.evaluate("() => window.early") is True
    assert await page.evaluate("() => document.querySelector('#join').disabled") is False
    await page.close()


# What does not come.


async def _open_without(chromium: Chromium, url: str, missing: str) -> ChromiumPage:
    """The page, of whose first load a file did not come."""
    page = await chromium.page("about:blank")

    async def lose(route: Route) -> None:
        await route.abort("connectionclosed")

    await page.tab.route(missing, lose)
    await page.tab.goto(url)
    await page.tab.unroute(missing)
    return page


@pytest.mark.parametrize("module", ["main", "dom", "microphone"])
async def test_a_page_is_loaded_again_whose_module_did_not_come(
    chromium: Chromium, server: RelayServer, module: str
) -> None:
    page = await _open_without(chromium, f"{server.url}/?room=lab#x", f"**/js/{module}.js")
    assert await page.evaluate("() => document.querySelector('#join').disabled") is True
    assert "loaded again" in str(await page.evaluate(SHOWN_MESSAGES))

    await page.tab.wait_for_selector("#join:enabled", timeout=20_000)
    assert await page.evaluate(SHOWN_MESSAGES) == []
    assert await page.evaluate("() => history.state") is None
    assert page.tab.url == f"{server.url}/?room=lab#x"
    await page.close()


async def test_the_dashboard_is_loaded_again_whose_module_did_not_come(
    chromium: Chromium, server: RelayServer
) -> None:
    page = await _open_without(chromium, f"{server.url}/dashboard/", "**/js/poll.js")
    await page.tab.wait_for_selector("body[data-state=ready]", timeout=20_000)
    assert await page.evaluate(SHOWN_MESSAGES) == []
    await page.close()


HASTE = "const { setTimeout } = window; window.setTimeout = (act, pause) => setTimeout(act, pause / 10);"


async def test_a_page_that_never_comes_says_what_to_do(
    chromium: Chromium, server: RelayServer
) -> None:
    page = await chromium.page("about:blank", [HASTE])
    requests = 0

    async def lose(route: Route) -> None:
        nonlocal requests
        requests += 1
        await route.abort("connectionclosed")

    async def message() -> None:
        await page.tab.get_by_text("Check your connection").wait_for(timeout=20_000)

    await page.tab.route("**/js/main.js", lose)
    await page.tab.goto(f"{server.url}/")
    await message()
    assert requests == 5

    await page.tab.reload()  # by hand: that gets as many attempts as before
    await message()
    assert requests == 10
    await page.close()


async def test_a_style_sheet_that_did_not_come_is_asked_for_again(
    chromium: Chromium, server: RelayServer
) -> None:
    page = await chromium.page("about:blank")
    loads = 0

    def count(_: object) -> None:
        nonlocal loads
        loads += 1

    async def lose(route: Route) -> None:
        await route.abort("connectionclosed")

    page.tab.on("load", count)
    await page.tab.route("**/lobby.css", lose, times=1)
    await page.tab.goto(f"{server.url}/")
    layout = "() => getComputedStyle(document.querySelector('#lobby')).display"
    await eventually(lambda: page.evaluate(layout), lambda it: it == "grid", what="the layout")
    assert loads == 1
    await page.close()
