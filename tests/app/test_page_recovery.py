"""What goes wrong is said in one sentence, and what comes back is gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from memory.errors import StoreFull
from serve.errors import Unavailable
from serve.launch import free_port
from tests.app.conftest import Visitor
from tests.app.site import Site, remember, site

pytestmark = pytest.mark.browser


async def test_a_restarting_part_is_waited_for(page_site: Site, visitor: Visitor) -> None:
    page = await visitor.open(page_site.url)
    refusals = iter([True])

    async def restarting(route: Route) -> None:
        if next(refusals, False):
            await route.fulfill(
                status=503,
                headers={"Retry-After": "1"},
                json={"error": {"code": "unavailable", "message": "Memory is not answering"}},
            )
        else:
            await route.continue_()

    await page.route("**/v1/streams", restarting)
    await page.get_by_role("tab", name="Memory").click()
    notice = page.locator(".notice")
    await expect(notice).to_contain_text("restarting; trying again in 1 s")
    await expect(notice).to_contain_text("Everything answers again.")
    assert any("503" in one for one in visitor.problems)
    visitor.problems.clear()


async def test_an_answer_that_fails_says_so_and_the_next_one_comes(
    page_site: Site, visitor: Visitor
) -> None:
    stream_id = f"{visitor.name}.live-2026-03-02-0900-00"
    remember(page_site.store, stream_id, [(4, "speech", "The remote is in the drawer.")])
    page = await visitor.open(page_site.url)
    page_site.reasoning.fails = Unavailable("Reasoning is not answering")
    for _ in range(2):
        await page.get_by_role("textbox", name="Your question").fill("Where is the remote?")
        await page.keyboard.press("Enter")
        await expect(page.locator(".bubble.answer").last).not_to_have_attribute("aria-busy", "true")
    await expect(page.locator(".bubble.answer").first).to_contain_text("not answering")
    await expect(page.locator(".bubble.answer").last).to_contain_text("drawer")


async def test_an_answer_long_in_coming_names_the_part_it_waits_for(
    page_site: Site, visitor: Visitor
) -> None:
    stream_id = f"{visitor.name}.live-2026-03-02-0900-00"
    remember(page_site.store, stream_id, [(4, "speech", "The remote is in the drawer.")])
    page = await visitor.open(page_site.url)
    held: list[Route] = []
    await page.route("**/v1/ask", lambda route: held.append(route))
    await page.clock.install()
    page_site.alive["reasoning"] = False
    try:
        async with page.expect_request("**/v1/ask"):
            await page.get_by_role("textbox", name="Your question").fill("Where is the remote?")
            await page.keyboard.press("Enter")
        answer = page.locator(".bubble.answer")
        await page.clock.fast_forward(6_000)
        await expect(answer).to_contain_text("Waiting for reasoning, which is starting again")
    finally:
        page_site.alive["reasoning"] = True
    await held[0].continue_()
    await expect(answer).to_contain_text("The remote is in the drawer.")
    await expect(answer).not_to_contain_text("Waiting")
    visitor.problems = [one for one in visitor.problems if "503" not in one]


async def test_a_full_disk_is_told_in_words(
    page_site: Site, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise StoreFull("no space left")

    assert page_site.hub is not None
    stream_id = f"{visitor.name}.live-2026-03-02-0900-00"
    remember(page_site.store, stream_id, [(4, "speech", "The remote is in the drawer.")])
    monkeypatch.setattr(page_site.hub.services.memory, "forget", full)
    page = await visitor.open(page_site.url, "memory")
    await page.get_by_label("In", exact=True).select_option(stream_id)
    await page.get_by_role("button", name="Forget this stream").click()
    await page.get_by_role("button", name="Forget for good").click()
    await expect(page.get_by_role("alertdialog")).to_contain_text("The disk is full")
    assert any("507" in one for one in visitor.problems)
    visitor.problems.clear()


async def test_a_server_that_went_away_is_found_again(chromium: Browser, tmp_path: Path) -> None:
    visitor = Visitor(chromium, "test-away")
    port = free_port()
    with site(tmp_path, port=port) as before:
        remember(before.store, "test-away.note", [(4, "speech", "The kettle is on.")])
        page = await visitor.open(before.url, "memory")
        results = page.get_by_role("list", name="Results")
        await expect(results).to_contain_text("kettle")
        await page.get_by_role("tab", name="System").click()
    await page.get_by_role("tab", name="Memory").click()
    await expect(page.locator(".notice")).to_contain_text("cannot be reached")
    await page.get_by_role("tab", name="Live").click()
    await page.get_by_role("textbox", name="Your question").fill("Where is the kettle?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".bubble.answer")).to_contain_text("ask again when it is back")
    await page.get_by_role("tab", name="Memory").click()
    await expect(page.locator(".notice")).to_have_count(1)  # one trouble is told once
    with site(tmp_path, port=port) as after:
        remember(after.store, "test-away.note", [(9, "speech", "Now the tea is made.")])
        await expect(page.locator(".notice")).to_contain_text("Connected again", timeout=20_000)
        await expect(results).to_contain_text("tea", timeout=20_000)
        await expect(page.locator(".notices")).not_to_contain_text("cannot be reached")
        await visitor.close()


async def test_a_lost_network_is_waited_for_and_what_was_asked_comes(
    page_site: Site, visitor: Visitor
) -> None:
    remember(page_site.store, f"{visitor.name}.note", [(4, "speech", "The kettle is on.")])
    page = await visitor.open(page_site.url, "memory")
    results = page.get_by_role("list", name="Results")
    await expect(results).to_contain_text("kettle")
    assert visitor.context is not None
    await visitor.context.set_offline(True)
    await page.get_by_role("searchbox").fill("walrus")
    await page.keyboard.press("Enter")
    await expect(page.locator(".notice").first).to_contain_text("cannot be reached")
    await visitor.context.set_offline(False)
    await expect(page.locator(".notices")).to_contain_text("Connected again", timeout=20_000)
    await page.get_by_role("searchbox").fill("kettle")
    await page.keyboard.press("Enter")
    await expect(results).to_contain_text("kettle")
    visitor.problems.clear()


async def test_a_live_session_goes_on_after_the_server_was_restarted(
    chromium: Browser, tmp_path: Path
) -> None:
    visitor = Visitor(chromium, "test-restarted")
    port = free_port()
    with site(tmp_path, port=port) as before:
        page = await visitor.open(before.url)
        await page.get_by_role("button", name="Start watching").click()
        stage = page.locator(".stage")
        await expect(stage).to_have_attribute("data-state", "listening", timeout=20_000)
        await expect(page.locator(".live-strip .frame").first).to_be_visible(timeout=40_000)
    await expect(stage).to_have_attribute("data-state", "lost", timeout=20_000)
    await expect(page.locator(".light")).to_contain_text("Recording")
    with site(tmp_path, port=port) as after:
        await expect(stage).to_have_attribute("data-state", "listening", timeout=40_000)
        await expect(page.locator(".notices")).to_contain_text("Live again, with the same memory.")
        assert [one.id.partition(".")[0] for one in after.store.streams()] == ["test-restarted"]
        await page.get_by_role("button", name="Stop recording").click()
        await expect(page.locator(".light")).to_be_hidden()
        await visitor.close()


def test_stopping_the_server_ends_what_the_gateway_holds(tmp_path: Path) -> None:
    ended = []

    async def note() -> None:
        ended.append("closed")

    with site(tmp_path) as running:
        assert running.hub is not None
        running.hub.on_close.append(note)
    assert ended == ["closed"]
