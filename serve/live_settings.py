"""Settings of a live stream, as the pipeline takes them."""

from __future__ import annotations

from perception.pipeline import PipelineSettings
from perception.vad import VoiceSettings
from serve.settings import Settings

PARTIAL_EVERY = 0.7  # seconds between two recognitions of what is being said
PAUSE = 0.25  # seconds of silence after which what was said is recognised on trial
ONSET = 0.065  # seconds of voice that are somebody speaking: the agent falls silent at once
# One frame is looked at at a time: another would keep a core from what is said.
IN_FLIGHT = 1


def pipeline_settings(settings: Settings) -> PipelineSettings:
    """For conversation: what is said is recognised while it is said, and ends sooner."""
    voice = VoiceSettings(
        silence=max(settings.endpoint_seconds, settings.endpoint_finished_seconds),
        finished=settings.endpoint_finished_seconds,
        pause=min(PAUSE, settings.endpoint_finished_seconds),
        tail=min(PAUSE, settings.endpoint_finished_seconds),
        onset=ONSET,
    )
    return PipelineSettings(
        voice=voice, in_flight=IN_FLIGHT, live=True, partial_every=PARTIAL_EVERY
    )
