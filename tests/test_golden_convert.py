"""Quantised networks made spiking ones, and how busy these are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn import data
from bbnn.cli.convert import command
from bbnn.convert import convert
from bbnn.description import Network, Quantised, Spiking
from bbnn.errors import InputError
from bbnn.model_file import load, save_network
from golden.conversion import RUNS, calibrated
from golden.events import events
from golden.network import encoded, logits, pixels, trace
from golden.noise import drops
from networks import random_images
from systems import CASES, MAX, SUM, Block, build, quantised_network, scale_network

MODELS = Path(__file__).parents[1] / "models"


def network(seed: int, bits: int, **options: Any) -> Network:
    """Return a convolution, one with a stride and a dense layer, all quantised with `bits`."""
    blocks = (
        Block(columns=4, neuron="quantised", kernel=3, padding=1, levels=bits, **options),
        Block(columns=6, neuron="quantised", kernel=3, stride=2, levels=bits, bits=seed % 3),
        Block(columns=5, neuron="quantised", levels=bits),
        Block(columns=4, neuron="logits"),
    )
    return build(seed, blocks)


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", range(6))
def test_first_layer_is_exact(seed: int, bits: int) -> None:
    """With as many steps as levels, its spikes add up to the levels, sum pooling included."""
    quantised = network(seed, bits, pool=SUM if seed % 2 else None)
    steps = 2**bits - 1
    spiking = convert(quantised, steps)
    assert (spiking.steps, spiking.spiking, spiking.encoding) == (steps, True, "constant")
    images = random_images(quantised, 3)
    for image in range(3):
        expected = trace(quantised, images, image, 1, 3)[0]
        found = trace(spiking, images, image, 1, 3)[0].reshape(steps, -1).sum(axis=0)
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("pool", [None, SUM])
def test_more_steps_come_closer(pool: Any) -> None:
    """Logits of the whole network, as real numbers, against those of the quantised one."""
    quantised = network(1, 3, pool=pool)
    images = random_images(quantised, 200)
    expected = logits(quantised, images) / 2.0**quantised.output.fraction_bits
    errors, spread = [], expected.std()
    for steps in (1, 4, 28, 224):
        spiking = convert(quantised, steps)
        found = logits(spiking, images) / 2.0**spiking.output.fraction_bits
        errors.append(float(np.sqrt(((found - expected) ** 2).mean())) / spread)
    # What remains is rounding to levels, which the quantised network alone does.
    assert errors[0] > 2 * errors[1] > 2 * errors[-1]
    assert errors[-1] < 0.25


def test_calibration_brings_rates_to_the_levels() -> None:
    """Of a shipped network, in three steps; its first layer is exact as it is."""
    quantised = load(MODELS / "mnist-levels.safetensors")
    raw = convert(quantised, 3)
    images = data.load("mnist-1000")[0][:48]
    told: list[int] = []
    settled = calibrated(raw, quantised, images[:32], 2, told.append)
    assert sum(told) == RUNS * 2 * 3
    wanted = mean_outputs(quantised, images)

    def missed(spiking: Network) -> list[list[float]]:
        """Return by how much the columns of a layer miss the levels: images seen, and others."""
        each = zip(mean_outputs(spiking, images), wanted, strict=True)
        lacks = [found - level for found, level in each]
        return [
            [float(np.abs(lack[part].mean(axis=0)).mean()) for part in (np.s_[:32], np.s_[32:])]
            for lack in lacks
        ]

    before, after = missed(raw), missed(settled)
    assert before[0] == after[0] == [0, 0]
    for old, new in zip(before[1:], after[1:], strict=True):
        assert new[0] < 0.75 * old[0]
        assert new[1] < 0.85 * old[1]
    # Behind the exact layer, twelve spikes of four neurons in three steps are all there can be.
    early, late = raw.layers[1].neuron, settled.layers[1].neuron
    assert isinstance(early, Spiking)
    assert isinstance(late, Spiking)
    lack = (wanted[1] - mean_outputs(raw, images)[1])[:32].mean(axis=0) / 12
    moved = late.bias - early.bias
    assert np.abs(moved - lack * early.thresholds).max() < 0.501
    assert np.abs(moved).max() > 100
    for one, other in zip(raw.layers[:-1], settled.layers[:-1], strict=True):
        for name in ("thresholds", "start", "fraction_bits"):
            assert np.array_equal(getattr(one.neuron, name), getattr(other.neuron, name))
    with pytest.raises(InputError, match="the spiking network must be one made of mnist_levels"):
        calibrated(quantised, quantised, images, 1)


def mean_outputs(network: Network, images: Any) -> list[Any]:
    """Return what hidden layers put out in all steps, over positions and two members, a column."""
    found: list[list[Any]] = [[] for _ in network.layers[:-1]]
    for image in range(len(images)):
        members = [trace(network, images, image, member, 2) for member in range(2)]
        for index, layer in enumerate(network.layers[:-1]):
            streams = np.stack([each[index] for each in members]).reshape(2, network.steps, -1)
            sums = streams.sum(axis=1).reshape(-1, layer.columns)
            found[index].append(sums.mean(axis=0))
    return [np.array(each) for each in found]


def test_start_is_half_the_threshold() -> None:
    for layer in convert(network(2, 2), 3).layers[:-1]:
        neuron: Any = layer.neuron
        assert (abs(2 * neuron.start - neuron.thresholds) <= 3 + 1).all()


def test_pools() -> None:
    """An OR pool stays one, or becomes a sum whose divisor the next layer takes up."""
    quantised = network(3, 3, pool=MAX)
    kept, averaged = convert(quantised, 7), convert(quantised, 7, average_pools=True)
    assert kept.layers[0].pool == MAX
    assert averaged.layers[0].pool == SUM
    assert averaged.layers[1].drive.bits == 3
    before: Any = kept.layers[1].neuron
    after: Any = averaged.layers[1].neuron
    ratio = np.ldexp(
        after.thresholds / before.thresholds, before.fraction_bits - after.fraction_bits
    )
    assert np.allclose(ratio, 4, rtol=0.02)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (scale_network, "layers[0].neuron (conv_0) must be Quantised, not 'Threshold'"),
        (CASES["spiking"], "layers[0].neuron (conv_0) must be Quantised, not 'Spiking'"),
        (
            lambda: build(1, (Block(columns=3, neuron="logits"),)),
            "layers must be at least two, one of them quantised, not 1",
        ),
    ],
)
def test_refused(given: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        convert(given(), 3)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("scale", "shift", "message"),
    [
        (0, 3, "layers[0].neuron (conv_0).scale must be at least 1, not 0"),
        (
            1,
            31,
            "layers[0].neuron (conv_0): scale must be one that 32 bits of membrane hold, not 1",
        ),
    ],
)
def test_scales_that_no_membrane_holds(scale: int, shift: int, message: str) -> None:
    quantised = network(1, 8)
    first = quantised.layers[0]
    neuron = Quantised(scale=np.full(4, scale), offset=np.full(4, 12345), shift=shift, bits=8)
    first = replace(first, neuron=neuron)
    with pytest.raises(InputError) as caught:
        convert(replace(quantised, layers=(first, *quantised.layers[1:])), 255)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "name",
    [
        "spiking",
        "spiking-step",
        "spiking-never",
        "spiking-rate",
        "spiking-dropout",
        "dense-spiking",
    ],
)
def test_events(name: str) -> None:
    """Counted again from traces, spike by spike and position by position."""
    spiking = CASES[name]()
    images, members = random_images(spiking, 3), spiking.ensemble.members
    spikes, met = np.zeros((2, len(spiking.layers), len(images)))
    draws = range(3 * members)
    dropped = [
        drops(layer, spiking.lfsr_width, len(draws)) if layer.noise else None
        for layer in spiking.layers
    ]
    for number in draws:
        image, member = divmod(number, members)
        outputs = trace(spiking, images, image, member, members)
        inputs = encoded(spiking, pixels(spiking, images[image : image + 1]))[:, 0]
        for index, layer in enumerate(spiking.layers):
            plane = number if spiking.ensemble.reseed == "never" else member
            gone = dropped[index]
            mask = gone[plane] if gone is not None else np.zeros(layer.maps, bool)
            for train in inputs:
                met[index, image] += layer.columns * _seen(layer.window, train, mask)
            if index < len(outputs) - 1:
                spikes[index, image] += outputs[index].sum()
                inputs = outputs[index].reshape(spiking.steps, -1)
    found = events(spiking, images)
    assert [each.layer for each in found] == [layer.name for layer in spiking.layers]
    np.testing.assert_array_equal([each.spikes for each in found], spikes / members)
    counted = [each.synaptic for each in found]
    current = spiking.encoding == "constant"
    assert (counted[0] is None) == current
    np.testing.assert_array_equal(counted[current:], met[current:] / members)


def _seen(window: Any, train: np.ndarray, dropped: np.ndarray) -> int:
    """Return how many spikes the positions see, each at every position that sees it."""
    if window is None:
        return int(train[~dropped].sum())
    maps, total = train.reshape(window.shape), 0
    for oy in range(window.out_height):
        for ox in range(window.out_width):
            top, left = oy * window.stride - window.padding, ox * window.stride - window.padding
            rows = slice(max(0, top), max(0, top + window.kernel))
            part = maps[rows, max(0, left) : max(0, left + window.kernel)]
            total += int(part[..., ~dropped].sum())
    return total


def test_events_of_spikes_only() -> None:
    quantised = quantised_network()
    with pytest.raises(InputError, match="the network must be a spiking one, not 'system'"):
        events(quantised, random_images(quantised, 1))


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "quantised.safetensors", tmp_path / "spiking.safetensors"
    quantised = network(1, 2)
    save_network(quantised, source)
    arguments = [str(source), "-o", str(target), "--to", "spiking"]

    def run(*options: str) -> Any:
        return CliRunner().invoke(command, [*arguments, *options], catch_exceptions=False)

    result = run("--levels", "3", "--steps", "4", "--json")
    assert result.exit_code == 0
    assert '"steps": 4' in result.output
    images = random_images(quantised, 4)
    assert np.array_equal(logits(load(target), images), logits(convert(quantised, 4), images))
    assert "3 steps" in run().output, "as many as levels"
    assert load(target).steps == 3
    monkeypatch.setattr(data, "load", lambda name, split: (images, split))
    assert '"calibrated": "mnist"' in run("--calibrate", "mnist", "--json").output
    told = load(target).figures["converted"]["calibrated"]
    assert told == {"data_set": "mnist", "images": 4}
    expected = calibrated(convert(quantised, 3), quantised, images, 4)
    assert np.array_equal(logits(load(target), images), logits(expected, images))
    target.unlink()
    with pytest.raises(InputError, match=r"levels of layers\[0\] \(conv_0\) must be 7"):
        run("--levels", "7", "--steps", "3")
    wrong = np.zeros((5, 28, 28, 1), np.uint8)
    monkeypatch.setattr(data, "load", lambda name, split: (wrong, split))
    with pytest.raises(InputError, match=r"mnist must be images of shape \(N, 6, 6, 2\)"):
        run("--calibrate", "mnist")
    assert not target.exists()
