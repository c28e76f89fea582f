"""A network of any kind as a person would write it in PyTorch: the baseline of `bench golden`.

Floats throughout, an independent random word for every weight and member, PyTorch's own
convolutions and pools.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bbnn.description import Layer, Network, Quantised, Spiking, Threshold, source_of

SEED = 1


def torch_program(network: Network, images: NDArray[np.uint8]) -> Callable[[], Any]:
    """Return a function that runs the ensemble on `images`: (members, images, classes)."""
    torch.manual_seed(SEED)
    stages = [Stage(layer, network) for layer in network.layers]
    first = network.first_ensembling
    scale, offset = (
        torch.from_numpy(each.astype(np.float32))
        for each in (network.output.scale, network.output.offset)
    )

    def run() -> Any:
        with torch.inference_mode():
            drive = torch.from_numpy(network.read(images)).reshape(
                len(images), *network.input_shape
            )
            drive = drive.movedim(-1, 1).float().contiguous(memory_format=torch.channels_last)
            for stage in stages[:first]:
                stage.draw()
            drive = through(stages[:first], drive)
            return torch.stack([member(drive) for _ in range(network.ensemble.members)])

    def member(drive: Tensor) -> Tensor:
        total = torch.zeros(())
        for step in range(network.steps):
            for stage in stages[first:]:
                if step == 0 or network.ensemble.resample == "step":
                    stage.draw()
            value = through(stages[first:], encoded(network, drive, step), begins=step == 0)
            total = total + value
        return total * scale + offset

    return run


def through(stages: Sequence[Stage], value: Tensor, begins: bool = True) -> Tensor:
    """Return what the last of `stages` puts out, or `value` without any."""
    layers, outputs = [stage.layer for stage in stages], [value]
    for number, stage in enumerate(stages):
        source, value = source_of(layers[: number + 1]), stage(outputs[-1], begins)
        outputs.append(value if source is None else value + outputs[source + 1])
    return outputs[-1]


def encoded(network: Network, drive: Tensor, step: int) -> Tensor:
    """Return what the first layer is fed with in a step."""
    if network.encoding == "constant":
        return drive
    before, after = (torch.floor((each * drive + 128) / 256) for each in (step, step + 1))
    return after - before


class Stage:
    """One layer: what a member draws for it, and what it does."""

    def __init__(self, layer: Layer, network: Network) -> None:
        self.layer = layer
        self.scale = network.scale_dropout
        probability = (layer.codes / 2**layer.probability_bits).astype(np.float32)
        if layer.window is not None:
            kernel = layer.window.kernel
            probability = probability.T.reshape(-1, layer.window.channels, kernel, kernel)
        self.probability = torch.from_numpy(np.ascontiguousarray(probability))
        self.weights = torch.where(self.probability > 0.5, 1.0, -1.0)
        self.kept: Tensor | None = None
        self.dropped = False
        self.membrane = torch.zeros(())

    def draw(self) -> None:
        """Draw weights, dropped maps and the scale for a new member."""
        layer = self.layer
        if layer.probability_bits:
            uniform = torch.rand_like(self.probability)
            self.weights = torch.where(uniform < self.probability, 1.0, -1.0)
        if layer.dropout is not None:
            rate = layer.dropout.code / 2**layer.dropout.bits
            self.kept = (torch.rand(layer.maps) >= rate).float()
        if isinstance(layer.neuron, Threshold) and layer.neuron.dropped is not None:
            assert self.scale is not None
            self.dropped = bool(torch.rand(()) < self.scale.code / 2**self.scale.bits)

    def __call__(self, drive: Tensor, begins: bool = True) -> Tensor:
        """Return what the layer puts out; the last layer's sums."""
        window, pool = self.layer.window, self.layer.pool
        if window is None:
            flat = drive.movedim(1, -1).flatten(1) if drive.dim() == 4 else drive
            sums = (flat if self.kept is None else flat * self.kept) @ self.weights
        else:
            masked = drive if self.kept is None else drive * self.kept[:, None, None]
            sums = functional.conv2d(
                masked, self.weights, stride=window.stride, padding=window.padding
            )
        active = self.activate(sums, begins)
        if pool is None:
            return active
        if pool.kind == "max":
            return functional.max_pool2d(active, pool.size)
        return functional.avg_pool2d(active, pool.size, divisor_override=1)

    def activate(self, sums: Tensor, begins: bool) -> Tensor:
        """Return what the neurons answer."""
        neuron = self.layer.neuron
        if isinstance(neuron, Threshold):
            bank = neuron.dropped if self.dropped else neuron.thresholds
            assert bank is not None
            return torch.where(sums >= self._column(bank), 1.0, -1.0)
        if isinstance(neuron, Quantised):
            scaled = sums * self._column(neuron.scale) + self._column(neuron.offset)
            return torch.floor(scaled / 2.0**neuron.shift).clamp_(0, 2.0**neuron.bits - 1)
        if isinstance(neuron, Spiking):
            before = self._column(neuron.start) if begins else self.membrane
            charge = sums * 2.0**neuron.fraction_bits + self._column(neuron.bias)
            limit = self._column(neuron.thresholds)
            spikes = (before + charge >= limit).float()
            self.membrane = before + charge - spikes * limit
            return spikes
        return sums

    def _column(self, values: NDArray[Any]) -> Tensor:
        column = torch.from_numpy(values.astype(np.float32))
        return column if self.layer.window is None else column[:, None, None]
