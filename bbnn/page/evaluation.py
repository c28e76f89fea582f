"""The sections of `bbnn evaluate`: what a network knows, how sure it is, and of which images."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from bbnn.description import Network
from bbnn.page import charts, pixels
from bbnn.page.names import named
from bbnn.page.sources import Told

SHOWN_CLASSES = 3
QUALITY = {"accuracy": "accuracy", "nll": "NLL", "ece": "ECE", "brier": "Brier score"}


def section(network: Network, told: Told) -> dict[str, Any]:
    """Return the section: headline, images, quality, diagrams."""
    strange = [
        (named(name), f"from the surest to the least sure of {told['ood'][name]['images']:,}", each)
        for name, each in told["examples"]["ood"].items()
    ]
    rows = [
        ("surest", "one of each class, of those it knows best", told["examples"]["surest"]),
        ("least sure", "the highest entropy", told["examples"]["least sure"]),
        *strange,
    ]
    first = next(iter(told["ood"]), None)
    single = told["deterministic"]
    quality = [
        (heading, f"{told[key]:.4f}", f"{single[key]:.4f}") for key, heading in QUALITY.items()
    ]
    for name in told["ood"]:
        found, other = (each["ood"][name]["entropy"]["auroc"] for each in (told, single))
        quality.append((f"AUROC, {named(name)}", f"{found:.3f}", f"{other:.3f}"))
    curve = told["by_members"]["nll"]
    points = [{"mean": value, "deviation": None} for value in curve]
    return {
        "headline": [
            (f"{100 * told['accuracy']:.1f}", "%", "accuracy"),
            (f"{told['nll']:.3f}", "", "negative log-likelihood"),
            (f"{told['ece']:.3f}", "", "calibration error"),
            *(
                [
                    (
                        f"{told['ood'][first]['entropy']['auroc']:.3f}",
                        "",
                        f"AUROC against {named(first)}",
                    )
                ]
                if first
                else []
            ),
        ],
        "gallery": [
            (name, note, [_card(network, each) for each in examples])
            for name, note, examples in rows
        ],
        "quality": quality,
        "familiar": [
            named(name) for name, found in told["ood"].items() if found["entropy"]["auroc"] < 0.5
        ],
        "reliability": charts.reliability(told),
        "entropies": charts.entropies(told),
        "members": charts.curves(
            "NLL over the number of members",
            range(1, len(curve) + 1),
            [("ensemble", "ink", points)],
        ),
    }


def _card(network: Network, example: Told) -> dict[str, Any]:
    """Return an image and its likeliest classes, with the range of its members."""
    raw = np.frombuffer(base64.b64decode(example["pixels"]), np.uint8)
    q, label = example["q"], example["label"]
    order = sorted(range(len(q)), key=lambda k: -q[k])
    shown = [
        {
            "name": network.classes[k],
            "q": q[k],
            "low": example["low"][k],
            "high": example["high"][k],
            "true": k == label,
        }
        for k in order[:SHOWN_CLASSES]
    ]
    return {
        "picture": pixels.image(raw.reshape(network.input_shape)),
        "grey": network.input_shape[2] == 1,
        "classes": shown,
        "wrong": label is not None and order[0] != label,
        "truth": None if label is None else network.classes[label],
        "place": example["image"],
    }
