"""How good a network is, and how well it knows when it is not: all figures in one pass."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from bbnn.errors import require
from golden import metrics
from golden.metrics import Floats, Labels, Reliability
from golden.network import Progress, checked_members, logits

Images = NDArray[np.uint8]
Raw = NDArray[np.int64]
Average = Literal["softmax", "logits"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What T members say of N images.

    member_q : float64, shape (N, T, classes), every member's probabilities. q : shape (N, classes),
    the ensemble's. entropy, mutual_information : in nats, shape (N,).
    """

    member_q: Floats
    q: Floats
    entropy: Floats
    mutual_information: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The outcome of `evaluate`.

    test, ood : scores of the test images and of those out of distribution. right : bool (N,), where
    the ensemble names the label. figures : for JSON, None where there was nothing to average.
    """

    test: Scores
    ood: Scores
    right: NDArray[np.bool_]
    reliability: Reliability
    figures: dict[str, Any]


def evaluate(
    network: Network,
    images: Images,
    labels: Labels,
    ood_images: Images,
    members: int | None = None,
    average: Average = "softmax",
    progress: Progress = lambda done: None,
) -> Evaluation:
    """Run T members on both sets of images and measure accuracy, calibration and uncertainty.

    images, ood_images : uint8, N and M of them, as `golden.network.logits` takes them.
    labels : integers, shape (N,). members : T, the network's own if None.
    average : of the members' softmax, or of their logits before one softmax.
    progress : called with the image-members done since its last call, (N + M) * T in all.
    Raise `InputError` on what does not fit the network.
    """
    members = checked_members(network, members)
    fits = labels.shape == (len(images),)
    require(fits, "labels", f"one for each of {len(images)} images", labels.shape)
    classes = len(network.classes)
    require(int(labels.max()) < classes, "labels", f"below {classes}", int(labels.max()))
    start = time.perf_counter()
    raw, ood_raw = (logits(network, each, members, progress) for each in (images, ood_images))
    seconds = time.perf_counter() - start
    outcome = judged(raw, ood_raw, labels, network.output.fraction_bits, average)
    outcome.figures["image_members_per_second"] = (len(raw) + len(ood_raw)) * members / seconds
    return outcome


def judged(
    raw: Raw, ood_raw: Raw, labels: Labels, fraction_bits: int, average: Average = "softmax"
) -> Evaluation:
    """Return what integer logits (N, T, classes) of test and of OOD images are worth."""
    test, ood = (scores(each, fraction_bits, average) for each in (raw, ood_raw))
    right = test.q.argmax(axis=1) == labels
    reliability = metrics.reliability(test.q, labels)
    figures = {
        "images": len(raw),
        "ood_images": len(ood_raw),
        "members": raw.shape[1],
        "accuracy": metrics.accuracy(test.q, labels),
        "nll": metrics.nll(test.q, labels),
        "ece": reliability.ece,
        "brier": metrics.brier(test.q, labels),
        "entropy": _detection(test.entropy, ood.entropy, right),
        "mutual_information": _detection(test.mutual_information, ood.mutual_information, right),
    }
    return Evaluation(test=test, ood=ood, right=right, reliability=reliability, figures=figures)


def scores(raw: Raw, fraction_bits: int, average: Average) -> Scores:
    """Return what integer logits (N, T, classes) mean."""
    member_q = metrics.softmax(raw, fraction_bits)
    mean = metrics.softmax_of_mean if average == "logits" else metrics.mean_softmax
    q = mean(raw, fraction_bits)
    return Scores(
        member_q=member_q,
        q=q,
        entropy=metrics.entropy(q),
        mutual_information=metrics.mutual_information(member_q),
    )


def _detection(test: Floats, ood: Floats, right: NDArray[np.bool_]) -> dict[str, float | None]:
    """Return a score's mean in each group, and how well it tells the OOD images from the rest."""
    groups = {"right": test[right], "wrong": test[~right], "ood": ood}
    means = {name: float(part.mean()) if len(part) else None for name, part in groups.items()}
    return {**means, "auroc": metrics.auroc(test, ood), "fpr95": metrics.fpr95(test, ood)}
