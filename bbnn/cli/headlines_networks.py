"""VGGBinaryConnect as the headlines need it: its description without training it.

What `bbnn headlines` prices depends on sizes, on which rows are stochastic and on folding, not on
what the weights are; so these stand for a network that nobody has to train.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bbnn.data.sets import CIFAR_10
from bbnn.description import (
    Drive,
    Ensemble,
    Layer,
    Logits,
    Network,
    NoisePlane,
    Quantised,
    output_drive,
)
from training.recipes import vgg

LEVELS = 3
"""Of its activations, two bit planes: as the recipe `cifar-vgg`."""
FRONT = 6
"""Layers before the first ensembling one of Katti et al.: the six convolutions."""


def vgg_dense(members: int) -> Network:
    """Return VGGBinaryConnect at its full size, a coin in every row of every layer."""
    layers: list[Layer] = []
    drive = Drive(kind="unsigned", bits=8)
    rows = 0
    for index, block in enumerate(vgg(width=128, fully=1024, levels=LEVELS)):
        if block.window is not None:
            rows = block.window.taps * block.window.channels
        elif layers:
            rows = int(np.prod(layers[-1].output_shape))
        ones, zeros = np.ones(block.columns, np.int64), np.zeros(block.columns, np.int64)
        neuron: Quantised | Logits
        if block.levels:
            neuron = Quantised(scale=ones, offset=zeros, shift=0, bits=LEVELS.bit_length())
        else:
            neuron = Logits(scale=ones, offset=zeros, fraction_bits=0)
        layers.append(
            Layer(
                name=block.name,
                drive=drive,
                codes=np.ones((rows, block.columns), np.uint8),
                probability_bits=1,
                neuron=neuron,
                folding=block.folding,
                noise=NoisePlane(row_bits=1, seed=index + 1),
                window=block.window,
                pool=block.pool,
            )
        )
        if block.levels:
            drive = output_drive(layers)
    return Network(
        name="vgg_binary_connect",
        input_shape=(32, 32, 3),
        layers=tuple(layers),
        ensemble=Ensemble(members=members),
        classes=CIFAR_10.classes,
    )


def vgg_sparse(members: int, sampled: float) -> Network:
    """Return it with convolutions fixed, and the share `sampled` of all other rows stochastic."""
    network = vgg_dense(members)
    layers = []
    for index, layer in enumerate(network.layers):
        if index < FRONT:
            fixed = np.zeros_like(layer.codes)
            layer = replace(layer, codes=fixed, probability_bits=0, noise=None)
        else:
            codes = layer.codes.copy()
            codes[round(sampled * layer.rows) :] = 0
            layer = replace(layer, codes=codes)
        layers.append(layer)
    return replace(network, name="vgg_sparse", layers=tuple(layers))
