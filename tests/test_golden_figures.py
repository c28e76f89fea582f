"""What golden says in the mean: distributions over members, and figures of the shipped network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bbnn.data import load as load_data
from bbnn.description import Threshold
from bbnn.model_file import load
from golden import metrics
from golden.network import logits
from networks import random_images, random_network

SHIPPED = Path(__file__).parents[1] / "models" / "fashion-mlp.safetensors"


@pytest.mark.parametrize(("bits", "lfsr_width"), [((1, 1), 32), ((2, 8), 64)])
def test_distribution_of_logits(bits: tuple[int, int], lfsr_width: int) -> None:
    """Mean and deviation over members equal those of independent Bernoulli weights in float.

    Within five standard errors, 20,000 members each: sharing random bits costs neither.
    """
    network = random_network(9, sizes=(30, 20, 4), probability_bits=bits, lfsr_width=lfsr_width)
    image = random_images(network, 1)
    members = 20_000
    found = logits(network, image, members)[0] / 2.0**10
    rng = np.random.default_rng(4)
    hidden, output = network.layers[0].neuron, network.output
    assert isinstance(hidden, Threshold)
    p = [layer.codes / 2**layer.probability_bits for layer in network.layers]
    w = np.where(rng.random((members, 30, 20)) < p[0], 1.0, -1.0)
    x = np.where(image.ravel() @ w >= hidden.thresholds, 1.0, -1.0)
    w = np.where(rng.random((members, 20, 4)) < p[1], 1.0, -1.0)
    y = np.einsum("mi,mij->mj", x, w)
    expected = (y * output.scale + output.offset) / 2.0**10
    deviation = expected.std(axis=0)
    error = deviation * np.sqrt(2 / members)
    assert (np.abs(found.mean(axis=0) - expected.mean(axis=0)) < 5 * error).all()
    # The fourth moment of these sums is near a normal one's, so a deviation's error is halved.
    assert (np.abs(found.std(axis=0) - deviation) < 5 * error).all()


def test_shipped_model_keeps_its_figures() -> None:
    """The 1,000 committed images against the figures of all 10,000 in the model file.

    Tolerances are three standard deviations of a mean over 1,000 images: accuracy .010, NLL .023.
    """
    network = load(SHIPPED)
    told = network.figures["test"]
    images, labels = load_data("fashion-mnist-1000")
    q = metrics.mean_softmax(logits(network, images, told["members"]), network.output.fraction_bits)
    assert abs(metrics.accuracy(q, labels) - told["accuracy"]) < 0.03
    assert abs(metrics.nll(q, labels) - told["nll"]) < 0.07
    assert metrics.reliability(q, labels).ece < told["ece"] + 0.03
    strange, _ = load_data("mnist-1000")
    outside = logits(network, strange, told["members"])
    odd = metrics.mean_softmax(outside, network.output.fraction_bits)
    auroc = metrics.auroc(metrics.entropy(q), metrics.entropy(odd))
    assert abs(auroc - told["ood"]["mnist"]["entropy"]["auroc"]) < 0.03


def test_shipped_model_is_good_enough() -> None:
    """What the recipe promises of the whole test sets, T = 20."""
    told = load(SHIPPED).figures["test"]
    mnist = told["ood"]["mnist"]
    assert (told["members"], told["images"], mnist["images"]) == (20, 10_000, 10_000)
    assert told["accuracy"] >= 0.880
    assert mnist["entropy"]["auroc"] >= 0.920
