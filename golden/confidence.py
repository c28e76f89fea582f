"""How sure an ensemble may be: one factor for all logits, found on images it was not trained on.

A member alone is about as sure as it should be, and the mean of members that differ is less so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Network
from golden.evaluation import Images
from golden.metrics import Labels, mean_softmax, nll
from golden.network import Progress, logits

FACTORS = tuple(2.0 ** (k / 3) for k in range(-3, 7))
"""What is tried: 1/2 to 4, three to an octave. Finer steps change nothing that can be measured."""


def sharpened(
    network: Network,
    images: Images,
    labels: Labels,
    members: int,
    progress: Progress = lambda done: None,
) -> tuple[Network, float]:
    """Return the network with its logits times the best of `FACTORS`, and that factor.

    The best gives the ensemble's mean softmax the least negative log-likelihood on `images`
    (temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017). Logits
    keep their fraction bits; `InputError` as `Logits` raises it where a scale becomes too large.
    """
    integers = logits(network, images, members, progress)
    output = network.output
    losses = [nll(mean_softmax(integers * f, output.fraction_bits), labels) for f in FACTORS]
    best = FACTORS[int(np.argmin(losses))]
    if best == 1:
        return network, best
    neuron = replace(
        output, scale=_rounded(best * output.scale), offset=_rounded(best * output.offset)
    )
    last = replace(network.layers[-1], neuron=neuron)
    return replace(network, layers=(*network.layers[:-1], last)), best


def _rounded(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(values).astype(np.int64)
