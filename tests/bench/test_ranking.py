from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from bench.ranking import BAND, STEP, Learner
from memory.index import Floats
from memory.ranking import WEIGHTS

pytestmark = pytest.mark.unit


def shown(random: np.random.Generator, told_by: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Ten results of which the cited ones stand out by one feature."""
    features = random.random((10, len(WEIGHTS))).astype(np.float32)
    cited = np.zeros(10, np.bool_)
    cited[:2] = True
    features[cited, told_by] += 0.5
    return features, cited


def test_what_tells_cited_evidence_apart_comes_to_weigh_more() -> None:
    learner = Learner(WEIGHTS)
    random = np.random.default_rng(1)
    for _ in range(200):
        learner.cited(*shown(random, told_by=0))
    features, cited = shown(random, told_by=0)
    apart = [
        (features[cited] @ weights).min() - (features[~cited] @ weights).max()
        for weights in (WEIGHTS, learner.weights)
    ]
    assert learner.weights[0] > WEIGHTS[0] * 1.2
    assert apart[1] > apart[0]


def test_no_answer_moves_a_weight_far_and_none_leaves_its_band() -> None:
    learner = Learner(WEIGHTS)
    wild = np.zeros((3, len(WEIGHTS)), np.float32)
    wild[0] = 1e6
    for _ in range(2000):
        before = learner.weights
        learner.cited(wild, np.array([True, False, False]))
        learner.cited(-wild, np.array([True, False, False]))
        assert np.abs(learner.weights - before).max() <= 2 * STEP + 1e-4
    assert np.isfinite(learner.weights).all()
    assert (np.abs(learner.weights - WEIGHTS) <= BAND * np.abs(WEIGHTS) + 1e-4).all()
    assert (np.sign(learner.weights) == np.sign(WEIGHTS)).all()


def test_an_answer_that_cited_all_or_nothing_teaches_nothing() -> None:
    learner = Learner(WEIGHTS)
    features = np.ones((4, len(WEIGHTS)), np.float32)
    learner.cited(features, np.zeros(4, np.bool_))
    learner.cited(features, np.ones(4, np.bool_))
    assert (learner.weights == WEIGHTS).all()
