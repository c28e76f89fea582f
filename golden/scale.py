"""The stochastic unit of MC Scale-Dropout: which bank of thresholds a member reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network, Threshold
from golden.lfsr import bits


def dropped_scales(
    network: Network, images: int, members: int, code: int | None = None
) -> NDArray[np.bool_]:
    """Return where a member reads the dropped bank, shape (images * members, layers).

    Member by member the unit draws a word for every layer that has such a bank, in the layers'
    order. A caller that restarts the stream with every image asks for one image. code : in place of
    the unit's.
    """
    result = np.zeros((images * members, len(network.layers)), np.bool_)
    unit = network.scale_dropout
    if unit is not None:
        banked = [
            index
            for index, layer in enumerate(network.layers)
            if isinstance(layer.neuron, Threshold) and layer.neuron.dropped is not None
        ]
        shape = (len(result), len(banked), unit.bits)
        drawn = bits(unit.seed, network.lfsr_width, int(np.prod(shape))).reshape(shape)
        words = drawn.astype(np.int64) @ (1 << np.arange(unit.bits))
        result[:, banked] = words < (unit.code if code is None else code)
    return result
