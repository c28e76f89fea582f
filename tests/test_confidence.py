"""One factor for all logits: the one that the validation images like best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bbnn.description import Network
from golden.confidence import FACTORS, sharpened
from golden.metrics import mean_softmax, nll
from golden.network import logits
from networks import random_images, random_network

MEMBERS = 5


def times(network: Network, factor: float) -> Network:
    """Return the network with its logits times `factor`."""
    output = network.output
    scaled = {
        name: np.rint(getattr(output, name) * factor).astype(int) for name in ("scale", "offset")
    }
    last = replace(network.layers[-1], neuron=replace(output, **scaled))
    return replace(network, layers=(*network.layers[:-1], last))


def loss(network: Network, images: np.ndarray, labels: np.ndarray) -> float:
    return nll(mean_softmax(logits(network, images, MEMBERS), network.output.fraction_bits), labels)


def test_the_best_factor_is_found_and_taken() -> None:
    """Labels are drawn from the network's own answers, so its logits are right as they are."""
    rng = np.random.default_rng(4)
    network = random_network(4, sizes=(30, 20, 4), probability_bits=(1, 1))
    images = random_images(network, 2_000)
    q = mean_softmax(logits(network, images, MEMBERS), network.output.fraction_bits)
    labels = (q.cumsum(axis=1) < rng.random((len(q), 1))).sum(axis=1)
    same, factor = sharpened(network, images, labels, MEMBERS)
    assert factor == 1
    assert same is network
    for wrong in (FACTORS[1], FACTORS[6]):
        right, factor = sharpened(times(network, wrong), images, labels, MEMBERS)
        assert np.isclose(factor, 1 / wrong)
        losses = [loss(times(network, wrong * each), images, labels) for each in FACTORS]
        assert factor == FACTORS[int(np.argmin(losses))]
        assert loss(right, images, labels) < loss(times(network, wrong), images, labels)
        assert np.abs(right.output.scale - network.output.scale).max() <= 2
