"""Biases of a converted network, set so that spikes say in the mean what levels said.

What conversion assumes, that a neuron's input is the same in all steps, holds in the first layer
only. Behind it spikes come unevenly, and neurons of large biases fire too often or too rarely. So,
layer by layer from the front, each column's bias is moved by the mean rate that it lacks (bias
correction: Li et al., "A Free Lunch From ANN: Towards Efficient, Accurate Spiking Neural Networks
Calibration", ICML 2021). Once: moving it again until the means agree makes single answers worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bbnn.data import Images
from bbnn.description import Layer, Network, Spiking, source_of
from bbnn.errors import require
from golden.layer import Stage, Train
from golden.network import Progress, encoded, pixels, run, seen

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
    spikes = all(isinstance(layer.neuron, Spiking) for layer in hidden)
    sizes = [[layer.codes.shape for layer in each.layers] for each in (spiking, quantised)]
    fits = spikes and sizes[0] == sizes[1]
    require(fits, "the spiking network", f"one made of {quantised.name}", spiking.name)
    ensemble = _Members(spiking, images, members, progress)
    layers = []
    for layer, wanted in zip(hidden, _levels(quantised, images, members, progress), strict=True):
        layers.append(_corrected(layer, wanted - ensemble.rates(layer)))
        ensemble.settle(layers[-1])
    return replace(spiking, layers=(*layers, spiking.layers[-1]))


class _Members:
    """The members of a network while its layers are settled one after the other."""

    def __init__(self, network: Network, images: Images, members: int, progress: Progress) -> None:
        self._steps, self._images, self._progress = network.steps, len(images), progress
        self._layers: list[Layer] = []
        self._sees = list(seen(network, range(len(network.layers) - 1), 1, members))
        # Of each member the input and what every settled layer puts out.
        train = encoded(network, pixels(network, images))
        self._trains = [[train] for _ in range(members)]

    def outputs(self, layer: Layer) -> list[Train]:
        """Return what `layer`, behind those that are settled, puts out for each member."""
        stage, layers = Stage(layer, self._steps, self._images), [*self._layers, layer]
        source = source_of(layers)
        outputs = []
        for trains, sees in zip(self._trains, self._sees, strict=True):
            output = stage(trains[-1], *sees[len(self._layers)])
            if source is not None:
                output = np.add(output, trains[source + 1], dtype=np.uint16)
            outputs.append(output)
        self._progress(len(outputs))
        return outputs

    def rates(self, layer: Layer) -> Rates:
        """Return the mean output of its columns, as share of the largest."""
        means: Rates = np.mean([_rates(layer, each) for each in self.outputs(layer)], axis=0)
        return means

    def settle(self, layer: Layer) -> None:
        """Put `layer` behind those that are settled."""
        for trains, output in zip(self._trains, self.outputs(layer), strict=True):
            trains.append(output)
        self._layers.append(layer)


def _corrected(layer: Layer, lack: Rates) -> Layer:
    """Return the layer with the biases that should raise its rates by so much."""
    neuron = layer.neuron
    assert isinstance(neuron, Spiking)
    # A threshold more in every step is a spike more in every step, if there is room for one.
    bias = neuron.bias.astype(np.int64) + np.rint(lack * neuron.thresholds).astype(np.int64)
    return replace(layer, neuron=replace(neuron, bias=bias))


def _levels(network: Network, images: Images, members: int, progress: Progress) -> Sequence[Rates]:
    """Return the mean output of the columns of each hidden layer, as share of the largest."""
    hidden = network.layers[:-1]
    stages = [Stage(layer, network.steps, len(images)) for layer in hidden]
    train = encoded(network, pixels(network, images))
    found = []
    for sees in seen(network, range(len(hidden)), 1, members):
        outputs = run(stages, sees, train)
        found.append([_rates(*each) for each in zip(hidden, outputs, strict=True)])
        progress(len(hidden))
    return [np.mean(each, axis=0) for each in zip(*found, strict=True)]


def _rates(layer: Layer, output: Train) -> Rates:
    """Return the means of an output (steps, N, size) over all but the columns, over the largest."""
    means: Rates = output.reshape(-1, layer.columns).mean(axis=0, dtype=np.float64)
    return means / layer.largest
