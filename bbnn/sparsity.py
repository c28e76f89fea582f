"""Sampling sparsity: sample only the layers and the rows that are worth it.

After Katti et al., "Sparsity-Aware Optimization of In-Memory Bayesian Binary Neural Network
Accelerators" (arXiv:2411.07842). A weight is *sampled* if any weight of its row is stochastic,
since a row's random bits and its codes serve all of it; of a convolution, if any weight of its
input map is. Whatever is not to be sampled is snapped to the likelier sign (docs/sparsity.md).
"""

from __future__ import annotations

from dataclasses import fields, replace
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import (
    MAX_PROBABILITY_BITS,
    Layer,
    Network,
    NoisePlane,
    likelier,
    source_of,
)
from bbnn.errors import require
from bbnn.schedule import noise_words

FRONT = 0.05
"""The layers clamped at the front hold at most this share of the network's randomness."""

Rows = NDArray[np.intp]


def sparsify(
    network: Network, budget: float, delta: float = 0.0, start: str | None = None
) -> Network:
    """Return `network` with fewer sampled weights: layers clamped at the front, rows behind it.

    budget : the most weights to be sampled, as a share of those that `network` samples; above 0, at
        most 1. delta : weights whose probability is within delta of 0 or 1 are snapped first, below
        0.5. start : name of the first ensembling layer; by default `ensembling_from` chooses.
    Raise `InputError` on these, and on a network without stochastic weights.
    """
    require(0 < budget <= 1, "budget", "above 0 and at most 1", budget)
    require(0 <= delta < 0.5, "delta", "at least 0 and below 0.5", delta)
    whole = sum(map(sampled_weights, network.layers))
    require(whole > 0, f"stochastic weights of {network.name}", "at least one", 0)
    layers = [_without_nearly_certain(layer.all_sampled(), delta) for layer in network.layers]
    first = ensembling_from(replace(network, layers=tuple(layers)))
    if start is not None:
        names = [layer.name for layer in layers]
        require(start in names, "the first ensembling layer", f"one of {', '.join(names)}", start)
        first = names.index(start)
    rooms = shared([sampled_weights(layer) for layer in layers[first:]], budget * whole)
    kept = [np.array([], np.intp)] * first
    kept += [_chosen(layer, room) for layer, room in zip(layers[first:], rooms, strict=True)]
    sparse = tuple(_snapped(layer, maps) for layer, maps in zip(layers, kept, strict=True))
    figures: dict[str, Any] = {"from": network.name, "budget": budget, "delta": delta}
    name = f"{network.name}_sparse"
    return replace(network, name=name, layers=sparse, figures={"sparsified": figures})


def randomness(layer: Layer) -> float:
    """Return the mean variance of the weights, 4 p (1 - p): 0 of certain ones, 1 of coins.

    With drives of about equal power it is the share of the power of a column's sum that is noise.
    """
    return float(_variances(layer).sum() / layer.codes.size)


def ensembling_from(network: Network) -> int:
    """Return the index of the layer to ensemble from, by the layers' randomness alone.

    Those before it hold at most `FRONT` of the sum; a shortcut is never cut.
    """
    shares = np.array([randomness(layer) for layer in network.layers])
    before = np.concatenate([[0], np.cumsum(shares)[:-1]])
    front = [
        index
        for index in range(len(shares))
        if before[index] <= FRONT * shares.sum() and not _cuts_shortcut(network, index)
    ]
    return max(front)


def sampled_weights(layer: Layer) -> int:
    """Return the weights of all rows that have a stochastic one, in whole input maps."""
    return int(np.count_nonzero(_variances(layer))) * layer.taps * layer.columns


def operations(network: Network) -> int:
    """Return the additions of a weight to a sum, per image, of all the network's members."""
    total = 0
    for index, layer in enumerate(network.layers):
        passes = network.ensemble.members if index >= network.first_ensembling else 1
        passes *= network.steps * layer.positions
        # Where sums are reused, row groups of certain rows are read once.
        order = layer.row_order[: layer.sampled_groups * layer.folding.lanes_in]
        rows = int(np.count_nonzero(order >= 0)) if layer.folding.reuse else layer.rows
        total += (passes * rows + layer.rows - rows) * layer.columns
    return total


def split(network: Network) -> Network:
    """Return the same network with the rows that need no random bits kept apart (docs/sparsity.md).

    Sampled rows come first where the layer before can put its columns in that order, which it does;
    else a fully connected layer sorts its inputs, and any other samples all maps up to the last
    that is stochastic. The first ensembling layer reuses the sums of the others if it can. Members
    are other draws from the same distribution, since a layer's bits have moved to other weights.
    """
    layers = [layer.all_sampled() for layer in network.layers]
    for index, layer in enumerate(layers):
        maps = _variances(layer) > 0
        if layer.probability_bits == 0 or maps.all():
            continue
        if _can_permute(network, index):
            order = np.argsort(~maps, kind="stable")
            rows = (order[:, None] * layer.taps + np.arange(layer.taps)).ravel()
            layer = replace(layer, codes=layer.codes[rows])
            layers[index - 1] = _permuted(layers[index - 1], order)
            maps = maps[order]
        held = index == 0 and network.encoding == "rate"
        plain = layer.window is None and layer.dropout is None and not layer.folding.skip_zeros
        if not plain or held:
            maps = np.arange(layer.maps) <= np.flatnonzero(maps).max()
        maps = _evened(layer, maps)
        if maps.all():
            layers[index] = layer
            continue
        layer = replace(layer, sampled=np.repeat(maps, layer.taps).astype(np.uint8))
        reuse = plain and index == network.first_ensembling and network.encoding == "constant"
        reuse = reuse and layer.row_groups > layer.sampled_groups
        layers[index] = replace(layer, folding=replace(layer.folding, reuse=reuse))
    return replace(network, layers=tuple(layers))


def fully_stochastic(network: Network, bits: int = MAX_PROBABILITY_BITS, seed: int = 1) -> Network:
    """Return the same layers and lanes with every weight random, codes of `bits` bits: a yardstick.

    The codes are drawn from 1..2**bits-1, so that synthesis finds none that it could simplify. What
    such a network answers is of no use.
    """
    rng = np.random.default_rng(seed)
    layers = []
    for index, layer in enumerate(network.layers):
        noise = layer.noise or NoisePlane(row_bits=0, seed=0)
        noise = NoisePlane(row_bits=max(bits, noise.row_bits), seed=index + 1)
        codes = rng.integers(1, 2**bits, layer.codes.shape)
        whole = layer.all_sampled()
        layers.append(replace(whole, codes=codes, probability_bits=bits, noise=noise))
    unit = network.scale_dropout
    unit = None if unit is None else replace(unit, seed=len(layers) + 1)
    name = f"{network.name}_stochastic"
    return replace(network, name=name, layers=tuple(layers), scale_dropout=unit, figures={})


def shared(sizes: list[int], budget: float) -> list[float]:
    """Return what each layer may sample: `budget` in proportion to the roots of `sizes`.

    None gets more than its size; what it cannot use goes to the others in the same proportion.
    (Neyman's allocation: it makes the sum of size / share smallest.)
    """
    rooms = [0.0] * len(sizes)
    # The smallest reach their size first.
    order = sorted(range(len(sizes)), key=lambda index: sizes[index])
    roots = float(sum(np.sqrt(sizes)))
    for index in order:
        root = float(np.sqrt(sizes[index]))
        rooms[index] = min(sizes[index], budget * root / roots) if root else 0.0
        budget, roots = budget - rooms[index], roots - root
    return rooms


def _variances(layer: Layer) -> NDArray[np.float64]:
    """Return the sum of 4 p (1 - p) over the weights of each input map, shape (maps,)."""
    p = layer.codes / 2**layer.probability_bits
    each: NDArray[np.float64] = (4 * p * (1 - p)).reshape(layer.maps, -1).sum(axis=1)
    return each


def _chosen(layer: Layer, room: float) -> Rows:
    """Return the input maps of the largest variance whose weights fit into `room`."""
    variances = _variances(layer)
    count = min(int(room // (layer.taps * layer.columns)), np.count_nonzero(variances))
    return np.argsort(-variances, kind="stable")[:count]


def _without_nearly_certain(layer: Layer, delta: float) -> Layer:
    full = 2**layer.probability_bits
    codes = layer.codes.astype(np.int64)
    codes = np.where(codes <= delta * full, 0, np.where(full - codes <= delta * full, full, codes))
    return replace(layer, codes=codes)


def _snapped(layer: Layer, kept: Rows) -> Layer:
    """Return the layer with the likelier sign of every weight outside of the maps `kept`.

    Without any left it has no probability bits, and no noise but for dropout.
    """
    stays = np.zeros(layer.maps, np.bool_)
    stays[kept] = True
    signs = likelier(layer)
    full = 2**layer.probability_bits
    codes = np.where(np.repeat(stays, layer.taps)[:, None], layer.codes, signs * full)
    if ((codes > 0) & (codes < full)).any():
        return replace(layer, codes=codes)
    noise = replace(layer.noise, row_bits=0) if layer.noise and layer.dropout else None
    return replace(layer, codes=(codes == full).astype(np.uint8), probability_bits=0, noise=noise)


def _can_permute(network: Network, index: int) -> bool:
    """Whether layer `index` could get its input maps in any order from the layer before it."""
    if index == 0:
        return False
    before, layers = network.layers[index - 1], network.layers
    sources = [source_of(layers[: number + 1]) for number in range(len(layers))]
    shared = before.adds is not None or index - 1 in sources
    return before.columns == network.layers[index].maps and not shared


def _evened(layer: Layer, maps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the maps to be sampled with a few more, certain ones, so that drawing stays fast.

    What is drawn a cycle divides what all rows draw (``bbnn.schedule.noise_step``).
    """
    assert layer.noise is not None
    words = [size for sides in noise_words(layer).values() for size in sides]
    common = gcd(*words)
    maps = maps.copy()
    while np.count_nonzero(maps) * layer.taps * layer.noise.row_bits % common:
        maps[np.argmin(maps)] = True
    return maps


def _permuted(layer: Layer, order: Rows) -> Layer:
    """Return the layer with its columns in another order."""
    arrays: dict[str, Any] = {
        each.name: value[order]
        for each in fields(layer.neuron)
        if isinstance(value := getattr(layer.neuron, each.name), np.ndarray)
    }
    neuron = replace(layer.neuron, **arrays)
    return replace(layer, codes=layer.codes[:, order], neuron=neuron)


def _cuts_shortcut(network: Network, first: int) -> bool:
    """Whether a shortcut would lead from a layer before `first` to one from there on."""
    sources = [source_of(network.layers[: index + 1]) for index in range(len(network.layers))]
    return any(
        source is not None and source < first <= index for index, source in enumerate(sources)
    )
