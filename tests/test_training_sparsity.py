"""Training for sampling sparsity: the group penalty, and what the recipe for it samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bbnn.model_file import load
from bbnn.sparsity import sampled_weights, sparsify
from training.recipe import network_of
from training.recipes import RECIPES

MODELS = Path(__file__).parents[1] / "models"


@pytest.mark.torch
def test_group_penalty_and_its_gradient_by_hand() -> None:
    """Two groups of two rows, with means of 0 and .6, variances of 1 and .64; certain weights."""
    torch = pytest.importorskip("torch")

    from training.sparsity import group_lasso

    mean = np.array([[0, 0.6], [0.6, 0], [0.6, -0.6], [0.6, 0.6]])
    lam = torch.tensor(np.arctanh(mean), requires_grad=True)
    penalty = group_lasso(lam, 2)
    penalty.backward()
    # sqrt(n V), n = 4; V = 1 + .64 + .64 + 1 and 4 * .64.
    assert penalty.item() == pytest.approx(np.sqrt(4 * 3.28) + np.sqrt(4 * 2.56), rel=1e-5)
    # sqrt(n / V) / 2, times the variance's own slope, -2 m (1 - m**2).
    slope = -2 * mean * (1 - mean**2)
    factors = np.sqrt(4 / np.array([3.28, 2.56])) / 2
    expected = slope * factors.repeat(2)[:, np.newaxis]
    assert lam.grad is not None
    np.testing.assert_allclose(lam.grad.numpy(), expected, rtol=1e-5)
    assert expected[2, 0] == pytest.approx(-0.48)
    certain = torch.full((2, 2), 40.0, requires_grad=True)
    group_lasso(certain, 2).backward()
    assert certain.grad is not None
    assert (certain.grad == 0).all()


@pytest.mark.torch
@pytest.mark.parametrize("name", ["mnist-sparse", "fashion-sparse"])
def test_sparse_recipe_samples_a_seventh(name: str) -> None:
    """Of what `mnist-conv` samples, at most 14 %, behind a front that runs once an image.

    Additions at T = 10: the front and the certain rows of the hidden layer once, all others ten
    times.
    """
    torch = pytest.importorskip("torch")

    from training.model import Model
    from training.sparsity import choose

    recipe = RECIPES[name]
    model = Model(recipe.blocks, (28, 28, 1), 5.0, 2.2, torch.Generator().manual_seed(4))
    choose(model.layers, 1.0)
    network = network_of(recipe, [layer.trained() for layer in model.layers], (28, 28, 1), {})
    sampled = [sampled_weights(layer) for layer in network.layers]
    assert sampled[:3] == [0, 0, 3 * 64 * 128]
    sampled[3] = network.layers[3].codes.size
    conv = load(MODELS / "mnist-conv.safetensors")
    assert sum(sampled) <= 0.14 * sum(map(sampled_weights, conv.layers))
    assert network.first_ensembling == 2
    every = [layer.positions * layer.codes.size for layer in network.layers]
    once = sum(every) - sum(sampled)
    assert 10 * sum(every) / (once + 10 * sum(sampled)) > 8.8
    # Nothing is left for `bbnn sparsify` to fix.
    for before, after in zip(network.layers, sparsify(network, 1.0).layers, strict=True):
        np.testing.assert_array_equal(before.codes, after.codes)
