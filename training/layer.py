"""A crossbar of +-1 weights, its normalisation and its activation; gradients pass straight through.

A weight is +1 with probability ``sigmoid(2 * lam)``, lam its natural parameter, as in BayesBiNN
(Meng, Bachmann, Khan, ICML 2020). The forward pass uses hard samples: what the hardware sees is
what is trained. The backward pass hands a sample's gradient to lam unchanged (the limit of their
relaxation in which its scale factor is 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.activations import quantise, sign
from training.block import Block
from training.export import TrainedLayer

ROUNDS_SUMS = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
"""Whether sums of convolutions are rounded in training; elsewhere that takes ten times as long."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What one member sees of a layer.

    weights : +-1, shape (rows, columns). kept : 0 or 1 for each input map, None without dropout.
    dropped : whether the scale is left out.
    """

    weights: Tensor
    kept: Tensor | None = None
    dropped: bool = False


class BinaryLayer(nn.Module):
    """Sums over sampled weights, batch norm, a gain and a bias per column.

    lam : natural parameters, shape (rows, columns), uniform in -spread..spread at the start.
    gain : of the normalised sums, the same for all columns and not learnt: left free, it grows and
    makes the network sure of what it has never seen. norm : without parameters of its own.
    alpha : scales of the columns, with scale dropout; fixed, since left to learn they all become 1
    and the members the same. sampled : whether a row may be random, shape (rows, 1).
    """

    lam: nn.Parameter
    gain: float
    bias: nn.Parameter
    norm: nn.BatchNorm1d
    alpha: Tensor | None
    sampled: Tensor

    def __init__(
        self, block: Block, rows: int, spread: float, gain: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.block = block
        uniform = torch.rand((rows, block.columns), generator=generator)
        self.lam = nn.Parameter((2 * uniform - 1) * spread)
        self.gain = gain
        self.bias = nn.Parameter(torch.zeros(block.columns))
        self.norm = nn.BatchNorm1d(block.columns, affine=False)
        alpha = None
        if block.scale_dropout:
            exponent = 2 * torch.rand(block.columns, generator=generator) - 1
            alpha = block.scale_spread**exponent
        self.register_buffer("alpha", alpha)
        self.register_buffer("sampled", torch.full((rows, 1), block.bernoulli))

    def probability(self) -> Tensor:
        """Return the probability of +1 that the codes can say: 0, 1 and, where sampled, 1/2."""
        p = torch.sigmoid(2 * self.lam.detach())
        return torch.where(self.sampled, (2 * p).round() / 2, (p >= 0.5).to(p.dtype))

    def draw(self, generator: torch.Generator) -> Draw:
        """Return what a new member sees; the gradient of its weights goes to `lam` unchanged."""
        probability = self.probability()
        if self.block.bernoulli:
            uniform = torch.rand(self.lam.shape, generator=generator)
            plus = uniform < probability
        else:
            plus = probability > 0.5
        weights = _PassStraight.apply(self.lam, torch.where(plus, 1.0, -1.0))
        kept = None
        if self.block.dropout:
            taps = self.block.window.taps if self.block.window else 1
            maps = len(self.lam) // taps
            kept = (torch.rand(maps, generator=generator) >= self.block.dropout).float()
        dropped = False
        if self.block.scale_dropout:
            dropped = bool(torch.rand((), generator=generator) < self.block.scale_dropout)
        return Draw(weights, kept, dropped)

    def sums(self, drive: Tensor, draw: Draw) -> Tensor:
        """Return the column sums, shape (count, columns) or (count, columns, height, width)."""
        window = self.block.window
        if window is None:
            flat = drive.flatten(1)
            return (flat if draw.kept is None else flat * draw.kept) @ draw.weights
        if draw.kept is not None:
            drive = drive * draw.kept[:, None, None]
        shape = (window.channels, window.kernel, window.kernel)
        kernels = draw.weights.T.reshape(-1, *shape)
        if self.training and ROUNDS_SUMS:
            # Rounds the sums to 8 bits, in 0.6 of the time; all that enters them is exact.
            drive, kernels = drive.bfloat16(), kernels.bfloat16()
        sums = functional.conv2d(drive, kernels, stride=window.stride, padding=window.padding)
        return sums.to(self.lam.dtype)

    def scaled(self, sums: Tensor, draw: Draw) -> Tensor:
        """Return the sums times alpha, of a member that does not leave it out."""
        if self.alpha is None or draw.dropped:
            return sums
        return sums * _columns_of(self.alpha, sums)

    def scaled_sums(self, drive: Tensor, draw: Draw) -> Tensor:
        """Return what batch norm sees: sums times alpha, already pooled where pools take maxima.

        All that follows is monotonic, so the maximum of the sums becomes the maximum of the
        outputs, at a quarter of the work, and the gradient reaches the sum that decided.
        """
        sums = self.scaled(self.sums(drive, draw), draw)
        pool = self.block.pool
        return functional.max_pool2d(sums, pool.size) if pool and pool.kind == "max" else sums

    def forward(self, drive: Tensor, draw: Draw) -> Tensor:
        """Return the layer's outputs; those of the last, which has no activation, are logits."""
        sums = self.scaled_sums(drive, draw)
        norm = self.norm
        state = (norm.running_mean, norm.running_var)
        normal = functional.batch_norm(sums, *state, training=self.training, eps=norm.eps)
        return normal * self.gain + _columns_of(self.bias, sums)

    def activate(self, normal: Tensor) -> Tensor:
        """Return what the next layer is driven with."""
        block, pool = self.block, self.block.pool
        active = quantise(normal, block.levels, block.step) if block.levels else sign(normal)
        if pool and pool.kind == "sum":
            return functional.avg_pool2d(active, pool.size) * pool.size**2
        return active

    def set_statistics(self, mean: Tensor, variance: Tensor) -> None:
        """Replace what batch norm takes for the mean and the variance of the scaled sums."""
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
            alpha=None if self.alpha is None else _array(self.alpha),
        )


class _PassStraight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parameter: Tensor, sampled: Tensor) -> Tensor:
        return sampled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def _columns_of(values: Tensor, sums: Tensor) -> Tensor:
    """Return `values`, one a column, in a shape that joins `sums` or maps of them."""
    return values if sums.dim() == 2 else values[:, None, None]


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()
