"""Perception: audio and frames in, observations and moments out.

A `Source` gives audio and frames; `StreamPipeline` finds utterances and scenes in them, has a
`Perceiver` recognise, listen, look and read, and gives `Event`s: what was heard and seen, and the
moments (2 to 20 s) that hold it. Everything is deterministic in the stream's content. Open
`pipeline.py` first, then `moments.py` for how moments are cut; `perceiver.py` is the seam to models.
"""

from __future__ import annotations

from perception.changes import ChangeSettings
from perception.errors import PerceptionError, SourceError
from perception.moments import MomentSettings
from perception.perceiver import LocalPerceiver, Look, Perceiver
from perception.pipeline import (
    Event,
    Heard,
    MomentCut,
    PipelineSettings,
    Progress,
    Seen,
    StreamPipeline,
    VoiceStarted,
)
from perception.reader import TextLine
from perception.recognizer import Transcript
from perception.records import (
    KINDS,
    SAMPLE_RATE,
    Audio,
    Image,
    Kind,
    Moment,
    Observation,
    Role,
    Stream,
    Tag,
    moment_id,
    observation_id,
)
from perception.sounds import SoundSpan
from perception.sources import AudioChunk, Frame, RecordingSource, Source
from perception.vad import VoiceSettings

__all__ = [
    "KINDS",
    "SAMPLE_RATE",
    "Audio",
    "AudioChunk",
    "ChangeSettings",
    "Event",
    "Frame",
    "Heard",
    "Image",
    "Kind",
    "LocalPerceiver",
    "Look",
    "Moment",
    "MomentCut",
    "MomentSettings",
    "Observation",
    "Perceiver",
    "PerceptionError",
    "PipelineSettings",
    "Progress",
    "RecordingSource",
    "Role",
    "SAMPLE_RATE",
    "Seen",
    "SoundSpan",
    "Source",
    "SourceError",
    "Stream",
    "StreamPipeline",
    "Tag",
    "TextLine",
    "Transcript",
    "VoiceSettings",
    "VoiceStarted",
    "moment_id",
    "observation_id",
]
