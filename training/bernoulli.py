"""A crossbar of Bernoulli weights, and binary activations; gradients pass straight through.

A weight is +1 with probability ``sigmoid(2 * lam)``, lam its natural parameter, as in BayesBiNN
(Meng, Bachmann, Khan, ICML 2020). The forward pass uses hard samples: what the hardware sees is
what is trained. The backward pass hands a sample's gradient to lam unchanged (the limit of their
relaxation in which its scale factor is 1), and the sign's to its input within the unit interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.export import TrainedLayer


class BernoulliLayer(nn.Module):
    """Sums over sampled weights, batch norm, a gain and a bias per column.

    lam : natural parameters, shape (rows, columns), uniform in -spread..spread at the start.
    gain : of the normalised sums, the same for all columns and not learnt: left free, it grows and
    makes the network sure of what it has never seen. norm : without parameters of its own.
    """

    lam: nn.Parameter
    gain: float
    bias: nn.Parameter
    norm: nn.BatchNorm1d

    def __init__(
        self, rows: int, columns: int, spread: float, gain: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        uniform = torch.rand((rows, columns), generator=generator)
        self.lam = nn.Parameter((2 * uniform - 1) * spread)
        self.gain = gain
        self.bias = nn.Parameter(torch.zeros(columns))
        self.norm = nn.BatchNorm1d(columns, affine=False)

    def probability(self) -> Tensor:
        """Return the probability of +1 that codes of one bit can say: 0, 1/2 or 1."""
        return (2 * torch.sigmoid(2 * self.lam.detach())).round() / 2

    def sample(self, generator: torch.Generator) -> Tensor:
        """Return one draw of the weights, +-1; its gradient goes to `lam` unchanged."""
        uniform = torch.rand(self.lam.shape, generator=generator)
        weights = torch.where(uniform < self.probability(), 1.0, -1.0)
        return _PassStraight.apply(self.lam, weights)

    def forward(self, drive: Tensor, weights: Tensor) -> Tensor:
        """Return (count, columns): what the neuron takes the sign of, or the logits."""
        return self.norm(drive @ weights) * self.gain + self.bias

    def set_statistics(self, mean: Tensor, variance: Tensor) -> None:
        """Replace what batch norm takes for the mean and the variance of the sums."""
        self.norm.running_mean = mean.to(self.lam.dtype)
        self.norm.running_var = variance.to(self.lam.dtype)

    @torch.no_grad()
    def sharpen(self, factor: float) -> None:
        """Multiply what the layer puts out."""
        self.gain *= factor
        self.bias.mul_(factor)

    def trained(self) -> TrainedLayer:
        """Return what the export needs, as float64 arrays."""
        assert self.norm.running_mean is not None
        assert self.norm.running_var is not None
        return TrainedLayer(
            probability=_array(self.probability()),
            mean=_array(self.norm.running_mean),
            variance=_array(self.norm.running_var) + self.norm.eps,
            gain=np.full(self.bias.shape, self.gain),
            bias=_array(self.bias),
        )


def sign(values: Tensor) -> Tensor:
    """Return +-1, +1 at 0; the gradient passes where ``|values| <= 1``."""
    return _Sign.apply(values)


class _PassStraight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parameter: Tensor, sampled: Tensor) -> Tensor:
        return sampled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward(values)
        return torch.where(values >= 0, 1.0, -1.0).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (values,) = ctx.saved_tensors
        return gradients[0] * (values.abs() <= 1)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()
