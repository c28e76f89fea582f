"""A multilayer perceptron of Bernoulli layers with sign activations.

It reads raw pixels, 0..255: batch norm takes out any scale, so that every sum is the integer that
the hardware will see, exact in float32, and no pixel scale is left to fold.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.bernoulli import BernoulliLayer, sign


class Mlp(nn.Module):
    """Layers of `sizes`; all but the last end in a sign."""

    def __init__(
        self, sizes: Sequence[int], spread: float, gain: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        last = len(sizes) - 2
        self.layers = [
            BernoulliLayer(rows, columns, spread, gain if index == last else 1.0, generator)
            for index, (rows, columns) in enumerate(itertools.pairwise(sizes))
        ]
        self.registered = nn.ModuleList(self.layers)

    def sample(self, generator: torch.Generator) -> list[Tensor]:
        """Return one member's weights, a matrix of +-1 per layer."""
        return [layer.sample(generator) for layer in self.layers]

    def forward(self, pixels: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """Return logits (count, classes) of pixels (count, rows), seen by one member's weights."""
        last = len(self.layers) - 1
        return self.layers[last](self.hidden(pixels, weights, last), weights[last])

    def hidden(self, pixels: Tensor, weights: Sequence[Tensor], depth: int) -> Tensor:
        """Return what drives layer `depth`: the pixels, or +-1."""
        for index in range(depth):
            pixels = sign(self.layers[index](pixels, weights[index]))
        return pixels

    @torch.no_grad()
    def calibrate(self, pixels: Tensor, members: int, generator: torch.Generator) -> None:
        """Set the statistics of every batch norm to those over `pixels` and over members.

        Layer by layer, each behind the final thresholds of those before it: the statistics that
        training leaves are averages over batches of a network that was still moving.
        """
        self.eval()
        draws = [self.sample(generator) for _ in range(members)]
        for index, layer in enumerate(self.layers):
            moments = torch.zeros((2, layer.lam.shape[1]), dtype=torch.float64)
            for weights in draws:
                sums = (self.hidden(pixels, weights, index) @ weights[index]).double()
                moments += torch.stack([sums.mean(0), (sums**2).mean(0)]) / members
            mean, square = moments
            layer.set_statistics(mean, square - mean**2)
