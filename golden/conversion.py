"""Biases of a converted network, set so that spikes say in the mean what levels said.

What conversion assumes, that a neuron's input is the same in all steps, holds in the first layer
only. Behind it spikes come unevenly, and neurons of large biases fire too often or too rarely. So,
layer by layer from the front, each column's bias is moved by the mean rate that it lacks (bias
correction: Li et al., "A Free Lunch From ANN: Towards Efficient, Accurate Spiking Neural Networks
Calibration", ICML 2021). Once: more rounds bring the means nearer, and the answers not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bbnn.data import Images
from bbnn.description import Layer, Network, Spiking
from bbnn.errors import require
from golden.layer import Stage, Train
from golden.network import Progress, encoded, following, pixels, seen

Rates = NDArray[np.float64]
RUNS = 3
"""Of a layer: with levels, with spikes, and with spikes and its new biases."""


def calibrated(
    spiking: Network,
    quantised: Network,
    images: Images,
    members: int,
    progress: Progress = lambda done: None,
) -> Network:
    """Return `spiking` with other biases in its hidden layers.

    spiking : what `bbnn.convert.convert` made of `quantised`. images : uint8, shape (N, ...), such
    as were trained on. members : that the means are taken over. progress : is told how often a
    layer has run for a member, ``RUNS * members`` times a hidden layer in all.
    Raise `InputError` where one cannot have been made of the other, and as `Spiking` does where a
    bias becomes too large.
    """
    hidden = spiking.layers[:-1]
    spiky = all(isinstance(layer.neuron, Spiking) for layer in hidden)
    sizes = [[layer.codes.shape for layer in each.layers] for each in (spiking, quantised)]
    fits = spiky and sizes[0] == sizes[1]
    require(fits, "the spiking network", f"one made of {quantised.name}", spiking.name)
    levels, spikes = (_Members(each, images, members, progress) for each in (quantised, spiking))
    layers = []
    for source, layer in zip(quantised.layers[:-1], hidden, strict=True):
        wanted = _rates(source, levels.settle(source))
        layers.append(_corrected(layer, wanted - _rates(layer, spikes.outputs(layer))))
        spikes.settle(layers[-1])
    return replace(spiking, layers=(*layers, spiking.layers[-1]))


class _Members:
    """The members of a network while its hidden layers are settled one after the other."""

    def __init__(self, network: Network, images: Images, members: int, progress: Progress) -> None:
        self._steps, self._images, self._progress = network.steps, len(images), progress
        self._input = encoded(network, pixels(network, images))
        self._sees = list(seen(network, range(len(network.layers) - 1), 1, members))
        self._layers: list[Layer] = []
        # Of each member, what every settled layer puts out.
        self._outputs: list[list[Train]] = [[] for _ in self._sees]

    def outputs(self, layer: Layer) -> list[Train]:
        """Return what `layer`, behind those that are settled, puts out for each member."""
        stage, place = Stage(layer, self._steps, self._images), len(self._layers)
        self._progress(len(self._sees))
        return [
            following(stage, sees[place], self._input, outputs, self._layers)
            for sees, outputs in zip(self._sees, self._outputs, strict=True)
        ]

    def settle(self, layer: Layer) -> list[Train]:
        """Put `layer` behind those that are settled; return what it puts out for each member."""
        found = self.outputs(layer)
        for outputs, output in zip(self._outputs, found, strict=True):
            outputs.append(output)
        self._layers.append(layer)
        return found


def _corrected(layer: Layer, lack: Rates) -> Layer:
    """Return the layer with the biases that should raise its rates by so much."""
    neuron = layer.neuron
    assert isinstance(neuron, Spiking)
    # A threshold more in every step is a spike more in every step, if there is room for one.
    bias = neuron.bias.astype(np.int64) + np.rint(lack * neuron.thresholds).astype(np.int64)
    return replace(layer, neuron=replace(neuron, bias=bias))


def _rates(layer: Layer, outputs: Sequence[Train]) -> Rates:
    """Return the mean of members' outputs (steps, N, size), a column, over the largest."""
    means = [each.reshape(-1, layer.columns).mean(axis=0, dtype=np.float64) for each in outputs]
    rates: Rates = np.mean([each / layer.largest for each in means], axis=0)
    return rates
