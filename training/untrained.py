"""VGGBinaryConnect as it is before training, where its shape alone counts."""

from __future__ import annotations

import numpy as np

from bbnn.description import Network
from training.export import TrainedLayer
from training.recipe import Recipe, network_of
from training.recipes import VGG, vgg

__all__ = ["vgg_binary_connect"]


def vgg_binary_connect(width: int = 128, fully: int = 1024) -> Network:
    """Return it with random probabilities of 0, 1/2 and 1, its sums normalised as trained ones.

    width, fully : channels of the first stage, and neurons of the fully connected layers.
    """
    rng = np.random.default_rng(1)
    blocks = vgg(width=width, fully=fully, levels=3)
    recipe = Recipe(name="vgg", data_set="cifar-10", ood=("noise",), blocks=blocks, settings=VGG)
    trained, rows, strength = [], 27, 2.0**14
    for index, block in enumerate(blocks):
        if block.window is not None:
            rows = 9 * block.window.channels
        elif index == 6:
            rows = 4 * 4 * 4 * width
        trained.append(
            TrainedLayer(
                probability=rng.integers(0, 3, (rows, block.columns)) / 2,
                mean=np.zeros(block.columns),
                variance=np.full(block.columns, rows * strength),
                gain=np.ones(block.columns),
                bias=np.zeros(block.columns),
            )
        )
        rows, strength = block.columns, 1.0
    return network_of(recipe, trained, (32, 32, 3), {})
