"""Invited by a link, or not: what people see, and that the page's security policy is in nobody's way."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from signaling.access import Access, Grants, Key
from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.interface import Browser, BrowserError, uncaught
from tests.browser.participant import Participant
from tests.browser.proof import expect_all_hear_each_other
from tests.browser.server import RelayServer
from tests.browser.waiting import eventually
from tests.browser.wire import Wire

SECRET = "correct horse battery staple, twice"

NOTICE = "() => document.querySelector('#notice-text').textContent"


def _link(room: str = "lab", name: str | None = None, *, admin: bool = False) -> str:
    """The fragment of an invitation."""
    grants = Grants(
        "somebody",
        room,
        name,
        publish=True,
        subscribe=True,
        admin=admin,
        expires=time.time() + 600,
    )
    return f"#token={Access(Key.read(SECRET)).issue(grants)}"


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(artifacts: Path) -> AsyncIterator[RelayServer]:
    """A server that asks for tokens."""
    server = RelayServer(artifacts / "server.log", f"--auth-secret={SECRET}")
    await server.start()
    yield server
    await server.stop()


async def _arrive(
    browser: Browser, server: RelayServer, name: str, fragment: str = ""
) -> Participant:
    return await Participant.arrive(browser, server, name, "lab", fragment=fragment)


async def test_invited_people_talk(chromium: Chromium, guarded: RelayServer) -> None:
    ann = await _arrive(chromium, guarded, "Ann", _link(name="Ann"))
    ben = await _arrive(chromium, guarded, "Ben", _link("*"))
    try:
        for each in (ann, ben):
            address = await each.page.evaluate("() => location.href")
            assert "token" not in address
            await each.join()
        await expect_all_hear_each_other([ann, ben])
        assert await ann.page.evaluate("() => document.querySelector('#name').readOnly")

        # The token is kept for this tab.
        await ann.page.evaluate("() => location.reload()")
        await eventually(lambda: _state(ann), lambda state: state == "lobby", what="it is back")
        await ann.join()
    finally:
        await ann.page.close()
        await ben.page.close()


async def test_who_is_not_invited_is_told_so(chromium: Chromium, guarded: RelayServer) -> None:
    for fragment, words in (
        ("", "needs an invitation"),
        ("#token=nonsense", "needs an invitation"),
        (_link("another-room"), "not allowed into this room"),
    ):
        guest = await _arrive(chromium, guarded, "Ann", fragment)
        try:
            await guest.page.click("#join")
            await _expect_notice(guest, words)
            assert await guest.state() == "lobby"
        finally:
            await guest.page.close()


async def _state(guest: Participant) -> str:
    try:
        return await guest.state()
    except BrowserError:  # asked while the page was being loaded
        return ""


async def _expect_notice(guest: Participant, words: str) -> None:
    await eventually(
        lambda: guest.page.evaluate(NOTICE),
        lambda notice: words in notice,
        what=f"the notice says {words!r}",
    )


async def test_the_security_policy_is_kept(chromium: Chromium, guarded: RelayServer) -> None:
    await _expect_policy_kept(chromium, guarded)


async def test_the_security_policy_is_kept_in_firefox(
    firefox: Firefox, guarded: RelayServer
) -> None:
    await _expect_policy_kept(firefox, guarded)


_POLICY = re.compile("content.security.policy", re.IGNORECASE)
"""What browsers' complaints of violations have in common."""

_WATCH = """() => {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    violations.push(event.effectiveDirective));
}"""

_VIOLATE = """() => {
  const script = document.createElement("script");
  script.textContent = "window.bad = 1";
  document.body.append(script);
}"""


async def _expect_policy_kept(browser: Browser, server: RelayServer) -> None:
    """A conversation makes no violation, and what the policy forbids does make one."""
    ann = await _arrive(browser, server, "Ann", _link())
    ben = await _arrive(browser, server, "Ben", _link())
    try:
        for each in (ann, ben):
            await each.page.evaluate(_WATCH)
            await each.join()
        await expect_all_hear_each_other([ann, ben])
        for each in (ann, ben):
            assert await each.page.evaluate("() => window.violations") == []
            assert not [line for line in each.page.console if _POLICY.search(line)]

        await ann.page.evaluate(_VIOLATE)
        await eventually(
            lambda: ann.page.evaluate("() => window.violations"),
            lambda violations: violations == ["script-src-elem"],
            what="the inline script is refused",
        )
        assert await ann.page.evaluate("() => window.bad ?? null") is None
    finally:
        await ann.page.close()
        await ben.page.close()
    # Firefox calls the refusal an error that the page did not catch.
    uncaught[:] = [error for error in uncaught if not _POLICY.search(error)]


async def test_a_moderator_mutes_and_removes(chromium: Chromium, guarded: RelayServer) -> None:
    ann = await _arrive(chromium, guarded, "Ann", _link(admin=True))
    ben = await _arrive(chromium, guarded, "Ben", _link("lab", "Ben"))
    hold, remove = (f'[data-name="Ben"] .{action}' for action in ("hold", "remove"))
    try:
        for each in (ann, ben):
            await each.join()
        await expect_all_hear_each_other([ann, ben])
        hidden = "() => document.querySelector('[data-name=Ann] .moderation').hidden"
        assert await ben.page.evaluate(hidden)

        await ann.page.click(hold)
        await _expect_notice(ben, "A moderator has muted you")
        await ann.expect_to_hear()
        await ben.toggle_mute()
        await ann.expect_to_hear()

        await ann.page.click(hold)
        await _expect_notice(ben, "You may talk again")
        await ben.toggle_mute()
        await ann.expect_to_hear("Ben")

        await ann.page.click(remove)
        await ann.page.click(remove)
        await ben.expect_state("lobby")
        await _expect_notice(ben, "has removed you from the room")
        await ann.expect_company()
    finally:
        await ann.page.close()
        await ben.page.close()


@pytest_asyncio.fixture(loop_scope="session")
async def wire(guarded: RelayServer) -> AsyncIterator[Wire]:
    wire = Wire(guarded.port)
    await wire.start()
    yield wire
    await wire.close()


async def test_a_moderators_mute_ends_with_the_stay(
    chromium: Chromium, guarded: RelayServer, wire: Wire
) -> None:
    """It outlasts a lost socket. A server that starts anew knows of none, and neither does the page."""
    ann = await _arrive(chromium, guarded, "Ann", _link(admin=True))
    fragment = _link("lab", "Ben")
    ben = await Participant.arrive(
        chromium, guarded, "Ben", "lab", origin=wire.url, fragment=fragment
    )
    try:
        for each in (ann, ben):
            await each.join()
        await expect_all_hear_each_other([ann, ben])
        await ann.page.click('[data-name="Ben"] .hold')
        await _expect_notice(ben, "A moderator has muted you")

        wire.cut()
        await eventually(
            lambda: ben.received("mute_held"), lambda count: count == 2, what="Ben is told again"
        )
        await ben.expect_state("joined")
        await ben.toggle_mute()
        assert (await ben.tiles())["Ben"].muted

        await guarded.kill()
        await guarded.start()
        for each in (ann, ben):
            await each.expect_state("joined")
        await ann.expect_company("Ben")
        await ben.toggle_mute()
        await ann.expect_to_hear("Ben")
    finally:
        await ann.page.close()
        await ben.page.close()
