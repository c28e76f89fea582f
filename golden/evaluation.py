"""How good a network is, and how well it knows when it is not: all figures in one pass."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network, deterministic
from bbnn.errors import require
from golden import events, metrics
from golden.metrics import Floats, Labels, Reliability
from golden.network import Progress, checked_members, logits

Images = NDArray[np.uint8]
Raw = NDArray[np.int64]
Average = Literal["softmax", "logits"]
DOUBTS = ("entropy", "mutual_information")


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

    test, ood : scores of the test images and of those out of distribution, set by set. right : bool
    (N,), where the ensemble names the label. figures : for JSON, None where there was nothing to
    average.
    """

    test: Scores
    ood: dict[str, Scores]
    right: NDArray[np.bool_]
    reliability: Reliability
    figures: dict[str, Any]


def evaluate(
    network: Network,
    images: Images,
    labels: Labels,
    ood: Mapping[str, Images],
    members: int | None = None,
    average: Average = "softmax",
    progress: Progress = lambda done: None,
) -> Evaluation:
    """Run T members on all sets of images and measure accuracy, calibration and uncertainty.

    Beside them, the same of the network's `deterministic` pass; of a spiking one, its events on the
    test images.
    images : uint8, as `golden.network.logits` takes them. labels : integers, shape (N,).
    ood : sets of images out of distribution, by name. members : T, the network's own if None.
    average : of the members' softmax, or of their logits before one softmax.
    progress : called with the image-members done since its last call, T + 1 for every image.
    Raise `InputError` on what does not fit the network.
    """
    members = checked_members(network, members)
    fits = labels.shape == (len(images),)
    require(fits, "labels", f"one for each of {len(images)} images", labels.shape)
    classes = len(network.classes)
    require(int(labels.max()) < classes, "labels", f"below {classes}", int(labels.max()))
    counter = events.Counter(network, len(images)) if network.spiking else None
    once = deterministic(network)
    bits = network.output.fraction_bits

    def strange(network: Network, members: int) -> dict[str, Scores]:
        return {
            name: scores(logits(network, each, members, progress), bits, average)
            for name, each in ood.items()
        }

    start = time.perf_counter()
    test = scores(logits(network, images, members, progress, counter), bits, average)
    outside = strange(network, members)
    seconds = time.perf_counter() - start
    single = scores(logits(once, images, 1, progress), bits, average)
    figures = {
        "images": len(images),
        "members": members,
        **judged(test, outside, labels),
        # A single member disagrees with none.
        "deterministic": judged(single, strange(once, 1), labels, DOUBTS[:1]),
        "image_members_per_second": sum(map(len, (images, *ood.values()))) * members / seconds,
    }
    if counter:
        figures["events"] = events.summary(counter.events(members))
    return Evaluation(
        test=test,
        ood=outside,
        right=test.q.argmax(axis=1) == labels,
        reliability=metrics.reliability(test.q, labels),
        figures=figures,
    )


def scores(raw: Raw, fraction_bits: int, average: Average = "softmax") -> Scores:
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


def judged(
    test: Scores, ood: Mapping[str, Scores], labels: Labels, doubts: tuple[str, ...] = DOUBTS
) -> dict[str, Any]:
    """Return quality, means of each doubt, and how well it tells each OOD set from the test's."""
    right = test.q.argmax(axis=1) == labels
    known = {doubt: getattr(test, doubt) for doubt in doubts}
    return {
        "accuracy": metrics.accuracy(test.q, labels),
        "nll": metrics.nll(test.q, labels),
        "ece": metrics.reliability(test.q, labels).ece,
        "brier": metrics.brier(test.q, labels),
        **{
            doubt: {"right": _mean(values[right]), "wrong": _mean(values[~right])}
            for doubt, values in known.items()
        },
        "ood": {
            name: {
                "images": len(scores.q),
                **{
                    doubt: _detection(values, getattr(scores, doubt))
                    for doubt, values in known.items()
                },
            }
            for name, scores in ood.items()
        },
    }


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _detection(test: Floats, ood: Floats) -> dict[str, float | None]:
    return {
        "mean": _mean(ood),
        "auroc": metrics.auroc(test, ood),
        "fpr95": metrics.fpr95(test, ood),
    }
