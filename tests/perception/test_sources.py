from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from perception import Image, errors
from perception.sources import AudioChunk, Frame, RecordingSource
from tests.perception.conftest import plain, texture, tone

pytestmark = pytest.mark.unit
Recording = Callable[..., Path]


def pictures(
    count: int, per_second: float, size: tuple[int, int] = (320, 180)
) -> Iterator[tuple[float, Image]]:
    for index in range(count):
        yield index / per_second, texture(index // 10, *size)


async def everything(source: RecordingSource) -> tuple[list[AudioChunk], list[Frame]]:
    items = [item async for item in source]
    chunks = [item for item in items if isinstance(item, AudioChunk)]
    frames = [item for item in items if isinstance(item, Frame)]
    return chunks, frames


async def test_a_recording_gives_audio_without_gaps_and_frames_in_order(
    recording: Recording,
) -> None:
    path = recording("both.mp4", video=pictures(90, 30), audio=tone(3)[None])
    source = RecordingSource(path)
    chunks, frames = await everything(source)
    assert source.has_audio
    assert source.has_video
    assert source.seconds == pytest.approx(3, abs=0.2)
    for before, after in zip(chunks, chunks[1:], strict=False):
        assert after.start == pytest.approx(before.end)
    assert chunks[-1].end == pytest.approx(3, abs=0.15)
    assert [f.time for f in frames] == sorted(f.time for f in frames)
    assert 10 <= len(frames) <= 13
    assert frames[0].image.shape == (180, 320, 3)


async def test_audio_and_frames_come_interleaved_by_time(recording: Recording) -> None:
    path = recording("both.mp4", video=pictures(150, 30), audio=tone(5)[None])
    latest = 0.0
    async for item in RecordingSource(path):
        at = item.start if isinstance(item, AudioChunk) else item.time
        assert at >= latest - 0.6
        latest = max(latest, at)


async def test_six_channels_at_44100_become_mono_at_16000(recording: Recording) -> None:
    sound = np.stack([0.3 * np.sin(np.arange(2 * 44100) / 44100 * 2 * np.pi * 440)] * 6)
    path = recording("six.mkv", audio=sound.astype(np.float32), rate=44100, layout="5.1")
    chunks, frames = await everything(RecordingSource(path))
    samples = np.concatenate([c.samples for c in chunks])
    assert not frames
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(32000, abs=2000)
    crossings = np.sum(np.diff(np.signbit(samples[4000:20000])))
    assert crossings == pytest.approx(880, abs=20)


async def test_a_video_without_sound_gives_frames_alone(recording: Recording) -> None:
    source = RecordingSource(recording("silent.mp4", video=pictures(60, 30)))
    chunks, frames = await everything(source)
    assert not source.has_audio
    assert not chunks
    assert len(frames) in (8, 9)


async def test_odd_rates_are_resampled(recording: Recording) -> None:
    path = recording("odd.wav", audio=tone(1)[None][:, :11025], rate=11025, audio_codec="pcm_f32le")
    chunks, _ = await everything(RecordingSource(path))
    assert chunks[-1].end == pytest.approx(1, abs=0.05)


async def test_variable_frame_rate_keeps_its_times(recording: Recording) -> None:
    times = [0.0, 0.04, 0.08, 1.0, 1.04, 3.5, 3.9]
    video = ((t, plain(40 * i)) for i, t in enumerate(times))
    _, frames = await everything(RecordingSource(recording("vfr.mkv", video=video)))
    assert [f.time for f in frames] == pytest.approx([0.0, 1.0, 3.5, 3.9], abs=0.01)


async def test_one_frame_is_a_recording(recording: Recording) -> None:
    source = RecordingSource(recording("one.mp4", video=iter([(0.0, plain(90))])))
    _, frames = await everything(source)
    assert len(frames) == 1


async def test_large_frames_are_brought_down(recording: Recording) -> None:
    path = recording("large.mp4", video=pictures(2, 30, (1920, 1080)))
    _, frames = await everything(RecordingSource(path))
    assert frames[0].image.shape == (540, 960, 3)


async def test_a_rotated_phone_video_is_upright(recording: Recording, tmp_path: Path) -> None:
    """Phones store landscape frames and a display matrix; the red top must come out on top."""
    lying = np.zeros((180, 320, 3), np.uint8)
    lying[:, :40] = (255, 0, 0)  # left when stored, top once turned a quarter clockwise
    path = recording("phone.mp4", video=iter([(i / 10, lying) for i in range(10)]))
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"tkhd") + 4 + 40  # the track's matrix: version 0, after 40 bytes of fields
    turned = [0, 1 << 16, 0, -(1 << 16), 0, 0, 180 << 16, 0, 1 << 30]
    raw[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in turned)
    rotated = tmp_path / "rotated.mp4"
    rotated.write_bytes(raw)
    _, frames = await everything(RecordingSource(rotated))
    image = frames[0].image
    assert image.shape == (320, 180, 3)
    assert image[10, 90, 0] > 150
    assert image[310, 90, 0] < 60


async def test_stopping_early_frees_the_file(recording: Recording) -> None:
    items = RecordingSource(recording("both.mp4", video=pictures(90, 30))).__aiter__()
    first = await anext(items)
    await asyncio.wait_for(items.aclose(), 5)
    assert isinstance(first, Frame)
    with pytest.raises(StopAsyncIteration):
        await anext(items)


async def test_stopping_waits_for_the_thread_that_decodes(recording: Recording) -> None:
    """It freed the file under it, and the process died."""
    path = recording("both.mp4", video=pictures(90, 30))
    for at in range(40):
        reading = asyncio.ensure_future(everything(RecordingSource(path)))
        await asyncio.sleep(at / 2000)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # the last ones are through before
            await reading


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, recording: Recording) -> None:
    whole = recording("whole.mp4", video=pictures(90, 30), audio=tone(3)[None]).read_bytes()
    text, empty, cut, noise, folder = (
        tmp_path / name for name in ("text.mp4", "empty.mp4", "cut.mp4", "noise.mp4", "folder")
    )
    text.write_text("not a film\n" * 100)
    empty.touch()
    cut.write_bytes(whole[: len(whole) // 2])
    noise.write_bytes(np.random.default_rng(0).bytes(50_000))
    folder.mkdir()
    for path, kind in (
        (tmp_path / "nowhere.mp4", errors.SourceMissing),
        (folder, errors.SourceMissing),
        (text, errors.NotMedia),
        (empty, errors.SourceEmpty),
        (cut, errors.Truncated),
        (noise, errors.NotMedia),
    ):
        with pytest.raises(kind, match=path.name) as caught:
            RecordingSource(path)
        assert "\n" not in str(caught.value)


def test_a_source_error_survives_pickling(tmp_path: Path) -> None:
    """Deployments send errors between processes."""
    error = errors.SourceMissing(tmp_path / "a.mp4")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is errors.SourceMissing
    assert (str(again), again.path) == (str(error), error.path)


async def test_a_recording_cut_in_the_middle_of_its_samples_is_perceived_up_to_there(
    recording: Recording, tmp_path: Path
) -> None:
    whole = recording("whole.mkv", video=pictures(150, 30), audio=tone(5)[None]).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    chunks, frames = await everything(RecordingSource(cut))
    assert frames
    assert chunks
    assert 1.0 < chunks[-1].end < 5.0
