"""Training that brings a layer's randomness into few groups of rows, and then fixes the others.

The variance of a weight of +-1 with mean ``m = tanh(lam)`` is ``1 - m**2 = 4 p (1 - p)``. The
penalty is a group lasso (Yuan and Lin, "Model selection and estimation in regression with grouped
variables", 2006) on the weights' standard deviations,

    sum over groups of sqrt(n * V),  V = sum of 1 - m**2 over the n weights of the group.

Its slope along V is ``sqrt(n / V) / 2``: the less a group has left, the harder it is pushed to have
nothing, and groups that stay random anyway are let be. Its gradient by lam is 0 for certain
weights, which so remain free to change their sign.

Where drives are +-1, a coin adds the same noise to its column's sums whatever drives its row. So
coins cost least in rows that say little, such as positions at the edge of a map; the variance that
is left after some training under the penalty shows which these are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.block import RowSampling
from training.layer import BinaryLayer

LEAST = 1e-6
"""Added to a mean variance: the root of 0 has no gradient."""


def variances(lam: Tensor, group: int) -> Tensor:
    """Return the mean variance of the weights of each group of rows, shape (groups,)."""
    return (1 - torch.tanh(lam) ** 2).unflatten(0, (-1, group)).mean((1, 2))


def group_lasso(lam: Tensor, group: int) -> Tensor:
    """Return the penalty of natural parameters (rows, columns), rows a multiple of `group`."""
    size = group * lam.shape[1]
    return size * (variances(lam, group) + LEAST).sqrt().sum()


def penalty(layers: Sequence[BinaryLayer]) -> Tensor:
    """Return what is added to the loss, times the number of images.

    The weighted group lasso while all rows are random; then the pull of the chosen ones to coins.
    """
    total = torch.zeros(())
    for layer in layers:
        sampling = layer.block.sampling
        if sampling and layer.sampled.all():
            total = total + sampling.penalty * group_lasso(layer.lam, sampling.group)
        elif sampling:
            chosen = layer.lam[layer.sampled[:, 0]]
            total = total + sampling.kl_weight / 2 * (chosen**2).sum()
    return total


def choose(layers: Sequence[BinaryLayer], share: float) -> None:
    """Make all but the most random groups plain signs, once that `share` of training is done."""
    for layer in layers:
        sampling = layer.block.sampling
        if sampling and share >= sampling.chosen_after and layer.sampled.all():
            layer.sampled = most_random(layer.lam.detach(), sampling)


def most_random(lam: Tensor, sampling: RowSampling) -> Tensor:
    """Return whether each row is in one of the groups of most variance, shape (rows, 1)."""
    each = variances(lam, sampling.group)
    stays = torch.zeros(len(each), dtype=torch.bool)
    stays[each.topk(sampling.kept).indices] = True
    return stays.repeat_interleave(sampling.group)[:, None]
