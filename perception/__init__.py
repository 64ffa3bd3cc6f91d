"""Perception: audio and frames in, observations and moments out.

A `Source` gives audio and frames; `StreamPipeline` finds utterances and scenes in them, has a
`Perceiver` recognise, listen, look and read, and gives `Event`s: what was heard and seen, and the
moments (2 to 20 s) that hold it. Everything is deterministic in the stream's content. Open
`pipeline.py` first, then `moments.py` for how moments are cut; `perceiver.py` is the seam to models.

Only records and errors are re-exported: whoever needs those alone loads no codec and no OpenCV.
"""

from __future__ import annotations

from perception.errors import PerceptionError, SourceError
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

__all__ = [
    "Audio",
    "Image",
    "KINDS",
    "Kind",
    "Moment",
    "Observation",
    "PerceptionError",
    "Role",
    "SAMPLE_RATE",
    "SourceError",
    "Stream",
    "Tag",
    "moment_id",
    "observation_id",
]
