"""Asking, searching and forgetting in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from perception.records import Kind, Moment, Observation, Role, Stream
from tests.app.conftest import Visitor
from tests.app.site import Site, remember

pytestmark = pytest.mark.browser

INJECTED = '<img src=x onerror="window.injected = true"><b>bold</b> said the remote sign.'


async def ask(page: Page, question: str) -> None:
    await page.get_by_role("textbox", name="Your question").fill(question)
    await page.keyboard.press("Enter")


def meeting(running: Site, visitor: Visitor) -> str:
    stream_id = f"{visitor.name}.live-2026-03-02-0900-00"
    remember(
        running.store,
        stream_id,
        [
            (4, "speech", "The projector remote is in the second drawer."),
            (12, "speech", "Ines moved the training to Monday."),
        ],
    )
    return stream_id


async def test_a_typed_question_is_answered_with_evidence_that_opens(
    page_site: Site, visitor: Visitor
) -> None:
    meeting(page_site, visitor)
    page = await visitor.open(page_site.url)
    await ask(page, "Where is the projector remote?")
    answer = page.locator(".bubble.answer")
    await expect(answer).to_contain_text("second drawer")
    cited = page.get_by_role("list", name="Evidence").get_by_role("button").first
    await expect(cited).to_contain_text("0:04")
    loaded = "image => image.complete && image.naturalWidth > 0"
    await cited.locator("img").wait_for()
    await page.wait_for_function(loaded, arg=await cited.locator("img").element_handle())
    await cited.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator(".cited")).to_contain_text("second drawer")
    await expect(dialog).to_contain_text("Ines moved the training")
    await dialog.get_by_role("button", name="The moment after").click()
    await expect(dialog.locator(".here")).to_contain_text("Ines moved")


async def test_a_question_to_an_empty_memory_says_what_to_do_first(
    page_site: Site, visitor: Visitor
) -> None:
    page = await visitor.open(page_site.url)
    await ask(page, "Where are my keys?")
    await expect(page.locator(".bubble.answer")).to_contain_text("start watching")


async def test_search_finds_by_words_and_filters_by_kind_and_time(
    page_site: Site, visitor: Visitor
) -> None:
    stream_id = meeting(page_site, visitor)
    remember(page_site.store, stream_id, [(20, "screen_text", "Remote codes 4711")])
    page = await visitor.open(page_site.url, "memory")
    results = page.get_by_role("list", name="Results")
    await page.get_by_role("searchbox").fill("remote")
    await page.get_by_role("button", name="Search").click()
    await expect(results).to_contain_text("second drawer")
    await page.get_by_role("button", name="Read", exact=True).click()
    await expect(results).to_contain_text("4711")
    await expect(results).not_to_contain_text("drawer")
    await page.get_by_label("To", exact=True).fill("2001-01-01T00:00")
    await expect(results).to_contain_text("Nothing like that is remembered.")
    await page.get_by_label("From", exact=True).fill("2002-01-01T00:00")
    await expect(results).to_contain_text("ends before it begins")


async def test_what_was_only_asked_comes_after_what_it_rests_on(
    page_site: Site, visitor: Visitor
) -> None:
    stream_id = f"{visitor.name}.live-2026-03-02-090000"
    said: list[tuple[str, Role]] = [
        ("The blue umbrella is in the hall.", "statement"),
        ("Where is the umbrella?", "question"),
        ("The umbrella is in the hall.", "answer"),
    ]
    seen = tuple(
        Observation(stream_id, "speech", 4.0 * n, 4.0 * n + 2, text, role=role)
        for n, (text, role) in enumerate(said)
    )
    stream = Stream(stream_id, datetime.now(UTC) - timedelta(hours=1), "webrtc", 12.0)
    page_site.store.remember(stream, [Moment(stream_id, 0.0, 12.0, seen)], {})
    page = await visitor.open(page_site.url, "memory")
    await page.get_by_role("searchbox").fill("where is the umbrella")
    await page.keyboard.press("Enter")
    await expect(page.locator(".searching")).to_contain_text("best first")
    await expect(page.locator(".result-text").first).to_have_text(said[0][0])


async def test_what_is_found_of_one_moment_is_one_card(page_site: Site, visitor: Visitor) -> None:
    """A picture was shown once for what was said in it and once for what was seen."""
    stream_id = f"{visitor.name}.live-2026-03-02-090000"
    told: list[tuple[Kind, str]] = [
        ("speech", "The kayak is on the roof."),
        ("vision", "kayak, car"),
    ]
    seen = tuple(Observation(stream_id, kind, 1.0, 4.0, text) for kind, text in told)
    stream = Stream(stream_id, datetime.now(UTC) - timedelta(hours=1), "webrtc", 6.0)
    page_site.store.remember(stream, [Moment(stream_id, 0.0, 6.0, seen)], {})
    page = await visitor.open(page_site.url, "memory")
    await expect(page.locator(".searching")).to_contain_text("The latest moment remembered")
    await page.get_by_role("searchbox").fill("kayak")
    await page.keyboard.press("Enter")
    await expect(page.locator(".searching")).to_contain_text("1 find in")
    card = page.locator(".result")
    await expect(card).to_have_count(1)
    for _, text in told:
        await expect(card).to_contain_text(text)


async def test_who_has_nothing_is_told_of_what_came_from_elsewhere(
    page_site: Site, visitor: Visitor
) -> None:
    """After a replay on the command line the page said that nothing is remembered."""
    remember(page_site.store, "hall-camera", [(4, "speech", "The parcel is by the door.")])
    page = await visitor.open(page_site.url, "memory")
    await expect(page.locator(".results")).to_contain_text("Nothing of yours is remembered yet.")
    await page.locator("#tab-recordings").click()
    await expect(page.locator(".shelf .others")).to_contain_text("from elsewhere")
    await page.locator("#tab-memory").click()
    await page.locator(".results").get_by_role("button", name="Show everyone’s").click()
    await expect(page.get_by_role("switch", name="Show everyone’s")).to_be_checked()
    await expect(page.locator(".results")).to_contain_text("The parcel is by the door.")
    await page.locator("#tab-recordings").click()
    await expect(page.locator(".recordings")).to_contain_text("hall-camera")
    await expect(page.locator(".shelf .others")).to_have_count(0)


async def test_a_days_chapters_are_marked_where_the_words_are_the_models(
    page_site: Site, visitor: Visitor
) -> None:
    stream_id = f"{visitor.name}.live-2026-03-02-1000-00"
    told: list[tuple[float, Kind, str]] = [
        (n * 8.0, "speech", f"Crate {n} holds quinces from row {n}.") for n in range(20)
    ]
    told += [(900 + n * 8.0, "speech", f"Lathe {n} needs oil on bolt {n}.") for n in range(20)]
    remember(page_site.store, stream_id, [*told, (1800, "speech", "So.")], pictures=False)
    page_site.store.consolidate()
    store = page_site.store
    while (one := store.unwritten("small")) is not None:
        own = one.episode_id.startswith(f"{stream_id}:e1:0000000")
        store.rewrite(one.episode_id, one.material, "small", "Quinces in crates." if own else None)
    page = await visitor.open(page_site.url, "memory")
    episodes = page.locator(".chapters").first.locator("li.chapter")
    await expect(episodes).to_have_count(2)
    await expect(episodes.first).to_contain_text("Quinces in crates.")
    await expect(episodes.first).to_contain_text("in the model’s words")
    await expect(episodes.last).to_contain_text("needs oil")
    await expect(episodes.last).not_to_contain_text("model")


async def test_a_moment_is_pinned_by_keyboard_from_the_results_and_from_its_evidence(
    page_site: Site, visitor: Visitor
) -> None:
    stream_id = meeting(page_site, visitor)
    (moment,) = [m for m in page_site.store.timeline(stream_id) if "remote" in m.text]
    page = await visitor.open(page_site.url, "memory")
    await page.get_by_role("searchbox").fill("remote")
    await page.keyboard.press("Enter")
    await expect(page.locator(".searching")).to_contain_text("best first")  # not the latest
    row = page.get_by_role("list", name="Results").get_by_role("listitem")
    row = row.filter(has_text="second drawer")
    keep = row.get_by_role("button", name="Keep the moment at 0:04")
    await expect(keep).to_have_attribute("aria-pressed", "false")
    await keep.focus()
    await page.keyboard.press("Space")
    await expect(keep).to_have_attribute("aria-pressed", "true")
    await expect(keep).to_be_focused()
    assert page_site.store.pinned([moment.id]) == {moment.id}
    await row.get_by_role("button").first.click()
    shown = page.get_by_role("dialog").get_by_role("button", name="Keep the moment at 0:04")
    await expect(shown).to_have_text("Kept")
    await shown.press("Enter")
    await expect(shown).to_have_text("Keep this moment")
    assert page_site.store.pinned([moment.id]) == set()
    await page.keyboard.press("Escape")
    await expect(keep).to_have_attribute("aria-pressed", "false")


async def test_pinned_moments_are_shown_as_kept(page_site: Site, visitor: Visitor) -> None:
    stream_id = meeting(page_site, visitor)
    ids = [moment.id for moment in page_site.store.timeline(stream_id)]
    page_site.store.pin(ids[:1])
    page = await visitor.open(page_site.url, "memory")
    rows = page.get_by_role("list", name="Results").get_by_role("listitem")
    for text, kept in (("second drawer", "true"), ("Ines moved", "false")):
        button = rows.filter(has_text=text).get_by_role("button", name="Keep the moment")
        await expect(button).to_have_attribute("aria-pressed", kept)


async def test_forgetting_asks_first_and_shows_its_receipt(
    page_site: Site, visitor: Visitor
) -> None:
    stream_id = meeting(page_site, visitor)
    page = await visitor.open(page_site.url, "memory")
    results = page.get_by_role("list", name="Results")
    await page.get_by_label("In", exact=True).select_option(stream_id)
    await page.get_by_role("button", name="Forget this stream").click()
    dialog = page.get_by_role("alertdialog")
    await expect(dialog).to_contain_text("cannot be undone")
    await expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    await dialog.get_by_role("button", name="Keep it").click()
    await expect(results).to_contain_text("second drawer")
    await page.get_by_role("button", name="Forget this stream").click()
    await dialog.get_by_role("button", name="Forget for good").click()
    await expect(dialog).to_contain_text("Your receipt")
    await expect(dialog.locator(".receipt")).to_contain_text("moments2")
    await dialog.get_by_role("button", name="Done").click()
    await expect(results).to_contain_text("remembered yet.")
    assert stream_id not in [one.id for one in page_site.store.streams()]


async def test_what_memory_holds_is_shown_as_text_and_never_as_markup(
    page_site: Site, visitor: Visitor
) -> None:
    stream_id = f"{visitor.name}.live-2026-03-02-0900-00"
    remember(page_site.store, stream_id, [(3, "screen_text", INJECTED)], pictures=False)
    page = await visitor.open(page_site.url, "memory")
    first = page.get_by_role("list", name="Results").get_by_role("button").first
    await expect(first).to_contain_text(INJECTED)
    await first.click()
    await expect(page.get_by_role("dialog")).to_contain_text(INJECTED)
    await page.keyboard.press("Escape")
    await page.get_by_role("tab", name="Live").click()
    await ask(page, "What did the remote sign say? <i>now</i>")
    await expect(page.locator(".bubble.asked")).to_contain_text("<i>now</i>")
    await expect(page.locator(".bubble.answer")).not_to_have_attribute("aria-busy", "true")
    assert await page.evaluate("window.injected") is None
    assert await page.locator("#lookback b, #lookback img[src=x]").count() == 0
