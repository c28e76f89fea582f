"""The same network with codes of other widths, other noise planes, other streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import MAX_PROBABILITY_BITS, Layer, Network
from bbnn.errors import require_int

Codes = NDArray[np.integer[Any]]


def recoded(
    network: Network,
    bits: int,
    codes: Callable[[Layer, int], Codes],
    row_bits: int | None = None,
) -> Network:
    """Return the network with other codes, of `bits` bits, in each layer that has b > 0.

    codes : gives those of a layer, and its index: 0..2**bits, shape (rows, columns). row_bits : K;
    None keeps each layer's own, raised to `bits` where it is below. All rows of these layers are
    sampled, since none need be certain any more.
    """
    layers = []
    for index, layer in enumerate(network.layers):
        if layer.probability_bits:
            assert layer.noise is not None
            own = max(bits, layer.noise.row_bits)
            layer = replace(
                layer.all_sampled(),
                codes=codes(layer, index),
                probability_bits=bits,
                noise=replace(layer.noise, row_bits=own if row_bits is None else row_bits),
            )
        layers.append(layer)
    return replace(network, layers=tuple(layers))


def rounded(network: Network, bits: int, row_bits: int | None = None) -> Network:
    """Return the network with the codes of `bits` bits that are nearest to its own.

    Exact where `bits` are no fewer than a layer's. Of two that are equally near the even one is
    taken, so that turning a column's codes over before or after is the same.
    """

    def codes(layer: Layer, index: int) -> Codes:
        nearest: Codes = np.rint(layer.codes * 2.0 ** (bits - layer.probability_bits))
        return nearest.astype(np.uint16)

    return recoded(network, bits, codes, row_bits)


def widened(network: Network, bits: int = MAX_PROBABILITY_BITS) -> Network:
    """Return the same network with codes of `bits` bits; raise if a layer has more of them."""
    require_no_fewer(network, bits)
    return rounded(network, bits)


def require_no_fewer(network: Network, bits: int) -> None:
    """Raise `InputError` where `bits` are fewer than a layer's own probability bits."""
    most = max(layer.probability_bits for layer in network.layers)
    require_int("bits", bits, most, MAX_PROBABILITY_BITS)


def reseeded(network: Network, number: int) -> Network:
    """Return the network with other streams; each number gives seeds of its own."""
    rng = np.random.default_rng([number, len(network.layers), 2])

    def seed() -> int:
        return int(rng.integers(1, 2**network.lfsr_width, dtype=np.uint64))

    layers = [
        layer if layer.noise is None else replace(layer, noise=replace(layer.noise, seed=seed()))
        for layer in network.layers
    ]
    unit = network.scale_dropout
    unit = None if unit is None else replace(unit, seed=seed())
    return replace(network, layers=tuple(layers), scale_dropout=unit)
