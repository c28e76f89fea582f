"""What a chip makes of a whole network: effective codes, or the reads themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import MAX_PROBABILITY_BITS, Layer, Network
from golden.devices.chip import Chip, Reading, effective_codes
from golden.devices.mapping import Cells
from golden.noise import matrices_per_member, member_weights, plus_or_minus
from golden.scale import dropped_scales
from golden.variants import recoded, require_no_fewer

Codes = NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A chip, by its seed, so many seconds after programming, its drift compensated or not."""

    cells: Cells
    chip: int
    time: float
    compensated: bool

    def reading(self, layer: Layer, index: int) -> Reading:
        """Return what the comparators of layer `index` see."""
        return Chip(layer, index, self.cells, self.chip).read(self.time, self.compensated)


def probabilities(network: Network, moment: Moment) -> dict[int, NDArray[np.float64]]:
    """Return by layer how likely each of its weights is +1, shape (rows, columns).

    Of layers with b > 0; weights that are not sampled are left to plain memory.
    """
    return {
        index: moment.reading(layer, index).probabilities()
        for index, layer in enumerate(network.layers)
        if layer.probability_bits
    }


def effective(network: Network, moment: Moment, bits: int = MAX_PROBABILITY_BITS) -> Network:
    """Return the network with the codes of `bits` bits that come nearest to what the chip does.

    Raise `InputError` where `bits` are fewer than a layer's own.
    """

    def codes(layer: Layer, index: int) -> Codes:
        return effective_codes(moment.reading(layer, index).probabilities(), bits)

    require_no_fewer(network, bits)
    return recoded(network, bits, codes)


@dataclass(frozen=True, slots=True)
class Reads:
    """Weights as a chip's comparators read them: a `Source`.

    Unlike effective codes they carry what noise cells that a row shares do to its weights.
    Every call starts the same stream anew.
    """

    moment: Moment

    def differences(self, layer: Layer, index: int) -> Iterator[NDArray[np.float64]]:
        """Yield D in uS, shape (rows, columns), read after read; a weight is +1 where D >= 0."""
        reading = self.moment.reading(layer, index)
        # The chip itself has taken [chip, index].
        rng = np.random.default_rng([self.moment.chip, index, 1])
        while True:
            yield reading.read(rng)

    def weights(
        self, network: Network, index: int, images: int, members: int
    ) -> Iterator[NDArray[np.float32]]:
        """Yield +-1, and 0 in the rows of dropped maps, for every member of every image."""
        layer = network.layers[index]
        streams = member_weights(network, index, images, members)
        if layer.probability_bits == 0:
            yield from streams
            return
        count = images * members * matrices_per_member(network, index)
        for _, difference in zip(range(count), self.differences(layer, index), strict=False):
            read = plus_or_minus(difference >= 0)
            yield read if layer.dropout is None else np.where(next(streams) == 0, 0, read)

    def dropped_scales(self, network: Network, images: int, members: int) -> NDArray[np.bool_]:
        """Return what the network's own scale unit says."""
        return dropped_scales(network, images, members)
