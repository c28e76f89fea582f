"""Accuracy, calibration and uncertainty of an ensemble, from its members' integer logits.

Symbols: images n = 1..N, members t = 1..T, classes k, label y_n; q_t(k) a member's probability and
q(k) = (1/T) sum_t q_t(k) the ensemble's. Logarithms are natural, so entropies are in nats. A
probability that float64 rounds to 0 is taken as its smallest normal number inside a logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]

ECE_BINS = 15


def softmax(logits: NDArray[Any], fraction_bits: int) -> Floats:
    """Return exp(z_k) / sum_k exp(z_k), shape as `logits`, over the last axis.

    z = logits / 2**fraction_bits: the fixed point of the output layer, or a mean of it.
    """
    z: Floats = logits / 2.0**fraction_bits
    z -= z.max(axis=-1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=-1, keepdims=True)
    return z


def mean_softmax(logits: NDArray[Any], fraction_bits: int) -> Floats:
    """Return q, shape (N, classes), the mean of the members' softmax; logits (N, T, classes)."""
    return np.asarray(softmax(logits, fraction_bits).mean(axis=1))


def softmax_of_mean(logits: NDArray[Any], fraction_bits: int) -> Floats:
    """Return the softmax of the members' mean logits, shape (N, classes); logits (N, T, classes).

    It needs no more than the sum of the logits, which the hardware puts out.
    """
    return softmax(logits.mean(axis=1), fraction_bits)


def accuracy(q: Floats, labels: Labels) -> float:
    """Return the share of images with argmax_k q(k) = y; q (N, classes), the first k on a tie."""
    return float((q.argmax(axis=1) == labels).mean())


def nll(q: Floats, labels: Labels) -> float:
    """Return the negative log-likelihood, the mean of -ln q(y)."""
    return float(-_log(q[np.arange(len(q)), labels]).mean())


def brier(q: Floats, labels: Labels) -> float:
    """Return the Brier score, the mean of sum_k (q(k) - [y = k])**2, in 0..2."""
    target = np.eye(q.shape[1])[labels]
    return float(((q - target) ** 2).sum(axis=1).mean())


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """Images sorted by confidence max_k q(k) into equal bins (b/B, (b+1)/B].

    share : of all images that are in the bin. accuracy, confidence : their means there, NaN in an
    empty bin. Each has shape (B,).
    """

    share: Floats
    accuracy: Floats
    confidence: Floats

    @property
    def ece(self) -> float:
        """Expected calibration error, sum_b share_b * |accuracy_b - confidence_b|."""
        return float(np.nansum(self.share * np.abs(self.accuracy - self.confidence)))


def reliability(q: Floats, labels: Labels, bins: int = ECE_BINS) -> Reliability:
    """Return the reliability diagram of q (N, classes)."""
    confidence = q.max(axis=1)
    right = q.argmax(axis=1) == labels
    inner_edges = np.linspace(0, 1, bins + 1)[1:-1]
    place = np.digitize(confidence, inner_edges, right=True)
    count = np.bincount(place, minlength=bins)
    filled = np.where(count > 0, count, np.nan)
    return Reliability(
        share=count / len(q),
        accuracy=np.bincount(place, right, bins) / filled,
        confidence=np.bincount(place, confidence, bins) / filled,
    )


def entropy(q: Floats) -> Floats:
    """Return H(q) = -sum_k q(k) ln q(k) over the last axis: the predictive entropy."""
    return np.asarray(-(q * _log(q)).sum(axis=-1))


def expected_entropy(member_q: Floats) -> Floats:
    """Return (1/T) sum_t H(q_t), shape (N,), of member_q (N, T, classes): the aleatoric part."""
    return np.asarray(entropy(member_q).mean(axis=1))


def mutual_information(member_q: Floats) -> Floats:
    """Return H(q) - (1/T) sum_t H(q_t), shape (N,): what the members disagree about, epistemic."""
    # Never negative, but for the rounding.
    return np.maximum(entropy(member_q.mean(axis=1)) - expected_entropy(member_q), 0)


def auroc(inside: Floats, outside: Floats) -> float:
    """Return the area under the ROC curve of a score that should be larger outside.

    It is P(outside > inside) + P(outside = inside) / 2 over all pairs (Mann and Whitney's U), so
    0.5 where the score tells nothing. inside, outside : scores, shapes (N,) and (M,).
    """
    ordered = np.sort(inside)
    below = np.searchsorted(ordered, outside, side="left")
    not_above = np.searchsorted(ordered, outside, side="right")
    return float((below + not_above).mean() / (2 * len(inside)))


def fpr95(inside: Floats, outside: Floats) -> float:
    """Return the share of outside images accepted where 95 % of the inside ones are.

    Accepted is a score of at most the threshold, and the threshold the smallest inside score that
    accepts 95 % (Liang, Li, Srikant, ICLR 2018: FPR at 95 % TPR, inside being the positive).
    """
    needed = -(-95 * len(inside) // 100)
    threshold = np.sort(inside)[needed - 1]
    return float((outside <= threshold).mean())


def _log(q: Floats) -> Floats:
    return np.log(np.maximum(q, np.finfo(np.float64).tiny))
