"""The figures that studies compare, and their spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bbnn.description import Network
from golden.evaluation import Images, judged, scores
from golden.metrics import Labels
from golden.network import logits
from golden.source import Source

METRICS = {"accuracy": "accuracy", "nll": "NLL", "ece": "ECE", "auroc": "AUROC"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sets:
    """Images to measure, uint8, their labels (N,), and images out of distribution."""

    images: Images
    labels: Labels
    ood: Images


def figures(network: Network, source: Source, sets: Sets, members: int) -> dict[str, float]:
    """Return each of `METRICS` of an ensemble of T members; AUROC is by entropy."""
    test, ood = (
        scores(logits(network, part, members, source=source), network.output.fraction_bits)
        for part in (sets.images, sets.ood)
    )
    told = judged(test, {"ood": ood}, sets.labels, ("entropy",))
    told["auroc"] = told["ood"]["ood"]["entropy"]["auroc"]
    return {name: told[name] for name in METRICS}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return mean and deviation over seeds, None for a single one, and the values themselves."""
    return {
        "mean": float(np.mean(values)),
        "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "seeds": list(values),
    }
