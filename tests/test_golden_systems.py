"""What must hold of the systems, whatever their numbers: identities, limits and buffers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bbnn.description import Layer, Network, Quantised, Spiking, Threshold
from bbnn.errors import InputError
from golden.network import crossbar, encoded, logits, trace
from golden.neurons import exact
from golden.noise import drops, member_weights
from golden.scale import dropped_scales
from golden.windows import Windows
from networks import random_images
from systems import (
    CASES,
    MAX,
    Block,
    build,
    drop,
    fixed,
    scale_network,
    spatial_network,
)


def with_neuron(network: Network, neuron: Any, bits: int, **changes: Any) -> Network:
    """Return a network of two layers with another neuron in the first, which puts out `bits`."""
    first, last = network.layers
    last = replace(last, drive=replace(last.drive, bits=bits))
    return replace(network, layers=(replace(first, neuron=neuron), last), **changes)


def require_one_weight_per_synapse() -> None:
    """Where a tile of 3 x 3 pixels repeats, every third position sees the same window."""
    blocks = (
        Block(columns=6, neuron="quantised", kernel=3, bits=2, levels=8),
        Block(columns=4, neuron="logits"),
    )
    network = build(1, blocks, input_shape=(12, 12, 2), members=8)
    tile = np.random.default_rng(8).integers(0, 256, (3, 3, 2), np.uint8)
    images = np.stack([np.tile(tile, (4, 4, 1))] * 2)
    seen = set()
    for member in range(8):
        answers = trace(network, images, 1, member, 8)[0].reshape(10, 10, 6)
        phase = np.arange(10) % 3
        same = answers == answers[phase][:, phase]
        assert same.all(), "another weight at another position"
        seen.add(tuple(answers[:3, :3].ravel()))
    assert len(seen) > 1, "members are all alike"


def test_one_weight_per_synapse_and_member() -> None:
    require_one_weight_per_synapse()


def test_a_weight_drawn_for_every_line_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken copy whose lines of positions turn over one weight each fails the test above."""
    rng = np.random.default_rng(3)
    whole = Windows.sums

    def resampled(self: Windows, maps: Any, weights: Any) -> Any:
        lines = []
        for line in range(10):
            other = weights.copy()
            other[rng.integers(len(other))] *= -1
            lines.append(whole(self, maps, other).reshape(len(maps), 10, -1)[:, line])
        return np.stack(lines, axis=1).reshape(-1, weights.shape[1])

    monkeypatch.setattr(Windows, "sums", resampled)
    with pytest.raises(AssertionError, match="another weight at another position"):
        require_one_weight_per_synapse()


@pytest.mark.parametrize("resample", ["member", "step"])
def test_weights_of_time_steps(resample: str) -> None:
    """Constant input: one sum for all steps of a member, or one for each."""
    blocks = (Block(columns=6, neuron="spiking", kernel=3), Block(columns=3, neuron="logits"))
    network = build(2, blocks, steps=12, resample=resample)
    one = np.ones(6, np.int64)
    neuron = Spiking(thresholds=one, start=0 * one, bias=0 * one, fraction_bits=0)
    network = with_neuron(network, neuron, 1)
    image = random_images(network, 1)
    sums = [
        crossbar(network.layers[0], image.reshape(1, -1), w)
        for w in member_weights(network, 0, 1, 1)
    ]
    assert len(sums) == (12 if resample == "step" else 1)
    v = np.zeros_like(sums[0])
    spikes = []
    for step in range(12):
        v += sums[step % len(sums)]
        spikes.append(v >= 1)
        v -= spikes[-1]
    found = trace(network, image, 0, 0, 1)[0].reshape(12, -1, 6)
    assert np.array_equal(found, np.array(spikes))
    assert 0 < found.mean() < 1


@pytest.mark.parametrize("name", ["conv", "spatial-bernoulli", "quantised", "spiking", "mixed"])
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_certain_codes_are_fixed_weights(name: str, bits: int) -> None:
    """Codes 0 and 2**b equal a layer of b = 0, whatever is drawn."""
    network = CASES[name]()
    plain = tuple(fixed(layer) for layer in network.layers)
    certain = tuple(
        replace(
            layer,
            codes=layer.codes * 2**bits,
            probability_bits=bits,
            noise=replace(before.noise, row_bits=bits) if before.noise else None,
        )
        if before.noise
        else layer
        for layer, before in zip(plain, network.layers, strict=True)
    )
    images = random_images(network, 4)
    found = logits(replace(network, layers=certain), images, 3)
    assert np.array_equal(found, logits(replace(network, layers=plain), images, 3))


def test_equal_banks_are_no_dropout() -> None:
    network = scale_network(members=8)
    images = random_images(network, 4)

    def with_bank(layer: Layer, equal: bool) -> Layer:
        if not isinstance(layer.neuron, Threshold) or layer.neuron.dropped is None:
            return layer
        kept = layer.neuron.thresholds
        return replace(layer, neuron=Threshold(thresholds=kept, dropped=kept if equal else None))

    equal = replace(network, layers=tuple(with_bank(layer, True) for layer in network.layers))
    without = tuple(with_bank(layer, False) for layer in network.layers)
    plain = replace(network, layers=without, scale_dropout=None)
    assert np.array_equal(logits(equal, images), logits(plain, images))
    assert not np.array_equal(logits(network, images), logits(plain, images))


def test_a_member_that_drops_nothing() -> None:
    """It is the network without dropout; members that drop a map are not."""
    blocks = (
        Block(columns=4, kernel=3, bits=0),
        Block(columns=6, kernel=3, padding=1, pool=MAX, bits=0, dropout=drop(30, 8)),
        Block(columns=4, neuron="logits", bits=0),
    )
    network = build(4, blocks, members=40)
    images = random_images(network, 5)
    plain = tuple(replace(layer, dropout=None, noise=None) for layer in network.layers)
    expected = logits(replace(network, layers=plain), images, 1)[:, 0]
    found = logits(network, images)
    dropped = drops(network.layers[1], network.lfsr_width, 40)
    differs = [member for member in range(40) if (found[:, member] != expected).any()]
    assert 0 < dropped.any(axis=1).sum() < 40
    assert differs
    assert dropped[differs].any(axis=1).all()


def test_a_dropped_map_is_not_driven() -> None:
    """Changing what a dropped map carries changes nothing; of a kept one, something."""
    network = spatial_network()
    layer, members = network.layers[1], 12
    dropped = drops(layer, network.lfsr_width, members)
    rng = np.random.default_rng(6)
    maps = rng.choice(np.array([-1, 1], np.int8), (1, 4, 4, 4))
    for member, w in enumerate(member_weights(network, 1, 1, members)):
        before = crossbar(layer, maps.reshape(1, -1), w)
        for channel in range(4):
            other = maps.copy()
            other[..., channel] *= -1
            same = np.array_equal(crossbar(layer, other.reshape(1, -1), w), before)
            assert same == dropped[member, channel]
    assert 0 < dropped.mean() < 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_spikes_of_as_many_steps_as_levels(bits: int) -> None:
    """QCFS: fed with a constant current, L steps give ``clip(floor((L*y + theta/2) / theta))``."""
    levels, shift = 2**bits - 1, 9
    blocks = (Block(columns=6, neuron="quantised", kernel=3), Block(columns=3, neuron="logits"))
    network, one = build(5, blocks), np.ones(6, np.int64)
    theta = 2**shift * one
    quantised = with_neuron(
        network, Quantised(scale=levels * one, offset=theta // 2, shift=shift, bits=bits), bits
    )
    fire = Spiking(thresholds=theta, start=theta // 2, bias=0 * one, fraction_bits=0)
    spiking = with_neuron(network, fire, 1, steps=levels)
    images = random_images(network, 6)
    for image in range(6):
        expected = trace(quantised, images, image, 1, 3)[0]
        found = trace(spiking, images, image, 1, 3)[0].reshape(levels, -1).sum(axis=0)
        assert np.array_equal(found, expected)
        assert {0, levels} <= set(expected)


def test_rate_code() -> None:
    """Of 256 steps, as many spikes as the grey value; of fewer, the nearest number."""
    network = build(
        6,
        (Block(columns=2, neuron="spiking"), Block(columns=2, neuron="logits")),
        input_shape=(16, 16, 1),
        steps=255,
        encoding="rate",
    )
    grey = np.arange(256, dtype=np.uint8)[None]
    spikes = encoded(network, grey)
    assert set(spikes.ravel()) == {0, 1}
    for steps in (1, 4, 16, 100, 255):
        total = spikes[:steps].sum(axis=0, dtype=int)[0]
        assert np.array_equal(total, np.floor(steps * np.arange(256) / 256 + 0.5))


@pytest.mark.parametrize(
    "name", ["conv", "spatial-never", "scale", "quantised-sum", "spiking-rate", "window-5"]
)
def test_blocks_and_lines(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of images, of one image, and single lines of a map give what a whole block gives."""
    network = CASES[name]()
    images = random_images(network, 7)
    whole = logits(network, images)
    for constant, size in (
        ("golden.network.BLOCK", 3),
        ("golden.network.LEAST", 1),
        ("golden.network.HELD", 500),
        ("golden.layer.CACHED", 5000),
        ("golden.layer.CACHED", 500),
        ("golden.layer.CACHED", 1),
    ):
        monkeypatch.setattr(constant, size)
        assert np.array_equal(logits(network, images), whole), (constant, size)


def test_scales_are_drawn_layer_by_layer_and_member_by_member() -> None:
    network = CASES["scale"]()
    assert network.scale_dropout
    one, many = dropped_scales(network, 1, 5000), dropped_scales(network, 10, 500)
    assert np.array_equal(one, many), "the stream runs on between images"
    assert not one[:, [1, 4]].any()
    # Two in eight, within five deviations; and of two layers together, independently.
    p = network.scale_dropout.code / 2**network.scale_dropout.bits
    banked = one[:, [0, 2, 3]]
    assert (abs(banked.mean(axis=0) - p) < 5 * np.sqrt(p * (1 - p) / 5000)).all()
    both = (banked[:, :, None] & banked[:, None]).mean(axis=0)[~np.eye(3, dtype=bool)]
    assert (abs(both - p * p) < 5 * np.sqrt(p * p * (1 - p * p) / 5000)).all()


def test_what_no_float_holds_is_refused() -> None:
    assert exact(2**24 - 1) is np.float32
    assert exact(2**24) is np.float64
    with pytest.raises(InputError, match="the largest value in a neuron must be below"):
        exact(2**53)
