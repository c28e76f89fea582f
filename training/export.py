"""Fold a trained network into integers: codes, thresholds, logit scales.

A layer of training is ``gain * (y - mean) / sqrt(variance) + bias`` on the integer sum y: batch
norm and what is learnt behind it. A hidden neuron asks for its sign, which an integer sum answers
by

    y >= T,  T = ceil(mean - bias * sqrt(variance) / gain)      for a positive gain

and a negative gain first turns the column over (code -> 2**b - code, y -> -y), so that there is one
direction of comparison. The output layer becomes ``scale * y + offset`` in fixed point. Nothing
here needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Drive, Folding, Logits, NoisePlane, Threshold
from bbnn.errors import require

Reals = NDArray[np.floating[Any]]

PROBABILITY_BITS = 1
"""Codes 0, 1, 2: never, a coin, always. Training samples from exactly these three."""
ROW_BITS = 1
FRACTION_BITS = 10
SEEDS = (0x9E3779B9, 0x85EBCA6B, 0xC2B2AE35)
"""First LFSR states, one per layer: unrelated bit patterns with about as many ones as zeros."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedLayer:
    """What training knows of a layer, all float64.

    probability : of the weight being +1, shape (rows, columns). mean, variance : of the integer sum
    over data and members, shape (columns,); variance includes batch norm's epsilon. gain, bias :
    learnt behind the normalisation, shape (columns,).
    """

    probability: Reals
    mean: Reals
    variance: Reals
    gain: Reals
    bias: Reals


def codes_of(probability: Reals, bits: int = PROBABILITY_BITS) -> NDArray[np.int64]:
    """Return the nearest codes 0..2**bits of probabilities; halves go to the even code."""
    return np.rint(probability * 2**bits).astype(np.int64)


def dense_layers(
    trained: Sequence[TrainedLayer], names: Sequence[str], foldings: Sequence[Folding]
) -> tuple[Layer, ...]:
    """Return the layers of a network that reads raw pixels: all hidden but the last.

    Raise `InputError` where a gain is 0, a scale leaves 16 bits, or as `Layer` does.
    """
    last = len(trained) - 1
    layers = []
    for index, layer in enumerate(trained):
        drive = Drive(kind="sign") if index else Drive(kind="unsigned", bits=8)
        upright = _upright(layer, names[index])
        reach = len(layer.probability) * drive.maximum
        layers.append(
            Layer(
                name=names[index],
                drive=drive,
                codes=codes_of(upright.probability),
                probability_bits=PROBABILITY_BITS,
                neuron=_logits(upright) if index == last else _threshold(upright, reach),
                folding=foldings[index],
                noise=NoisePlane(row_bits=ROW_BITS, seed=SEEDS[index]),
            )
        )
    return tuple(layers)


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
    )


def _threshold(layer: TrainedLayer, reach: int) -> Threshold:
    exact = np.ceil(layer.mean - layer.bias * np.sqrt(layer.variance) / layer.gain)
    # Beyond the reach of the sum a threshold means always or never, as at its ends.
    return Threshold(thresholds=np.clip(exact, -reach, reach + 1).astype(np.int64))


def _logits(layer: TrainedLayer) -> Logits:
    scale = layer.gain / np.sqrt(layer.variance)
    offset = layer.bias - scale * layer.mean
    return Logits(
        scale=np.rint(scale * 2**FRACTION_BITS).astype(np.int64),
        offset=np.rint(offset * 2**FRACTION_BITS).astype(np.int64),
        fraction_bits=FRACTION_BITS,
    )
