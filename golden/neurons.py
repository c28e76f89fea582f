"""What the columns do with their sums: four kinds of neuron (`bbnn.description.neurons`).

Sums are integers in a float type; `exact` chooses one that holds every value of a formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Logits, Quantised, Spiking, Threshold
from bbnn.errors import require

Reals = NDArray[np.floating[Any]]


def exact(bound: int) -> type[np.floating[Any]]:
    """Return the float type that holds all integers up to `bound`; raise if none does."""
    require(bound < 2**53, "the largest value in a neuron", "below 2**53 for golden", bound)
    return np.float32 if bound < 2**24 else np.float64


def neuron(layer: Layer, sums: Reals, dropped: bool = False) -> NDArray[Any]:
    """Return what the columns answer to `sums`, any shape (..., columns), in a single step.

    +-1 as int8; 0..2**bits-1 or a spike, uint8; logits, int64. dropped : whether this member
    compares with the `dropped` bank of thresholds.
    """
    return drives(layer, next(fire(layer, [sums], 1, dropped)))


def fire(layer: Layer, sums: Iterable[Reals], steps: int, dropped: bool) -> Iterator[NDArray[Any]]:
    """Yield the answers to the sums of one step after the other; logits once, after the last.

    A binary neuron and a spiking one answer with booleans, for pooling; `drives` makes +-1 or 0 and
    1 of them. sums : of `steps` steps.
    """
    kind = layer.neuron
    if isinstance(kind, Logits):
        # Below 2**31 with every scale, which the description guarantees.
        total = sum(y.astype(np.float64) for y in sums)
        yield (total * kind.scale + kind.offset).astype(np.int64)
    elif isinstance(kind, Spiking):
        yield from _spikes(layer, kind, sums, steps)
    elif isinstance(kind, Quantised):
        yield from (_levels(layer, kind, y) for y in sums)
    else:
        bank = kind.dropped if dropped and kind.dropped is not None else kind.thresholds
        # A threshold is at most reach + 1, so the sums' own type holds it exactly.
        yield from (y >= bank.astype(y.dtype) for y in sums)


def drives(layer: Layer, answers: NDArray[Any]) -> NDArray[Any]:
    """Return what the layer's answers, pooled or not, are on the next layer's word lines."""
    if isinstance(layer.neuron, Threshold):
        signs: NDArray[np.int8] = 2 * answers.view(np.int8) - np.int8(1)
        return signs
    return answers.astype(type_of(layer), copy=False)


def type_of(layer: Layer) -> type[np.integer[Any]]:
    """Return the smallest integer type for the layer's own outputs; int64 for logits."""
    if isinstance(layer.neuron, Logits):
        return np.int64
    if isinstance(layer.neuron, Threshold):
        return np.int8
    return np.uint8 if layer.largest < 2**8 else np.uint16


def _levels(layer: Layer, kind: Quantised, y: Reals) -> NDArray[np.uint8]:
    largest = int(kind.scale.max()) * layer.reach + int(np.abs(kind.offset).max())
    real = exact(largest)
    # Scaling by a power of two is exact, and so is one product and one sum below the bound.
    fraction = real(2.0**-kind.shift)
    levels = y.astype(real, copy=False) * (kind.scale.astype(real) * fraction)
    levels += kind.offset.astype(real) * fraction
    # Clipped first, as a positive number is rounded down by the conversion to an integer.
    np.clip(levels, 0, 2**kind.bits - 1, out=levels)
    result: NDArray[np.uint8] = levels.astype(np.uint8)
    return result


def _spikes(
    layer: Layer, kind: Spiking, sums: Iterable[Reals], steps: int
) -> Iterator[NDArray[np.bool_]]:
    step = layer.reach * 2**kind.fraction_bits + int(np.abs(kind.bias).max())
    real = exact(int(np.abs(kind.start).max()) + steps * step + int(kind.thresholds.max()))
    # All is divided by 2**fraction_bits, which is exact and saves the product.
    unit = real(2.0**-kind.fraction_bits)
    start, bias, limit = (
        values.astype(real) * unit for values in (kind.start, kind.bias, kind.thresholds)
    )
    membrane = None
    for y in sums:
        if membrane is None:
            membrane = np.broadcast_to(start, y.shape).copy()
        membrane += y
        membrane += bias
        spikes = membrane >= limit
        yield spikes
        membrane -= spikes * limit
