"""What `bbnn evaluate --json` tells for pictures agrees with its figures."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from bbnn.examples import least_sure, spread, surest
from golden import metrics
from golden.distributions import EXAMPLES, by_members, distributions
from golden.evaluation import Average, evaluate
from golden.network import logits
from networks import random_images, random_network

Q = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7], [1.0, 0.0]])
ENTROPY = metrics.entropy(Q)


def test_which_images_are_shown() -> None:
    assert surest(Q, ENTROPY, 9).tolist() == [4, 2]
    assert surest(Q, ENTROPY, 1).tolist() == [4]
    assert least_sure(ENTROPY, 2).tolist() == [1, 3]
    assert spread(ENTROPY, 3).tolist() == [4, 2, 1]
    assert spread(ENTROPY, 9).tolist() == [4, 0, 2, 3, 1]


@pytest.mark.parametrize("average", ["softmax", "logits"])
def test_distributions_agree_with_the_figures(average: Average) -> None:
    network = random_network(sizes=(20, 12, 3), probability_bits=(1, 1))
    images, labels = random_images(network, 50), np.arange(50) % 3
    ood = {"a": random_images(network, 30, 4), "b": random_images(network, 4, 5)}
    outcome = evaluate(network, images, labels, ood, 5, average)
    figures = outcome.figures
    told = distributions(outcome, images, labels, ood, average)

    bins = told["reliability"]
    filled = [b for b in zip(*bins.values(), strict=True) if b[1] is not None]
    assert 0 < len(filled) < len(bins["share"]) == metrics.ECE_BINS
    assert sum(s * abs(a - c) for s, a, c in filled) == pytest.approx(figures["ece"])
    assert sum(s * a for s, a, _ in filled) == pytest.approx(figures["accuracy"])

    counted, edges = told["entropies"], np.array(told["entropies"]["edges"])
    assert edges[[0, -1]].tolist() == [0, np.log(3)]
    right = round(50 * figures["accuracy"])
    assert (sum(counted["right"]), sum(counted["wrong"])) == (right, 50 - right)
    assert {name: sum(counts) for name, counts in counted["ood"].items()} == {"a": 30, "b": 4}
    middles = (edges[1:] + edges[:-1]) / 2
    mean = np.average(middles, weights=counted["ood"]["a"])
    assert mean == pytest.approx(figures["ood"]["a"]["entropy"]["mean"], abs=edges[1])

    raw = logits(network, images, 5)
    mean_of = metrics.softmax_of_mean if average == "logits" else metrics.mean_softmax
    for t in range(1, 6):
        q = mean_of(raw[:, :t], network.output.fraction_bits)
        assert told["by_members"]["nll"][t - 1] == pytest.approx(metrics.nll(q, labels))
        assert told["by_members"]["accuracy"][t - 1] == metrics.accuracy(q, labels)
    assert len(set(told["by_members"]["nll"])) == 5

    examples = told["examples"]
    assert {name: len(each) for name, each in examples["ood"].items()} == {"a": EXAMPLES, "b": 4}
    first = examples["least sure"][0]
    index = int(outcome.test.entropy.argmax())
    assert (first["image"], first["label"]) == (index, labels[index])
    assert first["q"] == outcome.test.q[index].tolist()
    assert base64.b64decode(first["pixels"]) == images[index].tobytes()
    low, high = np.quantile(outcome.test.member_q[index], (0.05, 0.95), axis=0)
    assert (first["low"], first["high"]) == (low.tolist(), high.tolist())
    assert examples["ood"]["a"][0]["label"] is None


def test_no_entropy_falls_beside_the_bins() -> None:
    """A network that knows nothing has the highest entropy, give or take its rounding."""
    network = random_network(sizes=(20, 12, 3), probability_bits=(1, 1))
    network.output.scale[...] = 1
    network.output.offset[...] = 0
    images, labels = random_images(network, 9), np.zeros(9, int)
    outcome = evaluate(network, images, labels, {}, 2)
    counted = distributions(outcome, images, labels, {})["entropies"]
    assert sum(counted["right"]) + sum(counted["wrong"]) == 9


def test_certain_members_have_a_curve() -> None:
    """A probability of 0 has no logarithm; as in the metrics, it is the smallest number."""
    member_q = np.array([[[1.0, 0.0], [0.5, 0.5]]])
    found = by_members(member_q, np.array([0]), "logits")
    assert found["nll"] == pytest.approx([0, 0], abs=1e-12)
    assert by_members(member_q, np.array([0]), "softmax")["nll"] == [0, -np.log(0.75)]
