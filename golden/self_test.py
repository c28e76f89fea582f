"""What a core's random streams must say before anything is made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from bbnn.schedule import stream_bits
from golden.lfsr import bits

TESTED = 64
"""Words of each stream that are worth a test: two states of the longest LFSR at a bit a step."""
WORD = 32
"""Bits that register RANDOM has room for."""


def random_words(network: Network, count: int) -> NDArray[np.int64]:
    """Return the first `count` words of register RANDOM for every stream, shape (streams, count).

    Streams are in the order of the seed registers; a word is a step of its stream, the first bit
    lowest, of which 32 bits are read.
    """
    seeds = [layer.noise.seed for layer in network.layers if layer.noise is not None]
    if network.scale_dropout is not None:
        seeds.append(network.scale_dropout.seed)
    result = np.zeros((len(seeds), count), np.int64)
    for row, seed, step in zip(result, seeds, stream_bits(network), strict=True):
        steps = bits(seed, network.lfsr_width, step * count).reshape(count, step)[:, :WORD]
        row[:] = steps.astype(np.int64) @ (1 << np.arange(steps.shape[1], dtype=np.int64))
    return result
