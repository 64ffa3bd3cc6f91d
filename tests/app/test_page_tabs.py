"""Every tab loads cleanly, from our own server alone, for the keyboard and for assistive technology."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from playwright.async_api import expect

from perception.records import Kind
from tests.app.conftest import DESKTOP, PHONE, Visitor
from tests.app.site import Site, remember

pytestmark = pytest.mark.browser

# What sticks out of the window and is not in a list that scrolls sideways.
WIDER = """[...document.querySelectorAll("#lookback :is(input, select, button, p, h2, .card, li)")]
    .filter((one) => !one.closest(".strip") && one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => one.outerHTML.slice(0, 120))"""

TABS = ("live", "recordings", "memory", "system")


def some_memory(running: Site, visitor: Visitor) -> None:
    remember(
        running.store,
        f"{visitor.name}.meeting.mp4-1abc",
        [
            (4, "speech", "The projector remote is in the second drawer."),
            (9, "screen_text", "Product Launch\nThursday 15:30"),
            (15, "vision", "laptop, desk"),
            (21, "sound", "music"),
        ],
    )


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
async def test_a_tab_loads_without_an_error_and_from_here_alone(
    page_site: Site, visitor: Visitor, tab: str, full: bool
) -> None:
    if full:
        some_memory(page_site, visitor)
    page = await visitor.open(page_site.url, tab)
    await expect(page.get_by_role("tab", selected=True)).to_have_id(f"tab-{tab}")
    await expect(page.locator(f"#panel-{tab}")).to_be_visible()
    if tab != "system":  # it looks at the server for as long as it is open
        await page.wait_for_load_state("networkidle")
    local = (page_site.url, "blob:", "data:")
    assert [url for url in visitor.fetched if not url.startswith(local)] == []


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_has_no_serious_finding(
    page_site: Site, visitor: Visitor, axe: str, tab: str, size: tuple[int, int], dark: bool
) -> None:
    some_memory(page_site, visitor)
    page = await visitor.open(page_site.url, tab, size=size, dark=dark)
    if tab == "memory":
        await page.locator(".result").first.wait_for()
    if tab == "recordings":
        await page.get_by_role("button", name="meeting.mp4", exact=False).first.click()
    await page.add_script_tag(content=axe)
    found = await page.evaluate(
        "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"
    )
    bad = [
        f"{one['id']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert bad == []


@pytest.mark.parametrize("tab", TABS)
async def test_nothing_is_wider_than_a_phone(page_site: Site, visitor: Visitor, tab: str) -> None:
    some_memory(page_site, visitor)
    page = await visitor.open(page_site.url, tab, size=PHONE)
    if tab != "system":
        await page.wait_for_load_state("networkidle")
    if tab == "memory":
        await page.locator(".result").first.wait_for()
    wide = await page.evaluate(WIDER)
    assert wide == []


async def test_the_keyboard_alone_reaches_a_moment_and_back(
    page_site: Site, visitor: Visitor
) -> None:
    some_memory(page_site, visitor)
    page = await visitor.open(page_site.url)
    await page.get_by_role("tab", name="Live").focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", name="Memory")).to_be_focused()
    await page.get_by_role("searchbox").focus()
    await page.keyboard.type("projector remote")
    await page.keyboard.press("Enter")
    first = page.get_by_role("list", name="Results").get_by_role("button").first
    await expect(first).to_contain_text("projector remote")
    await first.focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("second drawer")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(first).to_be_focused()


async def test_the_timeline_is_one_stop_on_the_way_through_the_page(
    page_site: Site, visitor: Visitor
) -> None:
    """Up to 240 moments stood between the camera's switches and the question box."""
    stream_id = f"{visitor.name}.live-2026-03-02-090000"
    said: list[tuple[float, Kind, str]] = [(4.0 * n, "speech", f"Line {n}.") for n in range(9)]
    remember(page_site.store, stream_id, said)
    page = await visitor.open(page_site.url)
    frames = page.locator(".live-strip .frame")
    await expect(frames).to_have_count(9)
    await page.locator("summary", has_text="Devices").focus()
    await page.keyboard.press("Tab")
    await expect(frames.last).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(frames.nth(7)).to_be_focused()
    await page.keyboard.press("Home")
    await page.keyboard.press("ArrowLeft")
    await expect(frames.first).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator(".live-strip .frame:focus")).to_have_count(0)
    await page.keyboard.press("Shift+Tab")
    await expect(frames.first).to_be_focused()


async def test_back_and_forward_and_the_address_go_between_tabs(
    page_site: Site, visitor: Visitor
) -> None:
    """Back left the page, and what was live on it."""
    page = await visitor.open(page_site.url)
    for tab in ("Memory", "System"):
        await page.get_by_role("tab", name=tab).click()
    chosen = page.get_by_role("tab", selected=True)
    await page.go_back()
    await expect(chosen).to_have_text("Memory")
    await page.go_back()
    await expect(chosen).to_have_text("Live")
    await page.go_forward()
    await expect(chosen).to_have_text("Memory")
    await page.evaluate("location.hash = 'recordings'")
    await expect(chosen).to_have_text("Recordings")


async def test_two_browsers_see_their_own_until_they_ask_for_all(
    page_site: Site, visitor: Visitor
) -> None:
    some_memory(page_site, visitor)
    newest = 3000.0  # of all that the tests of this module remember: the list is not long
    remember(page_site.store, "someone-else", [(newest, "speech", "Somebody else said walrus.")])
    page = await visitor.open(page_site.url, "memory")
    results = page.get_by_role("list", name="Results")
    await expect(results).to_contain_text("second drawer")
    await expect(results).not_to_contain_text("walrus")
    await page.get_by_role("switch").check()
    await expect(results).to_contain_text("walrus")
    await page.reload()
    await expect(page.get_by_role("switch")).to_be_checked()


async def test_the_system_tab_tells_of_a_part_that_is_down(
    page_site: Site, visitor: Visitor
) -> None:
    page_site.alive["reasoning"] = False
    try:
        page = await visitor.open(page_site.url, "system")
        parts = page.get_by_role("list", name="Deployments")
        await expect(parts).to_contain_text("Reasoningnot answering", ignore_case=True)
    finally:
        page_site.alive["reasoning"] = True
    await expect(parts).not_to_contain_text("not answering")
    await expect(page.get_by_role("img", name="Memory size")).to_be_visible()
    visitor.problems = [one for one in visitor.problems if "503" not in one]


async def test_a_day_shows_what_was_watched_on_it(page_site: Site, visitor: Visitor) -> None:
    remember(
        page_site.store,
        f"{visitor.name}.kitchen",
        [(2, "speech", "The kettle is on.")],
        ago=timedelta(days=3),
    )
    page = await visitor.open(page_site.url, "memory")
    day = page.locator(".day")
    await expect(day.get_by_role("button", name="Moment at 0:02")).to_be_visible()
    await page.get_by_label("Day", exact=True).fill("2001-01-01")
    await expect(day).to_contain_text("Nothing was watched on this day.")


async def test_a_day_is_told_in_chapters_that_open_into_moments(
    page_site: Site, visitor: Visitor
) -> None:
    told: list[tuple[float, Kind, str]] = [
        (20.0 * n, "speech", f"Ines planted row {n} of the tulips.") for n in range(20)
    ]
    late: tuple[float, Kind, str] = (2400.0, "speech", "The gate is locked.")
    remember(page_site.store, f"{visitor.name}.garden", [*told, late])
    page_site.store.consolidate()
    page = await visitor.open(page_site.url, "memory")
    day = page.locator(".day")
    chapter = day.locator(".chapter").first
    await expect(chapter).to_contain_text("tulips")
    await expect(chapter.locator("img").first).to_be_visible()
    await expect(day.get_by_role("button", name="Moment at 40:00")).to_be_visible()
    await chapter.locator("summary").press("Enter")
    await chapter.get_by_role("button", name="Moment at 0:20").click()
    await expect(page.get_by_role("dialog")).to_contain_text("planted row 1 ")


def test_the_page_hides_none_of_the_api(page_site: Site) -> None:
    with httpx.Client(base_url=page_site.url) as client:
        assert client.get("/docs").status_code == 200
        assert client.get("/v1/streams").json().keys() == {"streams"}
        assert client.get("/v1/nowhere").json()["error"]["code"] == "not_found"
        assert client.put("/v1/ask").status_code == 405
        assert "lookback_store_bytes" in client.get("/metrics").text
        assert client.request("OPTIONS", "/whip").status_code == 204


def test_gradios_own_api_is_not_offered(page_site: Site) -> None:
    with httpx.Client(base_url=page_site.url) as client:
        files = {"files": ("a.txt", b"words")}
        assert client.post("/gradio_api/upload", files=files).status_code == 404
        for path in ("/gradio_api/proxy=https://example.org", "/gradio_api/file=/etc/hosts"):
            assert client.get(path).status_code == 404
        assert client.post("/gradio_api/queue/join", json={}).status_code == 404
