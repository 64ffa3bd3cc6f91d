"""A question and the memory in, a cited answer out, streamed.

In: a `Question` (typed or spoken, after the `Gate` said it is one) and a `MemoryReader`. Out:
`Token`s as they are generated, a `Replace` where they did not stand in the evidence, then one
`Answer` with its citations, or an honest abstention.
Open `agent.py` first; `matching.py` is where it is decided whether there is an answer. A model that
sees is shown pictures too (`looking.py`): one of transformers on a GPU (`transformer.py`), one behind
an endpoint (`endpoint.py`), or a GGUF file with a projector.
"""

from reasoning.agent import Agent
from reasoning.errors import (
    GenerationFailed,
    ModelUnusable,
    PictureUnusable,
    QuestionRefused,
    ReasoningError,
)
from reasoning.gate import Gate, Judgement
from reasoning.generator import Capabilities, Generator, GgufGenerator, ScriptedGenerator
from reasoning.judging import Judge
from reasoning.nearness import WordVectors
from reasoning.pictures import Picture
from reasoning.prompt import Prompt
from reasoning.records import Answer, Citation, Frame, Question, Replace, Timings, Token

__all__ = [
    "Agent",
    "Answer",
    "Capabilities",
    "Citation",
    "Frame",
    "Gate",
    "GenerationFailed",
    "Generator",
    "GgufGenerator",
    "Judge",
    "Judgement",
    "ModelUnusable",
    "Picture",
    "PictureUnusable",
    "Prompt",
    "Question",
    "QuestionRefused",
    "ReasoningError",
    "Replace",
    "ScriptedGenerator",
    "Timings",
    "Token",
    "WordVectors",
]
