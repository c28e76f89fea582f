"""Activations with straight-through gradients: signs, and a ReLU of a few levels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def sign(values: Tensor) -> Tensor:
    """Return +-1, +1 at 0; the gradient passes where ``|values| <= 1``."""
    return _Sign.apply(values)


def quantise(values: Tensor, levels: int, step: float) -> Tensor:
    """Return ``clip(floor(values / step + 1/2), 0, levels)``, integers as floats.

    The gradient is that of the line through the steps, and 0 outside of them (QCFS: Bu et al.,
    "Optimal ANN-SNN Conversion for High-accuracy and Ultra-low-latency Spiking Neural Networks").
    """
    scaled = values / step
    line = scaled.clamp(0, levels)
    return line + ((scaled + 0.5).floor().clamp(0, levels) - line).detach()


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward(values)
        return torch.where(values >= 0, 1.0, -1.0).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (values,) = ctx.saved_tensors
        return gradients[0] * (values.abs() <= 1)
