"""What lies behind the means of an evaluation, for pictures: bins, curves and single images."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from bbnn.examples import least_sure, spread, surest
from golden import metrics
from golden.evaluation import Average, Evaluation, Images, Scores
from golden.metrics import Floats, Labels

ENTROPY_BINS = 40
EXAMPLES = 6
MIDDLE = (0.05, 0.95)
"""Quantiles between which the middle 90 % of the members are."""


def distributions(
    outcome: Evaluation,
    images: Images,
    labels: Labels,
    ood: Mapping[str, Images],
    average: Average = "softmax",
) -> dict[str, Any]:
    """Return what `bbnn evaluate --json` tells beside the figures, fit for JSON.

    reliability : the bins of the diagram, None where one is empty. by_members : accuracy and NLL of
    the first t members, t = 1..T. entropies : histograms over equal bins of 0..ln(classes), by
    group. examples : a few images with what the ensemble says of them. The arguments are those of
    `evaluate`, and what it returned.
    """
    diagram = outcome.reliability
    test, right = outcome.test, outcome.right
    chosen = {
        "surest": surest(test.q, test.entropy, EXAMPLES),
        "least sure": least_sure(test.entropy, EXAMPLES),
    }
    edges = np.linspace(0, np.log(test.q.shape[1]), ENTROPY_BINS + 1)
    groups = {"right": test.entropy[right], "wrong": test.entropy[~right]}
    strangers = {name: scores.entropy for name, scores in outcome.ood.items()}
    return {
        "reliability": {
            "share": diagram.share.tolist(),
            "accuracy": _known(diagram.accuracy),
            "confidence": _known(diagram.confidence),
        },
        "by_members": by_members(test.member_q, labels, average),
        "entropies": {
            "edges": edges.tolist(),
            **{name: _counts(values, edges) for name, values in groups.items()},
            "ood": {name: _counts(values, edges) for name, values in strangers.items()},
        },
        "examples": {
            **{
                name: [_example(test, images, i, int(labels[i])) for i in indices.tolist()]
                for name, indices in chosen.items()
            },
            "ood": {
                name: [
                    _example(scores, ood[name], i, None)
                    for i in spread(scores.entropy, EXAMPLES).tolist()
                ]
                for name, scores in outcome.ood.items()
            },
        },
    }


def by_members(member_q: Floats, labels: Labels, average: Average) -> dict[str, list[float]]:
    """Return accuracy and NLL of the ensembles of the first t members; member_q (N, T, classes)."""
    members = member_q.shape[1]
    # Logarithms of probabilities are logits but for a constant, which a softmax does not see.
    each = np.log(np.maximum(member_q, np.finfo(float).tiny)) if average == "logits" else member_q
    total = np.zeros_like(each[:, 0])
    found: dict[str, list[float]] = {"accuracy": [], "nll": []}
    for t in range(members):
        total += each[:, t]
        mean = total / (t + 1)
        q = metrics.softmax(mean, 0) if average == "logits" else mean
        found["accuracy"].append(metrics.accuracy(q, labels))
        found["nll"].append(metrics.nll(q, labels))
    return found


def _known(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _counts(values: Floats, edges: Floats) -> list[int]:
    # Rounding may put the highest entropy above the logarithm.
    counts, _ = np.histogram(np.minimum(values, edges[-1]), edges)
    return [int(count) for count in counts]


def _example(scores: Scores, images: Images, index: int, label: int | None) -> dict[str, Any]:
    """Return one image: its place in the set, its bytes in base64, and the members' answer.

    low, high : the quantiles `MIDDLE` of the members' probabilities, by class.
    """
    low, high = np.quantile(scores.member_q[index], MIDDLE, axis=0)
    return {
        "image": index,
        "label": label,
        "entropy": float(scores.entropy[index]),
        "q": scores.q[index].tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "pixels": base64.b64encode(images[index].tobytes()).decode(),
    }
