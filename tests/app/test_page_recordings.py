"""Recordings in a real browser: in, watched, asked about, played at the cited second."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.app.conftest import Visitor
from tests.app.site import Site

pytestmark = pytest.mark.browser

SAMPLE = Path(__file__).parents[1] / "media" / "sample.mp4"


async def test_a_recording_is_watched_with_progress_and_played_where_it_is_cited(
    page_site: Site, visitor: Visitor
) -> None:
    page = await visitor.open(page_site.url, "recordings")
    await page.locator("#files").set_input_files(SAMPLE)
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await expect(page.get_by_role("heading", name="sample.mp4")).to_be_visible()
    moments = page.locator("#panel-recordings .strip").get_by_role("button")
    await expect(moments.first).to_be_visible(timeout=60_000)
    await page.reload()  # goes on showing how far it is
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await page.get_by_role("button", name="sample.mp4").first.click()
    await page.locator("#files").set_input_files(SAMPLE)
    await expect(moments.nth(1)).to_be_visible(timeout=60_000)
    await expect(page.get_by_role("progressbar")).to_have_count(0, timeout=120_000)
    row = page.get_by_role("button", name="sample.mp4").first
    await expect(row).to_contain_text("1:5")
    await moments.nth(1).click()
    await page.get_by_role("button", name="Play from").click()
    video = page.get_by_label("The original recording")
    await page.wait_for_function("video => video.currentTime > 0", arg=await video.element_handle())
    await page.reload()
    await page.get_by_role("button", name="sample.mp4").first.click()
    await expect(page.locator("#panel-recordings")).to_contain_text("Drop the same file again")
    await page.locator("#files").set_input_files(SAMPLE)
    await page.wait_for_function("video => video.readyState", arg=await video.element_handle())
    await expect(page.get_by_role("progressbar")).to_have_count(0)


async def test_watching_a_recording_can_be_stopped(page_site: Site, visitor: Visitor) -> None:
    page = await visitor.open(page_site.url, "recordings")
    await page.locator("#files").set_input_files(SAMPLE)
    moments = page.locator("#panel-recordings .strip").get_by_role("button")
    await expect(moments.first).to_be_visible(timeout=60_000)
    await page.get_by_role("button", name="Stop watching sample.mp4").click()
    await expect(page.get_by_role("progressbar")).to_have_count(0)
    await expect(page.get_by_role("button", name="Forget sample.mp4")).to_be_visible()
    await expect(moments.first).to_be_visible()  # what was watched stays
    assert page_site.hub is not None
    assert page_site.hub.under_way() == []


async def test_a_file_that_is_no_recording_is_refused_in_a_sentence(
    page_site: Site, visitor: Visitor, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.mp4"
    letter.write_bytes(b"Dear Ines, this is a letter and not a film. " * 40)
    page = await visitor.open(page_site.url, "recordings")
    await page.locator("#files").set_input_files(letter)
    problem = page.locator("#panel-recordings .problem")
    await expect(problem).not_to_be_empty()
    assert (await problem.inner_text()).count(". ") == 0
    assert any("415" in one for one in visitor.problems)
    visitor.problems.clear()
