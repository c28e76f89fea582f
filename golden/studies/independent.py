"""A random word of its own for every weight: what a noise plane is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from golden.noise import (
    matrices_per_member,
    member_weights,
    members_per_filling,
    stratum,
    weights,
)
from golden.scale import dropped_scales


@dataclass(frozen=True, slots=True)
class Independent:
    """A `Source` whose words come from NumPy's PCG64; dropout stays with the network's streams.

    seed : 0 or more. Every call starts the same stream anew.
    """

    seed: int

    def weights(
        self, network: Network, index: int, images: int, members: int
    ) -> Iterator[NDArray[np.float32]]:
        """Yield +-1, and 0 in the rows of dropped maps, for every member of every image."""
        layer = network.layers[index]
        streams = member_weights(network, index, images, members)
        if layer.probability_bits == 0:
            yield from streams
            return
        rng = np.random.default_rng([self.seed, index, 3])
        held = members_per_filling(layer, network.ensemble)
        draws = members * matrices_per_member(network, index)
        for _ in range(images):
            for first in range(0, draws, held):
                word = rng.integers(0, 2**layer.probability_bits, layer.codes.shape, np.uint8)
                for member in range(min(held, draws - first)):
                    flip = np.uint8(stratum(member, layer.probability_bits))
                    drawn = weights(layer.codes, word ^ flip)
                    yield drawn if layer.dropout is None else np.where(next(streams) == 0, 0, drawn)

    def dropped_scales(self, network: Network, images: int, members: int) -> NDArray[np.bool_]:
        """Return what the network's own scale unit says."""
        return dropped_scales(network, images, members)
