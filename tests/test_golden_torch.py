"""Golden against PyTorch on every layer of every system: same codes, same sampled bits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from bbnn.description import Layer, Logits, Network, Quantised, Spiking, Threshold
from golden.network import encoded, pixels, trace
from golden.noise import matrices_per_member, member_weights
from golden.scale import dropped_scales
from networks import random_images
from systems import CASES

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="needs PyTorch: make test-torch")
functional = pytest.importorskip("torch.nn.functional")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors of a few numbers gain nothing from threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Torch:
    """One member in float64 tensors: maps (1, C, H, W), convolutions with zero padding."""

    def __init__(self, network: Network, image: int, member: int, members: int) -> None:
        self.network = network
        before = image if network.ensemble.reseed == "never" else 0
        number = before * members + member
        self.weights = []
        for index in range(len(network.layers)):
            count = matrices_per_member(network, index)
            stream = member_weights(network, index, before + 1, members)
            found = list(islice(stream, number * count, (number + 1) * count))
            self.weights.append([torch.from_numpy(w.astype(np.float64)) for w in found])
        self.dropped = dropped_scales(network, before + 1, members)[number]
        self.membranes: dict[int, Any] = {}
        self.total: Any = 0.0

    def run(self, image: np.ndarray) -> list[list[int]]:
        """Return what each layer puts out, as `golden.trace` does."""
        network, outputs = self.network, [[] for _ in self.network.layers]
        height, width, channels = network.input_shape
        train = encoded(network, pixels(network, image[None]))
        for step in range(network.steps):
            maps = torch.from_numpy(train[step % len(train)].astype(np.float64))
            maps = maps.reshape(1, height, width, channels).permute(0, 3, 1, 2)
            found: dict[str, Any] = {}
            for index, layer in enumerate(network.layers):
                maps = self.layer(index, layer, maps, step)
                if layer.adds is not None:
                    maps = maps + found[layer.adds]
                found[layer.name] = maps
                flat = maps.permute(0, 2, 3, 1).flatten().long().tolist()
                last = isinstance(layer.neuron, Logits)
                outputs[index] = flat if last else outputs[index] + flat
        return outputs

    def layer(self, index: int, layer: Layer, maps: Any, step: int) -> Any:
        matrix = self.weights[index][step % len(self.weights[index])]
        window = layer.window
        if window is None:
            sums = maps.permute(0, 2, 3, 1).flatten(1) @ matrix
            sums = sums[..., None, None]
        else:
            shape = (layer.columns, window.channels, window.kernel, window.kernel)
            kernels = matrix.T.reshape(shape)
            sums = functional.conv2d(maps, kernels, stride=window.stride, padding=window.padding)
        values = self.neuron(index, layer, sums)
        if layer.pool is None:
            return values
        if layer.pool.kind == "max":
            return functional.max_pool2d(values, layer.pool.size)
        return functional.avg_pool2d(values, layer.pool.size, divisor_override=1)

    def neuron(self, index: int, layer: Layer, sums: Any) -> Any:
        neuron = layer.neuron

        def column(values: Any) -> Any:
            return torch.from_numpy(np.asarray(values, np.float64))[:, None, None]

        if isinstance(neuron, Threshold):
            bank = neuron.dropped if self.dropped[index] else neuron.thresholds
            return 2 * (sums >= column(bank)).double() - 1
        if isinstance(neuron, Quantised):
            level = (sums * column(neuron.scale) + column(neuron.offset)) / 2.0**neuron.shift
            return level.floor().clamp(0, 2**neuron.bits - 1)
        if isinstance(neuron, Spiking):
            before = self.membranes.get(index, column(neuron.start))
            membrane = before + sums * 2.0**neuron.fraction_bits + column(neuron.bias)
            spikes = (membrane >= column(neuron.thresholds)).double()
            self.membranes[index] = membrane - spikes * column(neuron.thresholds)
            return spikes
        self.total = self.total + sums
        return self.total * column(neuron.scale) + column(neuron.offset)


@pytest.mark.parametrize("name", CASES)
def test_every_layer(name: str) -> None:
    network = CASES[name]()
    images = random_images(network, 3, seed=5)
    members = network.ensemble.members
    for image in range(len(images)):
        for member in range(members):
            found = trace(network, images, image, member, members)
            expected = Torch(network, image, member, members).run(images[image])
            assert [layer.tolist() for layer in found] == expected
