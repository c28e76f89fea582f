"""VGGBinaryConnect, the network of Bayes2IMC, at its full size: described, evaluated exactly."""

from __future__ import annotations

import numpy as np
import pytest

from bbnn.description import Network
from bbnn.schedule import image_cycles
from golden.network import logits, trace
from training.untrained import vgg_binary_connect

WEIGHTS = 14_022_016
"""3x3 x 128, 128, 256, 256, 512, 512; 1,024, 1,024, 10: the 14.0 M of the paper."""


@pytest.fixture(scope="module")
def network() -> Network:
    """Return it with random codes."""
    return vgg_binary_connect()


def test_description(network: Network) -> None:
    assert sum(layer.codes.size for layer in network.layers) == WEIGHTS
    assert [layer.drive.bits for layer in network.layers] == [8, *[2] * 8]
    assert [layer.columns for layer in network.layers[:6]] == [128, 128, 256, 256, 512, 512]
    assert image_cycles(network) > 0


@pytest.mark.slow
@pytest.mark.torch
def test_equals_pytorch(network: Network) -> None:
    """Every output of every layer, for the second member of an image."""
    from test_golden_torch import Torch

    image = np.random.default_rng(2).integers(0, 256, (1, 32, 32, 3), np.uint8)
    found = trace(network, image, 0, 1, 2)
    expected = Torch(network, 0, 1, 2).run(image[0])
    compared = 0
    for layer, ours, theirs in zip(network.layers, found, expected, strict=True):
        assert np.array_equal(ours, np.array(theirs)), layer.name
        assert len(np.unique(ours)) > 1, f"{layer.name} says nothing"
        compared += len(ours)
    assert compared == 288_778
    assert np.array_equal(logits(network, image, 2)[0, 1], found[-1])
