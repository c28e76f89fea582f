"""Pixels that are never lit need no word line: networks without their rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Network, Threshold
from bbnn.errors import require


def never_lit(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pixels are 0 in all `images`, uint8 (N, ...), as a vector."""
    return np.asarray(images.reshape(len(images), -1).max(axis=0) == 0)


def prune(network: Network, dark: NDArray[np.bool_]) -> Network:
    """Return the network without the rows of pixels that are `dark`, shape (pixels,).

    On images where these are 0, sums are the same, and with them all results of a first layer that
    is not sampled; one that is draws fewer bits, and so other ones. On others results differ.
    Whole groups of rows are left out, for a row alone saves nothing: the dark pixels nearest to the
    middle stay connected as far as there is room for them. Raise `InputError` where no group can be
    left out, where the first layer is a convolution, or where the network is pruned.
    """
    first = network.layers[0]
    where = f"layers[0] ({first.name})"
    require(first.window is None, where, "dense to be pruned", "a convolution")
    require(network.input_rows is None, "input_rows", "absent before pruning", "there")
    require(dark.shape == (network.pixels,), "pixels", f"{network.pixels}", dark.shape)
    lanes = first.folding.lanes_in
    kept = max(1, -(-int(np.count_nonzero(~dark)) // lanes)) * lanes
    wanted = f"more than {first.rows - (first.row_groups - 1) * lanes - 1}, to leave a group out"
    require(kept < first.rows, "pixels that are never lit", wanted, int(dark.sum()))
    height, width, channels = network.input_shape
    y, x, _ = np.indices((height, width, channels)).reshape(3, -1)
    away = (2 * y - height + 1) ** 2 + (2 * x - width + 1) ** 2
    order = np.lexsort((away, dark))
    rows = np.sort(order[:kept])
    layers = (_narrowed(first, rows), *network.layers[1:])
    return replace(network, layers=layers, input_rows=tuple(rows.tolist()))


def _narrowed(layer: Layer, rows: NDArray[np.intp]) -> Layer:
    neuron = layer.neuron
    if isinstance(neuron, Threshold):
        # A threshold beyond the reach of fewer rows says always or never, as it did on dark ones.
        reach = len(rows) * layer.drive.maximum
        dropped = None if neuron.dropped is None else neuron.dropped.clip(-reach, reach + 1)
        thresholds = neuron.thresholds.clip(-reach, reach + 1)
        neuron = replace(neuron, thresholds=thresholds, dropped=dropped)
    sampled = None if layer.sampled is None else layer.sampled[rows]
    return replace(layer, codes=layer.codes[rows], neuron=neuron, sampled=sampled)
