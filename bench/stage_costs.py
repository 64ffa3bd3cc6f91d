"""What one piece of each stage's work costs, how much of it a stream brings, and what serves it.

`TWO_CORES` was measured by `python -m bench scale --measure RECORDING` on two shared cores without a
GPU, 22 November 2026. `ONE_H100` is what bytes and operations allow on an H100 (989 dense bf16
TFLOP/s, 3.35 TB/s by its data sheet) at a third of the arithmetic and two thirds of the bandwidth,
where nothing was measured: `python -m bench gpu --json` measures it, and `--costs FILE` takes what it
found. Tags, faces, reading text and whatever else runs on cores costs what it does in `TWO_CORES`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of a core, or of a GPU where the stage has one."""

    ingest: float  # a second of stream: decode, voice activity, change detection
    look: float  # a frame that looks different: tags and faces, on a core
    read: float  # a frame whose text is read, on a core
    encode: float  # a keyframe, to a vector that words find
    recognise_call: float  # an utterance, whatever its length
    recognise: float  # a second of speech
    remember: float  # a moment
    search: float  # a question
    prompt_fixed: float  # an answer, before its first token
    prompt_token: float  # a token of the prompt that is not in the KV cache
    picture: float  # a picture that is not in the picture cache
    token: float  # a token of an answer, shared by those that are written at once
    measured: bool


@dataclass(frozen=True, slots=True)
class Load:
    """What one stream brings. Rates are a second."""

    frames: float = 1.0
    changed: float = 0.5  # of the frames: those that look different enough to be looked at
    reads: float = 0.1  # of those looked at: those whose text is read
    speech: float = 0.3  # of the time
    utterance: float = 4.0  # seconds
    moments: float = 1 / 6
    questions: float = 1 / 300
    prompt_tokens: float = 1000.0
    new_pictures: float = 4.0  # the live frames; remembered keyframes are cached
    answer_tokens: float = 40.0


# The embedded profile shows no pictures, and its prompts begin with what is in the KV cache.
WORDS_ONLY = Load(prompt_tokens=40.0, new_pictures=0.0, answer_tokens=15.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """One cell: a gateway, one memory writer, and how many of the rest. Where `shared_cores` are
    given all but the gateway and memory run on them; with `one_gpu`, encoding, recognising and
    reading prompts slow each other down."""

    name: str
    costs: Costs
    gateway_cores: int = 1
    looking_cores: int = 1
    reading_cores: int = 1
    recognising: int = 1
    answering: int = 1
    rows: int = 1  # answers that one replica writes at once
    shared_cores: int = 0
    one_gpu: bool = False
    gpus: float = 0
    load: Load = Load()  # noqa: RUF009  # frozen


TWO_CORES = Costs(
    ingest=0.013 + 0.006,  # decoding and sound classes
    look=0.151,
    read=0.194,
    encode=0.0,  # tags are what finds pictures
    recognise_call=1.05,  # the encoder costs the same for a word as for a long sentence
    recognise=0.0,
    remember=0.015,
    search=0.019,
    prompt_fixed=0.1,
    prompt_token=1 / 81,
    picture=0.0,
    token=1 / 32,
    measured=True,
)

# SigLIP 2 base: 35 GFLOP a picture, and 6 ms of a core to make it small. Whisper large-v3-turbo: 1.2 TFLOP a window in the encoder, then
# 0.35 GB of weights a token, 5 tokens a second of speech. Qwen3-VL-8B: 17.5 GFLOP a prompt token; a
# picture of 512 tokens is 2,048 patches through 0.58 billion weights, then 512 prompt tokens; a step
# reads 16.4 GB of weights, whatever the number of answers.
ONE_H100 = replace(
    TWO_CORES,
    encode=0.006 + 35e9 / 330e12,
    recognise_call=1.2e12 / 330e12 + 0.01,
    recognise=5 * 0.35e9 / 2.2e12 + 0.01,
    prompt_fixed=0.02,
    prompt_token=17.5e9 / 330e12,
    picture=(2048 * 2 * 0.58e9 + 512 * 17.5e9) / 330e12,
    token=16.4e9 / 2.2e12,
    measured=False,
)
