"""A question and the memory in, a cited answer out, streamed.

In: a `Question` (typed or spoken, after the `Gate` said it is one) and a `MemoryReader`. Out:
`Token`s as they are generated, a `Replace` where they did not stand in the evidence, then one
`Answer` with its citations, or an honest abstention.
Open `agent.py` first; `matching.py` is where it is decided whether there is an answer.
"""

from reasoning.agent import Agent
from reasoning.errors import GenerationFailed, ModelUnusable, QuestionRefused, ReasoningError
from reasoning.gate import Gate, Judgement
from reasoning.generator import Generator, GgufGenerator, ScriptedGenerator
from reasoning.nearness import WordVectors
from reasoning.prompt import Prompt
from reasoning.records import Answer, Citation, Question, Replace, Timings, Token

__all__ = [
    "Agent",
    "Answer",
    "Citation",
    "Gate",
    "GenerationFailed",
    "Generator",
    "GgufGenerator",
    "Judgement",
    "ModelUnusable",
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
