"""MTJ dropout modules: the switching law, its spread, stuck ones, and what they do to decisions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bbnn.errors import InputError
from golden.devices.cases import IDEAL, mtj_cases
from golden.devices.mtj import Junctions, current, modules, probabilities, switching
from golden.network import logits
from golden.noise import member_weights
from networks import random_images, random_network
from systems import CASES, Network, scale_network, spatial_network

EVEN = Junctions(spread=0)


@pytest.mark.parametrize("p", [1e-3, 0.15, 0.5, 0.99])
@pytest.mark.parametrize("pulse", [10e-9, 1e-6])
def test_current_is_set_for_the_probability(p: float, pulse: float) -> None:
    """P = 1 - exp(-t / tau), tau = tau_0 exp(Delta (1 - I / I_c)), both ways."""
    junctions = Junctions(pulse=pulse, barrier=60)
    relative = current(junctions, p)
    assert relative < 1.2
    tau = 1e-9 * math.exp(60 * (1 - relative))
    assert 1 - math.exp(-pulse / tau) == pytest.approx(p)
    assert switching(junctions, np.array([relative]), np.array([60.0])) == pytest.approx(p)
    nominal = probabilities(Junctions(spread=0, pulse=pulse), p, 5, np.random.default_rng(1))
    assert nominal == pytest.approx(p)


def test_spread_of_critical_currents() -> None:
    """ln(-ln(1 - P)) deviates by Delta * (I / I_c) * spread: 40,000 modules, five errors, 1 %."""
    junctions = Junctions(spread=0.005)
    p = probabilities(junctions, 0.15, 40_000, np.random.default_rng(2))
    deviation = np.log(-np.log1p(-p)).std()
    expected = 40 * current(junctions, 0.15) * 0.005
    assert abs(deviation / expected - 1) < 0.01 + 5 / math.sqrt(80_000)
    barriers = probabilities(
        Junctions(spread=0, barrier_spread=0.1), 0.15, 40_000, np.random.default_rng(2)
    )
    expected = 40 * (1 - current(junctions, 0.15)) * 0.1
    found = np.log(-np.log1p(-barriers)).std()
    assert abs(found / expected - 1) < 0.01 + 5 / math.sqrt(80_000)


def test_stuck_modules() -> None:
    """Half of them always drop, half never; 40,000 modules, five standard errors."""
    p = probabilities(Junctions(spread=0, stuck=0.2), 0.3, 40_000, np.random.default_rng(3))
    for value, share in ((0.0, 0.1), (1.0, 0.1), (None, 0.8)):
        found = np.mean((p != 0) & (p != 1)) if value is None else np.mean(p == value)
        assert abs(found - share) < 5 * math.sqrt(share * (1 - share) / 40_000)
    assert set(probabilities(Junctions(stuck=1.0), 0.3, 50, np.random.default_rng(3))) == {0.0, 1.0}


@pytest.mark.parametrize("network", [CASES["spatial"](), CASES["scale"](), CASES["mixed"]()])
def test_even_modules_are_the_network(network: Network) -> None:
    """Without spread and faults every logit is that of the network with words as wide."""
    images = random_images(network, 3)
    meant, source = modules(network, EVEN, 1)
    assert np.array_equal(logits(meant, images, 5, source=source), logits(meant, images, 5))
    for layer, codes in source.drop_codes.items():
        dropout = meant.layers[layer].dropout
        assert dropout
        assert (codes == dropout.code).all()


def test_modules_drop_as_often_as_they_switch() -> None:
    """Share of members in which each map is dropped, within five standard errors of its code."""
    network, source = modules(spatial_network(), Junctions(spread=0.02, stuck=0.3), 4)
    assert sorted(source.drop_codes) == [1, 2, 3]
    for index, codes in source.drop_codes.items():
        layer = network.layers[index]
        assert len(set(codes)) > 2
        drawn = source.weights(network, index, 1, 2000)
        share = np.mean([(matrix[:: layer.taps] == 0).all(axis=1) for matrix in drawn], axis=0)
        p = codes / 256
        assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / 2000)).all()
        plain = list(member_weights(network, index, 1, 50))
        own = list(source.weights(network, index, 1, 50))
        assert not np.array_equal(plain, own)


def test_a_stuck_scale_unit() -> None:
    """The one unit of a model, stuck: every member alike, in all layers or in none."""
    network = scale_network()
    found = set()
    for chip in range(6):
        changed, source = modules(network, Junctions(stuck=1.0), chip)
        decisions = source.dropped_scales(changed, 1, 20)[:, [0, 2, 3]]
        assert source.scale_code in (0, 256)
        assert (decisions == (source.scale_code == 256)).all()
        found.add(source.scale_code)
        raw = logits(changed, random_images(changed, 2), 4, source=source)
        assert (raw == raw[:, :1]).all()
    assert found == {0, 256}


def test_cases() -> None:
    """What is not wrong has no row; every case runs."""
    network = spatial_network()
    named = [case.name for case in mtj_cases(network, Junctions(spread=0, stuck=0.1))[1]]
    assert named == [IDEAL, "stuck"]
    _, cases = mtj_cases(network, Junctions(stuck=0.1))
    assert [case.name for case in cases] == [IDEAL, "spread", "stuck", "spread and stuck"]
    images = random_images(network, 2)
    for case in cases:
        on_chip, source = case.on_chip(1)
        assert logits(on_chip, images, source=source).shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spread": -0.1}, "spread must be in 0..1, not -0.1"),
        ({"stuck": 1.5}, "stuck must be in 0..1, not 1.5"),
        ({"pulse": 1e-9}, "pulse must be in 1e-08..1, not 1e-09"),
        ({"barrier": math.inf}, "barrier must be in 1..1000, not inf"),
    ],
)
def test_refused_junctions(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Junctions(**options)
    assert str(caught.value) == message


def test_refused_networks() -> None:
    with pytest.raises(InputError, match="layers must be with spatial or scale dropout"):
        modules(random_network(), EVEN, 1)
    with pytest.raises(InputError, match=r"bits must be an integer in 2\.\.8, not 1"):
        modules(spatial_network(), EVEN, 1, bits=1)
