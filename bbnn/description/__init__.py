"""What a network is: one frozen object that golden evaluates, hdl builds and the cycle model times.

    y[j] = sum over i of d[i] * w[i, j]      d: word-line drive      w: the weight this member sees

A layer is its drive (what the rows carry), its codes (how likely each weight is +1) and its neuron
(what the column does with the sum). The numbers are explained in `docs/numbers.md`, the file format
in `docs/model-file.md`. All classes check themselves and raise `InputError` with the field's name.
"""

from __future__ import annotations

from bbnn.description.deterministic import deterministic, likelier
from bbnn.description.layer import (
    MAX_PROBABILITY_BITS,
    Drive,
    Folding,
    Layer,
    NoisePlane,
    Pool,
    SpatialDropout,
    Window,
)
from bbnn.description.network import (
    MAX_MEMBERS,
    PIXEL_BITS,
    Ensemble,
    Network,
    ScaleDropout,
)
from bbnn.description.neurons import (
    LOGIT_LIMIT,
    Logits,
    Neuron,
    Quantised,
    Spiking,
    Threshold,
)
from bbnn.description.shortcuts import output_drive, source_of

__all__ = [
    "LOGIT_LIMIT",
    "MAX_MEMBERS",
    "MAX_PROBABILITY_BITS",
    "PIXEL_BITS",
    "Drive",
    "Ensemble",
    "Folding",
    "Layer",
    "Logits",
    "Network",
    "Neuron",
    "NoisePlane",
    "Pool",
    "Quantised",
    "ScaleDropout",
    "SpatialDropout",
    "Spiking",
    "Threshold",
    "Window",
    "deterministic",
    "likelier",
    "output_drive",
    "source_of",
]
