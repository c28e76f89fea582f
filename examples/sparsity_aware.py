"""The sparsity-aware accelerator (arXiv:2411.07842): sample only what needs sampling.

Makes the layers of the MNIST network deterministic one after the other, from the front: all that
come before the first random one run once per image instead of once per member. Prints what is left
to sample and to compute, and what that costs in quality.

    python examples/sparsity_aware.py [MODEL [IMAGES]]
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from common import compare_with_one_member, told

from bbnn.description import Layer, Network


def clamped(layer: Layer) -> Layer:
    """Return the layer with the likelier sign of every weight."""
    codes = (2 * layer.codes >= 2**layer.probability_bits).astype(np.uint8)
    return replace(layer, codes=codes, probability_bits=0, noise=None)


def operations(network: Network) -> int:
    """Return the sums of products per image, of ten members."""
    total = 0
    for index, layer in enumerate(network.layers):
        times = 10 if index >= network.first_ensembling else 1
        total += times * layer.positions * layer.codes.size
    return total


network, images = told(sys.argv, "mnist-conv")
whole = operations(network)
for front in range(len(network.layers)):
    layers = network.layers
    sparse = replace(network, layers=(*map(clamped, layers[:front]), *layers[front:]))
    sampled = sum(layer.stochastic_weights for layer in sparse.layers)
    print(
        f"\nsampling from {layers[front].name} on: {sampled:,} stochastic weights,"
        f" {whole / operations(sparse):.2f} x fewer operations"
    )
    compare_with_one_member(sparse, images)
