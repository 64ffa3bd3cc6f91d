"""The Live tab with fake devices: what is on is seen, and what happens on the stream is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from perception.records import Moment, Observation, Role, Stream
from tests.app.conftest import Visitor
from tests.app.site import Site

pytestmark = pytest.mark.browser

ANSWER: dict[str, Any] = {
    "type": "answer",
    "trigger": "spoken",
    "question": "where is the umbrella",
    "answer": "It is in the top drawer.",
    "abstained": False,
    "citations": [
        {
            "moment_id": "m",
            "stream_id": "s",
            "start": 62.0,
            "end": 66.0,
            "kind": "speech",
            "quote": "The umbrella is in the top drawer.",
            "keyframe": None,
        }
    ],
    "snapshot": {"version": 1, "stream_time": 70.0},
    "timings": {"gate_ms": 1, "retrieval_ms": 9, "first_token_ms": 900, "total_ms": 1500},
    "utterance": {"text": "Where is the umbrella?", "start": 70.0, "end": 72.0},
}


async def started(visitor: Visitor, running: Site) -> tuple[Page, str]:
    """A page that is live, and the stream it made."""
    page = await visitor.open(running.url)
    await page.get_by_role("button", name="Start watching").click()
    await expect(page.locator(".stage")).to_have_attribute(
        "data-state", "listening", timeout=20_000
    )
    (call,) = [url for url in visitor.fetched if "/whip?stream_id=" in url]
    return page, call.partition("stream_id=")[2].partition("&")[0]


async def test_recording_is_always_seen_and_ends_when_it_is_stopped(
    page_site: Site, visitor: Visitor
) -> None:
    page, _ = await started(visitor, page_site)
    light = page.locator(".light")
    await expect(light).to_contain_text("Recording")
    await expect(page).to_have_title("● Recording – Lookback")
    await page.set_viewport_size({"width": 360, "height": 740})
    await expect(page.locator(".theme")).to_be_in_viewport(ratio=1)  # beside the light
    await page.set_viewport_size({"width": 1280, "height": 860})
    for tab in ("Memory", "System"):
        await page.get_by_role("tab", name=tab).click()
        await expect(light).to_be_in_viewport()
    await page.get_by_role("tab", name="Live").click()
    await page.get_by_role("button", name="Microphone").click()
    await expect(light).to_contain_text("Recording")
    await page.get_by_role("button", name="Camera").click()
    await expect(light).to_contain_text("Paused: all off")
    await page.get_by_role("button", name="Camera").click()
    await expect(light).to_contain_text("Recording")
    await page.get_by_role("button", name="Stop recording").click()
    await expect(light).to_be_hidden()
    await expect(page).to_have_title("Lookback")
    await expect(page.get_by_role("button", name="Start watching")).to_be_visible()


async def test_what_happens_on_the_stream_is_shown_as_it_happens(
    page_site: Site, visitor: Visitor
) -> None:
    page, stream_id = await started(visitor, page_site)

    def publish(kind: str, **body: Any) -> None:
        page_site.publish(stream_id, kind, body)

    stage, answer = page.locator(".stage"), page.locator(".bubble.answer").last
    publish("state", state="hearing")
    publish("partial", text="where is the um", start=70.0)
    await expect(stage).to_have_attribute("data-state", "hearing")
    await expect(page.locator(".caption")).to_have_text("where is the um …")
    publish("state", state="thinking", question="Where is the umbrella?")
    await expect(page.locator(".bubble.asked")).to_contain_text("Where is the umbrella?")
    publish("token", text=" It was", replace=False, generation=1)
    await expect(answer).to_contain_text("It was")
    publish("token", text="It is in", replace=True, generation=1)
    await expect(answer).to_contain_text("It is in")
    publish("state", state="speaking")
    await expect(page.get_by_role("button", name="Hush")).to_be_visible()
    publish("answer", **ANSWER)
    publish("state", state="listening")
    await expect(answer).to_contain_text("It is in the top drawer.")
    await expect(page.get_by_role("button", name="Said at 1:02")).to_be_visible()
    assert await page.locator(".bubble.asked").count() == 1
    publish("state", state="thinking", question="And before?")
    publish("token", text="Before that", replace=False, generation=2)
    publish("interrupted", generation=2)
    await expect(page.locator(".bubble.interrupted")).to_contain_text("Before that")


async def test_a_voice_that_was_off_at_the_start_can_be_switched_on(
    page_site: Site, visitor: Visitor
) -> None:
    """Begun without it, a session had no track for it, and the switch did nothing."""
    page = await visitor.open(page_site.url)
    voice, sound = page.get_by_role("button", name="Voice"), page.locator(".stage audio")
    await voice.click()
    await page.get_by_role("button", name="Start watching").click()
    await expect(page.locator(".light")).to_contain_text("Recording")
    await page.wait_for_function("() => document.querySelector('.stage audio').srcObject")
    assert await sound.evaluate("one => one.muted")
    await voice.click()
    assert not await sound.evaluate("one => one.muted")


async def test_a_reloaded_page_goes_on_with_the_same_stream(
    page_site: Site, visitor: Visitor
) -> None:
    page, stream_id = await started(visitor, page_site)
    await page.reload()
    await expect(page.locator(".notice")).to_contain_text("going on with")
    await expect(page.locator(".light")).to_contain_text("Recording")
    await expect(page.locator(".stage")).to_have_attribute(
        "data-state", "listening", timeout=20_000
    )
    calls = {url for url in visitor.fetched if "/whip?stream_id=" in url}
    assert {url.partition("stream_id=")[2] for url in calls} == {stream_id}


async def test_a_long_transcript_scrolls_in_its_place_and_leaves_no_empty_page_below(
    page_site: Site, visitor: Visitor
) -> None:
    """Words that are only read out stood outside of what scrolls, and made the page as long."""
    page, stream_id = await started(visitor, page_site)
    height = "document.documentElement.scrollHeight"
    lines = page.get_by_role("log", name="Heard and seen")
    told = {"kind": "speech", "role": "statement", "speaker": None, "ref": None}
    for n in range(20):
        page_site.publish(
            stream_id, "observation", {**told, "start": n, "end": n + 0.5, "text": f"Line {n}."}
        )
    await expect(lines).to_contain_text("Line 19.")
    before = await page.evaluate(height)
    for n in range(20, 120):
        page_site.publish(
            stream_id, "observation", {**told, "start": n, "end": n + 0.5, "text": f"Line {n}."}
        )
    await expect(lines).to_contain_text("Line 119.")
    assert await page.evaluate(height) == before


async def test_what_was_asked_just_before_a_reload_is_there_after_it(
    page_site: Site, visitor: Visitor
) -> None:
    """It is remembered when the session before is over: after the page has looked what there is."""
    page, stream_id = await started(visitor, page_site)
    said = {"speaker": None, "ref": None, "kind": "speech", "end": 9.0}
    asked = [
        {**said, "start": 8.0, "text": "Where is the kettle?", "role": "question"},
        {**said, "start": 8.0, "text": "On the stove.", "role": "answer"},
    ]
    moment = {"stream_id": stream_id, "start": 2.0, "end": 9.0, "text": "", "keyframe": None}
    for n in range(2):  # once, however often it is told
        page_site.publish(
            stream_id, "moment", {**moment, "moment_id": f"{stream_id}:{n}", "observations": asked}
        )
    await expect(page.locator(".bubble.asked")).to_have_text(["Where is the kettle?0:08"])
    await expect(page.locator(".bubble.answer")).to_have_text(["On the stove."])


def watched_before(running: Site, stream_id: str) -> None:
    """An earlier session on the stream, with a question that was answered and one that was not."""
    said: list[tuple[float, str, Role]] = [
        (10.0, "The umbrella is in the hall.", "statement"),
        (20.0, "It is in the hall.", "answer"),  # of the same second as what it answers
        (20.0, "Where is the umbrella?", "question"),
        (30.0, "And the gloves?", "question"),
    ]
    seen = tuple(
        Observation(stream_id, "speech", start, start + 2, text, role=role)
        for start, text, role in said
    )
    begun = datetime.now(UTC) - timedelta(days=1)
    moment = Moment(stream_id, 10.0, 34.0, seen)
    running.store.remember(Stream(stream_id, begun, "webrtc", 34.0), [moment], {})


async def test_starting_again_goes_on_with_what_was_remembered_before(
    page_site: Site, visitor: Visitor
) -> None:
    """Each start had begun a stream of its own, and what was shown yesterday could not be asked."""
    stream_id = f"{visitor.name}.live-2026-03-02-090000"
    watched_before(page_site, stream_id)
    page = await visitor.open(page_site.url)
    await expect(page.locator(".resting")).to_contain_text("Goes on with Live, Mon")
    await page.get_by_role("button", name="Start watching").click()
    lines, talk = page.get_by_role("log", name="Heard and seen"), page.locator(".talk-log")
    for place in (lines, talk):
        await expect(place).to_contain_text("It is in the hall.")
        await expect(place).to_contain_text("And the gloves?")
    await expect(talk.locator(".bubble.answer")).to_have_count(1)
    await expect(page.locator(".live-strip .frame").first).to_contain_text("The umbrella is")
    await expect(page.locator(".stage")).to_have_attribute(
        "data-state", "listening", timeout=20_000
    )
    other = await visitor.open(page_site.url)  # a second tab begins its own, and takes nothing
    await other.get_by_role("button", name="Start watching").click()
    await expect(other.locator(".stage")).to_have_attribute(
        "data-state", "listening", timeout=20_000
    )
    await expect(page.locator(".light")).to_contain_text("Recording")
    begun = [url.partition("stream_id=")[2] for url in visitor.fetched if "/whip?" in url]
    assert begun[0] == stream_id
    assert stream_id not in begun[1:]
    await page.get_by_role("button", name="Stop recording").click()
    await page.get_by_role("button", name="Start afresh").click()
    await expect(lines).not_to_contain_text("umbrella")
    await expect(page.locator(".light")).to_contain_text("Recording")


async def test_refused_devices_are_told_in_a_sentence(page_site: Site, visitor: Visitor) -> None:
    page = await visitor.open(page_site.url)
    await page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia = () =>
           Promise.reject(new DOMException("Permission denied", "NotAllowedError")); }"""
    )
    await page.get_by_role("button", name="Start watching").click()
    await expect(page.locator(".notice")).to_contain_text("allow them beside the address bar")
    await expect(page.locator(".light")).to_be_hidden()


async def test_without_a_microphone_it_watches_and_can_be_asked_in_writing(
    page_site: Site, visitor: Visitor
) -> None:
    page = await visitor.open(page_site.url)
    await page.evaluate(
        """() => { const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
           navigator.mediaDevices.getUserMedia = (wanted) => wanted.audio
             ? Promise.reject(new DOMException("none", "NotFoundError")) : real(wanted); }"""
    )
    await page.get_by_role("button", name="Start watching").click()
    await expect(page.locator(".notice")).to_contain_text("No microphone was found.")
    await expect(page.locator(".light")).to_contain_text("Recording")
    await expect(page.locator(".stage")).to_have_attribute(
        "data-state", "listening", timeout=20_000
    )


async def test_an_unplugged_camera_is_told_and_listening_goes_on(
    page_site: Site, visitor: Visitor
) -> None:
    page, _ = await started(visitor, page_site)
    await page.evaluate(
        """() => { const [track] = document.querySelector(".picture video").srcObject.getTracks();
           track.stop(); track.dispatchEvent(new Event("ended")); }"""
    )
    await expect(page.locator(".notice")).to_contain_text("The camera is gone")
    await expect(page.locator(".light")).to_contain_text("Recording")
    await expect(page.locator(".dark-note")).to_be_visible()


async def test_a_session_that_another_tab_takes_is_let_go(
    page_site: Site, visitor: Visitor
) -> None:
    page, stream_id = await started(visitor, page_site)
    page_site.publish(stream_id, "ended", {"reason": "ended by the sender"})
    await expect(page.locator(".notice")).to_contain_text("went on in another tab")
    await expect(page.locator(".light")).to_be_hidden()


async def test_a_session_that_the_server_ended_is_made_again_with_the_same_memory(
    page_site: Site, visitor: Visitor
) -> None:
    page, stream_id = await started(visitor, page_site)
    async with page.expect_response(lambda got: "/whip?" in got.url and got.status == 201) as again:
        page_site.publish(stream_id, "ended", {"reason": "no media came"})
    assert stream_id in (await again.value).url
    await expect(page.locator(".light")).to_contain_text("Recording")
    visitor.problems = [one for one in visitor.problems if "409" not in one]


async def test_what_fails_on_the_way_is_told_and_over_with_the_next_moment(
    page_site: Site, visitor: Visitor
) -> None:
    page, stream_id = await started(visitor, page_site)
    page_site.publish(stream_id, "state", {"state": "failed", "message": "the disk is full"})
    await expect(page.locator(".notice")).to_contain_text("but the disk is full")
    moment = {
        "moment_id": f"{stream_id}:0000004000",
        "stream_id": stream_id,
        "start": 4.0,
        "end": 8.0,
        "text": "a desk",
        "keyframe": None,
        "observations": [],
    }
    page_site.publish(stream_id, "moment", moment)
    await expect(page.get_by_role("button", name="Moment at 0:04: a desk")).to_be_visible()
    await expect(page.locator(".notice")).to_contain_text("That works again.")


@pytest.mark.parametrize("mode", ["any", "push"])
async def test_holding_to_talk_is_offered_where_the_server_waits_for_it(
    page_site: Site, visitor: Visitor, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = page_site.hub
    assert hub is not None
    changed = hub.settings.model_copy(update={"answer_mode": mode})
    monkeypatch.setattr(hub, "settings", changed)
    page, _ = await started(visitor, page_site)
    push = page.get_by_role("button", name="Hold to talk")
    if mode == "any":
        await expect(push).to_be_hidden()
        return
    await expect(push).to_be_visible()
    await page.locator("body").press("Escape")
    await page.keyboard.down("t")
    await expect(push).to_have_class("plain push held")
    await page.keyboard.up("t")
    await expect(push).to_have_class("plain push")
