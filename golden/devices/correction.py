"""Logit correction: the last normalisation, estimated again on the chip.

The output neuron is ``z = scale * y + offset``, batch norm included. On a few images, which need no
labels, the chip's logits are given the mean and the deviation that the network's logits have there,
class by class: a scale and an offset for each, in the integers of the neuron itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bbnn.description import LOGIT_LIMIT, Logits
from bbnn.description.neurons import SCALE_LIMIT
from bbnn.errors import require

Integers = NDArray[np.int64]
Correction = Literal["off", "offset", "affine"]
CORRECTIONS = ("off", "offset", "affine")


def corrected(output: Logits, seen: Integers, meant: Integers, kind: Correction) -> Logits:
    """Return the output neuron that makes `seen` look like `meant`.

    seen, meant : logits of the same images, shape (N, T, classes): on the chip, where `output` made
    them, and as the network has them. kind : "off"; "offset", the mean alone; "affine", mean and
    deviation.
    Raise `InputError` where a scale or an offset would leave its register.
    """
    require(kind in CORRECTIONS, "correction", f"one of {', '.join(CORRECTIONS)}", kind)
    if kind == "off":
        return output
    scale = output.scale.astype(np.int64)
    if kind == "affine":
        deviation = seen.std(axis=(0, 1))
        # A class whose logit never moves has no scale to be estimated.
        gain = np.where(deviation > 0, meant.std(axis=(0, 1)) / np.maximum(deviation, 1e-9), 1)
        scale = np.rint(scale * gain).astype(np.int64)
    most = int(scale.max())
    require(most <= SCALE_LIMIT, "a corrected scale", f"at most {SCALE_LIMIT}", most)
    shift = meant.mean(axis=(0, 1)) - rescaled(seen, output, replace(output, scale=scale)).mean(
        axis=(0, 1)
    )
    offset = output.offset + np.rint(shift).astype(np.int64)
    largest = int(np.abs(offset).max())
    require(largest < LOGIT_LIMIT, "a corrected offset", f"below {LOGIT_LIMIT}", largest)
    return replace(output, scale=scale, offset=offset)


def rescaled(seen: Integers, output: Logits, other: Logits) -> Integers:
    """Return what logits (..., classes) that left `output` are behind `other`."""
    # A scale of 0 has lost its sum: such a class keeps its offset alone.
    y = (seen - output.offset) // np.maximum(output.scale, 1)
    return np.asarray(other.scale * y + other.offset, np.int64)
