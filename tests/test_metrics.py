"""Metrics against scikit-learn, against cases worked by hand, and against their definitions."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, roc_curve

from golden import metrics

SCORES = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=30).map(np.array)
"""Few values, so that most scores are tied."""


@pytest.fixture
def ensemble(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return integer logits (N, T, classes) that know something, and labels (N,)."""
    labels = rng.integers(0, 5, 400)
    logits = rng.integers(-3000, 3000, (400, 7, 5))
    logits += 2000 * np.eye(5, dtype=np.int64)[labels][:, None]
    return logits, labels


def test_softmax_by_hand() -> None:
    """Logits 0, 1, 2 in fixed point with ten fraction bits."""
    e = np.exp([0.0, 1.0, 2.0])
    assert metrics.softmax(np.array([0, 1024, 2048]), 10) == pytest.approx(e / e.sum())
    far = metrics.softmax(np.array([[-(2**31), 2**31 - 1]]), 0)
    assert far.tolist() == [[0, 1]]


def test_two_ways_to_average() -> None:
    """Two members, logits (2, 0) and (-2, 0): the mean logit is undecided, so is the mean softmax;
    with (2, 0) and (0, 0) they differ."""
    logits = np.array([[[2, 0], [-2, 0]], [[2, 0], [0, 0]]])
    q = 1 / (1 + np.exp(-2.0))
    assert metrics.mean_softmax(logits, 0)[:, 0] == pytest.approx([0.5, (q + 0.5) / 2])
    assert metrics.softmax_of_mean(logits, 0)[:, 0] == pytest.approx([0.5, 1 / (1 + np.exp(-1.0))])


def test_against_scikit_learn(ensemble: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = ensemble
    q = metrics.mean_softmax(logits, 10)
    assert metrics.accuracy(q, labels) == (q.argmax(axis=1) == labels).mean()
    assert metrics.nll(q, labels) == pytest.approx(log_loss(labels, q), rel=1e-12)
    expected = brier_score_loss(labels, q, labels=range(5))
    assert metrics.brier(q, labels) == pytest.approx(expected, rel=1e-12)


def test_scores_by_hand() -> None:
    """Three images, two classes: right and sure, wrong, undecided (the first class wins)."""
    q = np.array([[1, 0], [0.25, 0.75], [0.5, 0.5]])
    labels = np.array([0, 0, 0])
    assert metrics.accuracy(q, labels) == 2 / 3
    assert metrics.nll(q, labels) == pytest.approx((log(4) + log(2)) / 3)
    assert metrics.brier(q, labels) == pytest.approx((0 + 2 * 0.75**2 + 2 * 0.5**2) / 3)
    assert metrics.nll(np.array([[0.0, 1.0]]), np.array([0])) == pytest.approx(708.396, abs=1e-3)


def test_reliability_by_hand() -> None:
    """Five bins of 0.2: an edge belongs to the bin below it."""
    confidence = np.array([0.5, 0.6, 0.61, 0.8, 1.0, 1.0])
    q = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([1, 0, 1, 0, 0, 1])
    found = metrics.reliability(q, labels, bins=5)
    assert found.share.tolist() == pytest.approx([0, 0, 2 / 6, 2 / 6, 2 / 6])
    nan = float("nan")
    # The first image has q = (.5, .5): class 0 is named, and it is wrong.
    expected = [nan, nan, 1 / 2, 1 / 2, 1 / 2]
    assert found.accuracy == pytest.approx(expected, nan_ok=True)
    assert found.confidence == pytest.approx([nan, nan, 0.55, 0.705, 1], nan_ok=True)
    assert found.ece == pytest.approx((0.05 + 0.205 + 0.5) / 3)


def test_ece_is_its_definition(ensemble: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = ensemble
    q = metrics.mean_softmax(logits, 10)
    total = 0.0
    for b in range(metrics.ECE_BINS):
        inside = [n for n in range(len(q)) if b < q[n].max() * metrics.ECE_BINS <= b + 1]
        if inside:
            right = sum(q[n].argmax() == labels[n] for n in inside)
            total += abs(right - sum(q[n].max() for n in inside)) / len(q)
    assert metrics.reliability(q, labels).ece == pytest.approx(total)


def test_perfect_calibration_has_no_error() -> None:
    q = np.tile([0.75, 0.25], (4, 1))
    assert metrics.reliability(q, np.array([0, 0, 0, 1])).ece == 0


def test_entropies_by_hand() -> None:
    """Members that agree know nothing of each other; members that contradict, everything."""
    member_q = np.array([[[0.5, 0.5], [0.5, 0.5]], [[1, 0], [0, 1]], [[1, 0], [0.5, 0.5]]])
    assert metrics.entropy(member_q).tolist() == pytest.approx(
        np.array([[log(2), log(2)], [0, 0], [0, log(2)]])
    )
    assert metrics.expected_entropy(member_q) == pytest.approx([log(2), 0, log(2) / 2])
    mixed = -(0.75 * log(0.75) + 0.25 * log(0.25))
    information = metrics.mutual_information(member_q)
    assert information == pytest.approx([0, log(2), mixed - log(2) / 2])
    assert metrics.entropy(np.full(10, 0.1)) == pytest.approx(log(10))


def test_information_lies_between_bounds(ensemble: tuple[np.ndarray, np.ndarray]) -> None:
    member_q = metrics.softmax(ensemble[0], 10)
    information = metrics.mutual_information(member_q)
    assert (information >= 0).all()
    assert (information <= metrics.entropy(member_q.mean(axis=1))).all()
    assert metrics.mutual_information(member_q[:, :1]).tolist() == [0] * len(member_q)


@given(inside=SCORES, outside=SCORES)
def test_auroc_counts_pairs(inside: np.ndarray, outside: np.ndarray) -> None:
    pairs = (outside[:, None] > inside) + (outside[:, None] == inside) / 2
    assert metrics.auroc(inside, outside) == pytest.approx(pairs.mean())


@given(inside=SCORES, outside=SCORES)
def test_auroc_and_fpr95_against_scikit_learn(inside: np.ndarray, outside: np.ndarray) -> None:
    unknown = np.r_[np.zeros(len(inside)), np.ones(len(outside))]
    scores = np.r_[inside, outside]
    assert metrics.auroc(inside, outside) == pytest.approx(roc_auc_score(unknown, scores))
    # Inside is the positive class here, and a low score the sign of it.
    false, true, _ = roc_curve(1 - unknown, -scores, drop_intermediate=False)
    assert metrics.fpr95(inside, outside) == pytest.approx(false[true >= 0.95][0])


@pytest.mark.parametrize(
    ("outside", "area", "rate"),
    [
        ([21.0, 30.0], 1, 0),
        ([0.0, 0.5], 0, 1),
        ([19.0, 20.0], (18.5 + 19.5) / 40, 0.5),
        ([18.5], 18 / 20, 1),
    ],
)
def test_detection_by_hand(outside: list[float], area: float, rate: float) -> None:
    """Inside scores 1, 2, ..., 20: the threshold that accepts 95 % of them is 19."""
    inside = np.arange(1.0, 21)
    assert metrics.auroc(inside, np.array(outside)) == pytest.approx(area)
    assert metrics.fpr95(inside, np.array(outside)) == rate
