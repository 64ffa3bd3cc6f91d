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
from perception.checkpoints import folder_of, loading
from perception.errors import AudioTooLong, UnknownLanguage
from perception.records import SAMPLE_RATE, Audio

DEFAULT = "whisper-base"
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
        model: a name of the model catalogue, a hub id (`owner/name@revision`) or a folder.
        language: ISO 639-1, or None to detect it of each utterance (nearly free: the encoder's
            output is shared).
        fallback_language: taken where detection is unsure, as it is of a single "okay".
        hotwords: words to expect. Off by default: with a name given, Whisper base mishears other
            words more often than it hears the name.
        workers: calls that run at once. cpu_threads: cores of each.
        device: cpu, cuda, or cuda:N. compute_type: None is int8 on the CPU, float16 on a GPU.
        batch: utterances in one pass. More than one pays on a GPU only.

    Raises:
        models.ModelError, ModelUnusable: the model is missing or damaged.
        UnknownLanguage: it knows no such language.
    """

    def __init__(
        self,
        model: str = DEFAULT,
        *,
        language: str | None = None,
        fallback_language: str = "en",
        hotwords: str = "",
        beam_size: int = 5,
        cpu_threads: int = 2,
        workers: int = 1,
        device: str = "cpu",
        compute_type: str | None = None,
        batch: int = 1,
        gates: Gates | None = None,
    ) -> None:
        from faster_whisper import WhisperModel

        kind, _, number = device.partition(":")
        folder = models.locate(model) if model in models.names() else folder_of(model)
        with loading(model):
            self._model: Any = WhisperModel(
                str(folder),
                device=kind,
                device_index=int(number or 0),
                compute_type=compute_type or ("int8" if kind == "cpu" else "float16"),
                cpu_threads=cpu_threads,
                num_workers=workers,
            )
        for code in (language, fallback_language):
            if code is not None and code not in self._model.supported_languages:
                raise UnknownLanguage(code)
        self._language, self._fallback = language, fallback_language
        self._hotwords, self._beam_size = hotwords, beam_size
        # A GPU takes the full window in less time than a second pass would.
        self._pad = PAD if kind == "cpu" else LONGEST
        self._batch = batch
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
        found = [NOTHING] * len(utterances)
        sounding = [at for at, audio in enumerate(utterances) if _sounds(audio)]
        for first in range(0, len(sounding), self._batch):
            chosen = sounding[first : first + self._batch]
            heard = self._together([utterances[at] for at in chosen], effort)
            for at, transcript in zip(chosen, heard, strict=True):
                found[at] = transcript
        return found

    def _together(self, audios: Sequence[Audio], effort: Effort) -> list[Transcript]:
        """One pass over all of them, and a second, with the full window, over those in doubt."""
        features = [self._model.feature_extractor(audio) for audio in audios]
        draft = effort == "draft"
        pad = DRAFT_PAD if draft else self._pad
        heard = self._decode(features, pad, 1 if draft else self._beam_size)
        if not draft and pad < LONGEST:
            unsure = [at for at, one in enumerate(heard) if np.exp(one.score) < SURE[effort]]
            again = self._decode([features[at] for at in unsure], LONGEST, self._beam_size)
            for at, other in zip(unsure, again, strict=True):
                heard[at] = max(heard[at], other, key=lambda h: h.score)
        return [self._gated(*pair) for pair in zip(audios, heard, strict=True)]

    def _gated(self, audio: Audio, heard: _Decoded) -> Transcript:
        if not believable(heard.text, heard.score, heard.no_speech, self._gates):
            return replace(NOTHING, language=heard.language)
        whole = ((0.0, len(audio) / SAMPLE_RATE, heard.text),)
        return Transcript(heard.text, heard.language, float(np.exp(heard.score)), whole)

    def _decode(self, features: Sequence[Any], pad: float, beam_size: int) -> list[_Decoded]:
        """What the model makes of log-mel features (mels x frames each), the longest of them padded
        by `pad` seconds and the others to the same length."""
        if not features:
            return []
        window = int(LONGEST * FRAMES_PER_SECOND)
        longest = min(window, max(one.shape[1] for one in features))
        wanted = min(window, longest + int(pad * FRAMES_PER_SECOND))
        wanted -= wanted % 2  # the encoder halves it
        # Zeros, not the features of silence, are what the model saw in training.
        encoded = self._model.encode(np.stack([_padded(one, wanted) for one in features]))
        languages = [self._language] * len(features) if self._language else self._detect(encoded)
        tokenizers = [self._tokenizer(language) for language in languages]
        prompts = [
            self._model.get_prompt(
                tokenizer, [], without_timestamps=True, hotwords=self._hotwords or None
            )
            for tokenizer in tokenizers
        ]
        results = self._model.model.generate(
            encoded,
            prompts,
            beam_size=beam_size,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=[-1],
            max_length=len(prompts[0]) + min(LONGEST_TEXT, 12 + min(longest, wanted) // 10),
        )
        return [
            _Decoded(
                tokenizer.decode(result.sequences_ids[0]).strip(),
                language,
                float(result.scores[0]),
                float(result.no_speech_prob),
            )
            for tokenizer, language, result in zip(tokenizers, languages, results, strict=True)
        ]

    def _detect(self, encoded: Any) -> list[str]:
        likeliest = [found[0] for found in self._model.model.detect_language(encoded)]
        return [token[2:-2] if sure >= 0.6 else self._fallback for token, sure in likeliest]

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


def _sounds(audio: Audio) -> bool:
    return len(audio) >= SAMPLE_RATE // 10 and bool(np.any(audio))


def _padded(features: Any, frames: int) -> Any:
    kept = features[:, :frames]
    return np.pad(kept, ((0, 0), (0, frames - kept.shape[1])))


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
