"""Speech recognition: Whisper through CTranslate2, and the gates that drop what it makes up.

Whisper hears words in noise and repeats itself (arXiv 2212.04356, section 4.5); the thresholds
are that paper's, with a stricter rule for short texts.
"""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

import models
from perception.errors import AudioTooLong, UnknownLanguage
from perception.records import SAMPLE_RATE, Audio

LONGEST = 30.0  # seconds, the model's window
FRAMES_PER_SECOND = 100  # of its log-mel features
# Whisper was trained on windows padded to 30 s, and its encoder costs the same for a word as for
# 30 s. Padded by 10 s it is three times cheaper, and where its confidence stays below `SURE` the
# full window is tried as well. Padded by less it repeats itself: good enough for drafts.
PAD = 10.0
DRAFT_PAD = 4.0
# Somebody who waits for an answer waits for the full window only where it is badly needed.
SURE = {"full": 0.85, "live": 0.6}
LONGEST_TEXT = 224  # tokens, half the decoder's context

# Of a sentence still being said, of one just said to an agent, of a recording.
Effort = Literal["draft", "live", "full"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said. Empty text when nothing was, or nothing that can be believed.

    `confidence` is the mean token probability in [0, 1]; `segments` are (start, end, text) in
    seconds from the beginning of the audio.
    """

    text: str
    language: str | None = None
    confidence: float = 0.0
    segments: tuple[tuple[float, float, str], ...] = ()


NOTHING = Transcript("")


@dataclass(frozen=True, slots=True)
class Gates:
    """When a transcript is not believed."""

    no_speech: float = 0.6  # above this the model itself says there is no speech ...
    unsure: float = -1.0  # ... and its mean log probability is below this
    hopeless: float = -1.6  # below this it is dropped whatever else
    compression: float = 2.4  # text that deflates by more than this repeats itself
    repeats: int = 3  # a phrase this many times in a row is a loop
    # Alone in an utterance, and unsure, these come from subtitles and not from the microphone.
    boilerplate: tuple[str, ...] = (
        "you",
        "thank you",
        "thanks for watching",
        "thank you for watching",
        "please subscribe",
        "bye",
        "the end",
    )


@dataclass(frozen=True, slots=True)
class _Decoded:
    text: str
    language: str
    score: float  # mean log probability of its tokens
    no_speech: float


class Recognizer(Protocol):
    """Blocking. Less `effort` trades some accuracy for a transcript several times sooner."""

    def recognize(self, utterances: Sequence[Audio], effort: Effort = "full") -> list[Transcript]:
        """What was said in each utterance."""
        ...


class WhisperRecognizer:
    """Whisper in CTranslate2 form; safe to call from many threads, one call at a time each.

    Args:
        model: a name of the model catalogue.
        language: ISO 639-1, or None to detect it of each utterance (nearly free: the encoder's
            output is shared).
        fallback_language: taken where detection is unsure, as it is of a single "okay".
        hotwords: words to expect. Off by default: with a name given, Whisper base mishears other
            words more often than it hears the name.
        workers: calls that run at once. cpu_threads: cores of each.
    """

    def __init__(
        self,
        model: str = "whisper-base",
        *,
        language: str | None = None,
        fallback_language: str = "en",
        hotwords: str = "",
        beam_size: int = 5,
        cpu_threads: int = 2,
        workers: int = 1,
        device: str = "cpu",
        compute_type: str = "int8",
        gates: Gates | None = None,
    ) -> None:
        from faster_whisper import WhisperModel

        self._model: Any = WhisperModel(
            str(models.locate(model)),
            device=device,
            compute_type=compute_type,
            cpu_threads=cpu_threads,
            num_workers=workers,
        )
        for code in (language, fallback_language):
            if code is not None and code not in self._model.supported_languages:
                raise UnknownLanguage(code)
        self._language, self._fallback = language, fallback_language
        self._hotwords, self._beam_size = hotwords, beam_size
        self._gates = gates or Gates()
        self._tokenizers: dict[str, Any] = {}
        self._lock = threading.Lock()

    def recognize(self, utterances: Sequence[Audio], effort: Effort = "full") -> list[Transcript]:
        """Each utterance's transcript, gated.

        Raises:
            AudioTooLong: an utterance is longer than the model's 30 s.
        """
        for audio in utterances:
            if len(audio) > (LONGEST + 0.5) * SAMPLE_RATE:
                raise AudioTooLong(len(audio) / SAMPLE_RATE, LONGEST)
        return [self._one(audio, effort) for audio in utterances]

    def _one(self, audio: Audio, effort: Effort) -> Transcript:
        seconds = len(audio) / SAMPLE_RATE
        if seconds < 0.1 or not np.any(audio):
            return NOTHING
        features = self._model.feature_extractor(audio)
        draft = effort == "draft"
        heard = self._decode(features, DRAFT_PAD if draft else PAD, 1 if draft else self._beam_size)
        if not draft and np.exp(heard.score) < SURE[effort]:
            other = self._decode(features, LONGEST, self._beam_size)
            heard = max(heard, other, key=lambda h: h.score)
        if not believable(heard.text, heard.score, heard.no_speech, self._gates):
            return replace(NOTHING, language=heard.language)
        whole = ((0.0, seconds, heard.text),)
        return Transcript(heard.text, heard.language, float(np.exp(heard.score)), whole)

    def _decode(self, features: Any, pad: float, beam_size: int) -> _Decoded:
        """What the model makes of log-mel features (mels x frames) padded by `pad` seconds."""
        frames = min(features.shape[1], int(LONGEST * FRAMES_PER_SECOND))
        wanted = min(int(LONGEST * FRAMES_PER_SECOND), frames + int(pad * FRAMES_PER_SECOND))
        wanted -= wanted % 2  # the encoder halves it
        frames = min(frames, wanted)
        # Zeros, not the features of silence, are what the model saw in training.
        encoded = self._model.encode(np.pad(features[:, :frames], ((0, 0), (0, wanted - frames))))
        language = self._language or self._detect(encoded)
        tokenizer = self._tokenizer(language)
        prompt = self._model.get_prompt(
            tokenizer, [], without_timestamps=True, hotwords=self._hotwords or None
        )
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=beam_size,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=[-1],
            max_length=len(prompt) + min(LONGEST_TEXT, 12 + frames // 10),
        )[0]
        text = tokenizer.decode(result.sequences_ids[0]).strip()
        return _Decoded(text, language, float(result.scores[0]), float(result.no_speech_prob))

    def _detect(self, encoded: Any) -> str:
        token, probability = self._model.model.detect_language(encoded)[0][0]
        return token[2:-2] if probability >= 0.6 else self._fallback

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        with self._lock:
            if language not in self._tokenizers:
                self._tokenizers[language] = Tokenizer(
                    self._model.hf_tokenizer,
                    self._model.model.is_multilingual,
                    task="transcribe",
                    language=language,
                )
            return self._tokenizers[language]


def believable(text: str, logprob: float, no_speech: float, gates: Gates) -> bool:
    """Whether a transcript is speech rather than something made up on noise.

    Args:
        text: the transcript.
        logprob: mean log probability of its tokens.
        no_speech: probability of no speech, [0, 1].
        gates: the thresholds.
    """
    words = re.findall(r"\w+", text.lower())
    if not words:
        return False
    if no_speech > gates.no_speech and logprob < gates.unsure:
        return False
    if logprob < gates.hopeless:
        return False
    if len(text) >= 40 and compression_ratio(text) > gates.compression:
        return False
    if repeated(words) >= gates.repeats and len(words) > 4:
        return False
    unsure = logprob < -0.7 or no_speech > 0.4
    return not (unsure and " ".join(words) in gates.boilerplate)


def compression_ratio(text: str) -> float:
    """Bytes over deflated bytes."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))


def repeated(words: Sequence[str]) -> int:
    """How often the most repeated phrase (1 to 8 words) follows upon itself."""
    most = 1
    for length in range(1, min(8, len(words) // 2) + 1):
        run = 1
        for at in range(length, len(words) - length + 1, 1):
            same = words[at : at + length] == words[at - length : at]
            run = run + 1 if same else 1
            # A run counts positions; whole repeats are every `length` of them.
            most = max(most, 1 + (run - 1 + length - 1) // length if run > 1 else 1)
    return most


class ScriptedRecognizer:
    """The fake: says the text scripted for the utterance's length in tenths of a second."""

    def __init__(self, script: dict[int, str] | None = None) -> None:
        self._script = script or {}

    def recognize(self, utterances: Sequence[Audio], effort: Effort = "full") -> list[Transcript]:
        """What was said in each utterance."""
        return [self._one(audio) for audio in utterances]

    def _one(self, audio: Audio) -> Transcript:
        seconds = len(audio) / SAMPLE_RATE
        text = self._script.get(round(seconds * 10), f"words for {seconds:.1f} seconds")
        return Transcript(text, "en", 0.9, ((0.0, seconds, text),)) if text else NOTHING
