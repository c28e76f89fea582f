"""A network's single pass without chance: what its ensemble is measured beside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bbnn.description.layer import Layer
from bbnn.description.network import Ensemble, Network
from bbnn.description.neurons import Threshold


def deterministic(network: Network) -> Network:
    """Return the plain binary network of the likelier weights; it has a single member.

    No map and no scale is dropped.
    """
    return replace(
        network,
        name=f"{network.name}_deterministic",
        layers=tuple(map(_fixed, network.layers)),
        ensemble=Ensemble(members=1),
        scale_dropout=None,
        figures={},
    )


def likelier(layer: Layer) -> NDArray[np.bool_]:
    """Return which weights are +1 if every code is rounded to 0 or 2**b, shape (rows, columns).

    A coin, a code of exactly half, is +1 where row + column is even: were all of them +1, or -1,
    every sum would be shifted.
    """
    even = np.add.outer(np.arange(layer.rows), np.arange(layer.columns)) % 2 == 0
    twice, full = 2 * layer.codes.astype(np.int64), 2**layer.probability_bits
    plus: NDArray[np.bool_] = np.where(twice == full, even, twice > full)
    return plus


def _fixed(layer: Layer) -> Layer:
    layer, neuron = layer.all_sampled(), layer.neuron
    # Without dropout, signs are never 0.
    skips = layer.folding.skip_zeros and layer.drive.kind == "unsigned"
    return replace(
        layer,
        codes=likelier(layer).astype(np.uint8),
        probability_bits=0,
        # A single member, behind the input that all layers before the last are run once for.
        folding=replace(layer.folding, skip_zeros=skips, held=min(1, layer.folding.held)),
        noise=None,
        dropout=None,
        neuron=replace(neuron, dropped=None) if isinstance(neuron, Threshold) else neuron,
    )
