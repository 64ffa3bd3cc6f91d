"""Errors of perception.

PerceptionError
├── SourceError             a recording that cannot be perceived; the message names it and says why
│   ├── SourceMissing       no such file, or not a file
│   ├── SourceUnreadable    there, but may not be opened
│   ├── SourceEmpty         zero bytes
│   ├── NotMedia            no container that FFmpeg knows (text, archive, picture without time)
│   ├── NothingToPerceive   a container without an audio or video stream that can be decoded
│   ├── Encrypted           its samples are encrypted
│   └── Truncated           cut off before its index or its first sample
├── ModelUnusable           a model named by a setting cannot be had, or not be loaded
└── PerceiverError          a model failed on valid input
    ├── OutOfMemory         the GPU or the machine has none left for now
    ├── AudioTooLong        an utterance beyond what the recogniser takes
    ├── UnknownLanguage     a language setting that the recogniser does not know
    └── NotAPicture         an image that is not uint8 RGB, or has no pixels
"""

from __future__ import annotations

from os import PathLike


class PerceptionError(Exception):
    """Whatever goes wrong in perception."""


class SourceError(PerceptionError):
    """A recording that cannot be perceived. `path` is the recording."""

    reason = "cannot be perceived"

    def __init__(self, path: str | PathLike[str], detail: str = "") -> None:
        self.path = str(path)
        super().__init__(f"{self.path}: {self.reason}" + (f" ({detail})" if detail else ""))

    def named(self, name: str) -> SourceError:
        """The same of a recording that its sender knows by another name."""
        return _rebuild(type(self), name, str(self).replace(self.path, name))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.path, str(self)))


def _rebuild(kind: type[SourceError], path: str, message: str) -> SourceError:
    error = kind.__new__(kind)
    error.path = path
    error.args = (message,)
    return error


class SourceMissing(SourceError):
    """There is no such file, or it is no file."""

    reason = "no such file"


class SourceUnreadable(SourceError):
    """The file may not be opened."""

    reason = "may not be read; check its permissions"


class SourceEmpty(SourceError):
    """The file has no bytes."""

    reason = "is empty (0 bytes)"


class NotMedia(SourceError):
    """No audio or video format was recognised."""

    reason = "is not a recording: no audio or video format was recognised"


class Playlist(SourceError):
    """It names other files instead of holding a recording: those are not its sender's to name."""

    reason = "is a playlist, not a recording"


class NothingToPerceive(SourceError):
    """No track of it can be decoded."""

    reason = "holds no audio and no video that can be decoded"


class Encrypted(SourceError):
    """Its samples are encrypted."""

    reason = "is encrypted; decrypt it first"


class Truncated(SourceError):
    """It was cut off too early to be decoded."""

    reason = "is cut off: its index or its first samples are missing; copy or record it again"


class ModelUnusable(PerceptionError):
    """A model that a setting names, by hub id or folder, cannot be used. One line says why."""

    def __init__(self, model: str, reason: str) -> None:
        self.model, self.reason = model, reason
        super().__init__(f"the model {model} cannot be used: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        return (ModelUnusable, (self.model, self.reason))


class PerceiverError(PerceptionError):
    """A model failed on input that it should have taken."""


class OutOfMemory(PerceiverError):
    """There was no memory for a call; later there may be."""


class AudioTooLong(PerceiverError):
    """An utterance is longer than the recogniser takes."""

    def __init__(self, seconds: float, limit: float) -> None:
        super().__init__(f"{seconds:.1f} s of audio in one utterance; at most {limit:.0f} s")


class UnknownLanguage(PerceiverError):
    """The recogniser does not know the language of a setting."""

    def __init__(self, language: str) -> None:
        super().__init__(f"the recogniser knows no language {language!r}; use an ISO 639-1 code")


class NotAPicture(PerceiverError):
    """An image is not uint8 [height, width, 3], or has no pixels."""

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        super().__init__(f"not a picture: {dtype} {shape} instead of uint8 (height, width, 3)")
