"""Fold a trained network into integers: codes, thresholds, quantisers, logit scales.

A layer of training is ``gain * (alpha * y - mean) / sqrt(variance) + bias`` on the integer sum y:
batch norm and what is learnt behind it; alpha is 1 but for scale dropout. A sign asks whether that
is at least 0, which an integer sum answers by

    y >= T,  T = ceil((mean - bias * sqrt(variance) / gain) / alpha)

and a negative gain first turns the column over (code -> 2**b - code, y -> -y), so that there is one
direction of comparison. A quantised ReLU becomes a scale, an offset and a shift, the output layer a
scale and an offset in fixed point. Nothing here needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import (
    PIXEL_BITS,
    Drive,
    Layer,
    Logits,
    Neuron,
    NoisePlane,
    Quantised,
    SpatialDropout,
    Threshold,
    output_drive,
)
from bbnn.errors import require
from training.block import Block

Reals = NDArray[np.floating[Any]]

FRACTION_BITS = 10
QUANTISER_BITS = 12
"""Bits of the largest scale of a quantised ReLU: its steps are right to one part in 4,096."""
DROPOUT_BITS = 8
SEEDS = (
    *(0x9E3779B9, 0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F, 0x165667B1, 0xD3A2646C, 0xFD7046C5),
    *(0xB492B66F, 0x6A09E667, 0x3C6EF372, 0xA54FF53A, 0x510E527F),
)
"""First LFSR states, one per layer: unrelated bit patterns with about as many ones as zeros."""
SCALE_SEED = 0xB55A4F09


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedLayer:
    """What training knows of a layer, all float64.

    probability : of the weight being +1, shape (rows, columns). mean, variance : of the scaled sum
    over data and members, shape (columns,); variance includes batch norm's epsilon. gain, bias :
    learnt behind the normalisation, shape (columns,). alpha : scales, with scale dropout.
    """

    probability: Reals
    mean: Reals
    variance: Reals
    gain: Reals
    bias: Reals
    alpha: Reals | None = None


def codes_of(probability: Reals, bits: int = 1) -> NDArray[np.int64]:
    """Return the nearest codes 0..2**bits of probabilities; halves go to the even code."""
    return np.rint(probability * 2**bits).astype(np.int64)


def layers_of(
    trained: Sequence[TrainedLayer], blocks: Sequence[Block], pixel_bits: int = PIXEL_BITS
) -> tuple[Layer, ...]:
    """Return the layers of a network that reads pixels: all hidden but the last.

    Raise `InputError` where a gain is 0, a scale leaves 16 bits, or as `Layer` does.
    """
    last = len(trained) - 1
    layers: list[Layer] = []
    drive = Drive(kind="unsigned", bits=pixel_bits)
    for index, (learnt, block) in enumerate(zip(trained, blocks, strict=True)):
        upright = _upright(learnt, block.name)
        reach = len(learnt.probability) * drive.maximum
        bits = block.probability_bits
        dropout = _dropout(block.dropout)
        random = bits > 0 or dropout is not None
        neuron: Neuron
        if index == last:
            neuron = _logits(upright)
        elif block.levels:
            neuron = _quantised(upright, block.levels, block.step)
        else:
            neuron = _threshold(upright, reach)
        layers.append(
            Layer(
                name=block.name,
                drive=drive,
                codes=codes_of(upright.probability, bits),
                probability_bits=bits,
                neuron=neuron,
                folding=block.folding,
                noise=NoisePlane(row_bits=bits, seed=SEEDS[index]) if random else None,
                window=block.window,
                pool=block.pool,
                dropout=dropout,
            )
        )
        if index < last:
            drive = output_drive(layers)
    return tuple(layers)


def _dropout(probability: float) -> SpatialDropout | None:
    if not probability:
        return None
    return SpatialDropout(code=round(probability * 2**DROPOUT_BITS), bits=DROPOUT_BITS)


def _upright(layer: TrainedLayer, name: str) -> TrainedLayer:
    """Return the same layer with every gain positive: negative columns turned over."""
    require(bool(np.all(layer.gain != 0)), f"{name}: gain", "different from 0", "0")
    sign = np.sign(layer.gain)
    return TrainedLayer(
        probability=np.where(sign > 0, layer.probability, 1 - layer.probability),
        mean=sign * layer.mean,
        variance=layer.variance,
        gain=np.abs(layer.gain),
        bias=layer.bias,
        alpha=layer.alpha,
    )


def _threshold(layer: TrainedLayer, reach: int) -> Threshold:
    at_zero = layer.mean - layer.bias * np.sqrt(layer.variance) / layer.gain

    def bank(values: Reals) -> NDArray[np.int64]:
        # Beyond the reach of the sum a threshold means always or never, as at its ends.
        return np.clip(np.ceil(values), -reach, reach + 1).astype(np.int64)

    if layer.alpha is None:
        return Threshold(thresholds=bank(at_zero))
    return Threshold(thresholds=bank(at_zero / layer.alpha), dropped=bank(at_zero))


def _quantised(layer: TrainedLayer, levels: int, step: float) -> Quantised:
    """Return ``floor(normal / step + 1/2)`` in integers, clipped to 0..levels = 2**bits - 1."""
    bits = levels.bit_length()
    require(levels == 2**bits - 1, "levels", "2**bits - 1", levels)
    slope = layer.gain / np.sqrt(layer.variance) / step
    start = (layer.bias / step) - slope * layer.mean + 0.5
    shift = int(np.clip(QUANTISER_BITS - np.ceil(np.log2(slope.max())), 0, 31))
    return Quantised(
        scale=np.rint(slope * 2**shift).astype(np.int64),
        offset=np.rint(start * 2**shift).astype(np.int64),
        shift=shift,
        bits=bits,
    )


def _logits(layer: TrainedLayer) -> Logits:
    scale = layer.gain / np.sqrt(layer.variance)
    offset = layer.bias - scale * layer.mean
    return Logits(
        scale=np.rint(scale * 2**FRACTION_BITS).astype(np.int64),
        offset=np.rint(offset * 2**FRACTION_BITS).astype(np.int64),
        fraction_bits=FRACTION_BITS,
    )
