"""From a microphone to an answer in text and sound, and silence when somebody speaks over it."""

from __future__ import annotations

import wave
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, async_playwright, expect

from perception import pipeline
from perception.vad import LoudnessDetector
from tests.app.conftest import CHROMIUM, FLAGS, Visitor
from tests.app.site import site

pytestmark = pytest.mark.browser

RATE = 48_000
SAID = (
    "The umbrella is in the top drawer of the old wardrobe, beside the winter gloves and scarves, "
    "where it has been since the last time that it rained in this town.",
    "Where is the umbrella?",
    "Well, whatever.",
)
STATEMENT, QUESTION, FILLER = range(3)

# Tones would be taken for noise by the browser's own suppression.
UNPROCESSED = """
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) => real(wanted.audio
        ? { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } }
        : wanted);
"""

# The loudest of what the page plays, kept on the window: 0 is silence.
LISTEN = """() => {
    const context = new AudioContext();
    const meter = context.createAnalyser();
    context.createMediaStreamSource(document.querySelector(".stage audio").srcObject).connect(meter);
    const heard = new Float32Array(meter.fftSize);
    window.loudness = () => {
        meter.getFloatTimeDomainData(heard);
        return Math.max(...heard.map(Math.abs));
    };
}"""


def recording(path: Path, parts: Sequence[tuple[int | None, float]]) -> Path:
    """A WAV of tones (an index of SAID) and silences (None), each with its seconds."""
    sound = []
    for index, seconds in parts:
        times = np.arange(int(seconds * RATE)) / RATE
        pitch = 0 if index is None else 200 * (index + 1)
        sound.append((np.sin(2 * np.pi * pitch * times) * 12_000).astype(np.int16))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.concatenate(sound).tobytes())
    return path


@pytest.fixture
async def talking(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Page, None]:
    """A live page whose microphone hears the parts that the test is parametrized with."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: the page is not tested in a browser")
    monkeypatch.setattr(pipeline, "SileroDetector", LoudnessDetector)
    heard = recording(tmp_path / "heard.wav", request.param)
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={heard}%noloop"]
    with site(tmp_path, tones=SAID) as running:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            visitor = Visitor(browser, "test-talking")
            page = await visitor.open(running.url)
            await page.evaluate(f"() => {{ {UNPROCESSED} }}")
            await page.get_by_role("button", name="Start watching").click()
            await expect(page.locator(".light")).to_contain_text("Recording")
            yield page
            await visitor.close()
            await browser.close()
            assert not visitor.problems


ASKED = ((None, 4.0), (STATEMENT, 1.0), (None, 4.0), (QUESTION, 1.0))


@pytest.mark.parametrize("talking", [(*ASKED, (None, 40.0))], indirect=True)
async def test_a_spoken_question_is_answered_in_text_with_evidence_and_in_sound(
    talking: Page,
) -> None:
    lines = talking.get_by_role("log", name="Heard and seen")
    await expect(lines).to_contain_text("The umbrella is in the top drawer", timeout=30_000)
    await expect(talking.locator(".bubble.asked")).to_contain_text(SAID[QUESTION], timeout=30_000)
    await expect(talking.locator(".bubble.answer")).to_contain_text("top drawer")
    await talking.evaluate(LISTEN)
    await talking.wait_for_function("window.loudness() > 0.05", timeout=20_000)
    await expect(talking.locator(".stage")).to_have_attribute("data-state", "speaking")
    cited = talking.get_by_role("list", name="Evidence").get_by_role("button").first
    await cited.click()
    await expect(talking.get_by_role("dialog").locator(".cited")).to_contain_text("top drawer")
    assert await talking.locator(".bubble.asked").count() == 1
    await talking.keyboard.press("Escape")
    await talking.get_by_role("button", name="Hush").click()
    await talking.wait_for_function("window.loudness() < 0.01", timeout=10_000)


@pytest.mark.parametrize(
    "talking", [(*ASKED, (None, 4.0), (FILLER, 1.5), (None, 30.0))], indirect=True
)
async def test_speaking_over_an_answer_silences_it_and_a_filler_asks_nothing(
    talking: Page,
) -> None:
    await expect(talking.locator(".bubble.answer")).to_contain_text("top drawer", timeout=40_000)
    await talking.evaluate(LISTEN)
    await talking.wait_for_function("window.loudness() > 0.05", timeout=20_000)
    lines = talking.get_by_role("log", name="Heard and seen")
    await talking.wait_for_function("window.loudness() < 0.01", timeout=30_000)
    await expect(lines).to_contain_text(SAID[FILLER], timeout=20_000)
    await expect(talking.locator(".bubble.answer")).to_contain_text("Interrupted")
    assert await talking.locator(".bubble.asked").count() == 1
