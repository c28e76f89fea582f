"""Layers and rows that are no longer sampled: which, how many, and what `bbnn sparsify` says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn.cli import sparsify as sparsify_command
from bbnn.description import Layer, Network, deterministic
from bbnn.errors import InputError
from bbnn.model_file import load, save_network
from bbnn.schedule import image_cycles
from bbnn.sparsity import (
    ensembling_from,
    operations,
    randomness,
    sampled_weights,
    shared,
    sparsify,
)
from golden.network import logits
from networks import random_images, random_network
from systems import CASES, Block, build, conv_network, drop, residual_network


def recoded(network: Network, index: int, codes: Any) -> Network:
    """Return the network with other codes in one layer."""
    layer = replace(network.layers[index], codes=np.asarray(codes))
    return replace(network, layers=(*network.layers[:index], layer, *network.layers[index + 1 :]))


def stochastic_maps(layer: Layer) -> list[int]:
    """Return which input maps have a stochastic weight, weight by weight."""
    full = 2**layer.probability_bits
    found = {
        i // layer.taps
        for i in range(layer.rows)
        for j in range(layer.columns)
        if 0 < layer.codes[i, j] < full
    }
    return sorted(found)


def require_sparse(before: Network, after: Network, budget: float, first: int) -> None:
    """Require that rows stay whole or are the likelier signs, and that the budget is kept."""
    counts = []
    for index, (old, new) in enumerate(zip(before.layers, after.layers, strict=True)):
        maps = stochastic_maps(new)
        assert not maps or index >= first
        counts.append(len(maps) * new.taps * new.columns)
        assert counts[-1] == sampled_weights(new)
        p = new.codes / 2**new.probability_bits
        signs = deterministic(before).layers[index].codes
        for i in range(old.rows):
            kept = i // old.taps in maps
            expected = old.codes[i] / 2**old.probability_bits if kept else signs[i]
            assert np.array_equal(p[i], expected), f"layer {index}, row {i}"
        # Of rows that are left out, none has more variance than one that is not.
        q = old.codes / 2**old.probability_bits
        variance = (q * (1 - q)).reshape(old.maps, -1).sum(axis=1)
        left = [variance[i] for i in range(old.maps) if i not in maps]
        assert not maps or not left or min(variance[maps]) >= max(left)
    whole = sum(len(stochastic_maps(x)) * x.taps * x.columns for x in before.layers)
    assert sum(counts) <= budget * whole
    largest = max(layer.taps * layer.columns for layer in before.layers)
    assert sum(counts) > budget * whole - len(counts) * largest


@pytest.mark.parametrize("budget", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("start", [0, 1, 2])
def test_rows_stay_whole_or_are_snapped(budget: float, start: int) -> None:
    network = random_network(sizes=(60, 40, 30, 4), probability_bits=(2, 1, 3))
    sparse = sparsify(network, budget, start=network.layers[start].name)
    assert sparse.first_ensembling == start
    possible = sum(sampled_weights(layer) for layer in network.layers[start:])
    whole = sum(map(sampled_weights, network.layers))
    require_sparse(network, sparse, min(budget, possible / whole), start)


def test_maps_of_a_convolution_stay_together() -> None:
    network = conv_network()
    sparse = sparsify(network, 0.5)
    require_sparse(network, sparse, 0.5, 0)
    assert 0 < len(stochastic_maps(sparse.layers[1])) < 4


def test_a_copy_that_keeps_the_wrong_rows_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(sizes=(60, 40, 30, 4), probability_bits=(2, 1, 3))
    monkeypatch.setattr("bbnn.sparsity._chosen", lambda layer, room: np.arange(3))
    with pytest.raises(AssertionError):
        require_sparse(network, sparsify(network, 0.1), 0.1, 0)


def test_all_of_the_budget_changes_nothing() -> None:
    network = random_network(sizes=(60, 40, 30, 4))
    images = random_images(network, 5)
    assert np.array_equal(logits(sparsify(network, 1.0), images), logits(network, images))


def test_clamped_layers_are_the_deterministic_ones_and_run_once() -> None:
    network = random_network(sizes=(60, 40, 30, 4), members=10)
    sparse = sparsify(network, 1.0, start="output")
    once = deterministic(network)
    for clamped, fixed in zip(sparse.layers[:2], once.layers, strict=False):
        assert (clamped.probability_bits, clamped.noise) == (0, None)
        assert np.array_equal(clamped.codes, fixed.codes)
    assert operations(network) == 10 * (60 * 40 + 40 * 30 + 30 * 4)
    assert operations(sparse) == 60 * 40 + 40 * 30 + 10 * 30 * 4
    assert image_cycles(sparse) < image_cycles(network) / 3


def test_a_front_that_is_hardly_random_is_clamped() -> None:
    """Of ten thousandths of coins in front of many, and not where the front has its share."""
    network = random_network(sizes=(60, 40, 30, 4), probability_bits=(8, 1, 1))
    codes = np.where(np.arange(2400).reshape(60, 40) % 400 == 0, 128, 256)
    quiet = recoded(network, 0, codes)
    assert randomness(quiet.layers[0]) == 6 / 2400
    assert (ensembling_from(network), ensembling_from(quiet)) == (0, 1)
    assert sparsify(quiet, 1.0).layers[0].noise is None


def test_a_shortcut_is_not_cut() -> None:
    """Its two layers run equally often: such a front is not chosen, and not made by snapping."""
    network = residual_network("quantised")
    for index in (0, 1, 2):
        network = recoded(network, index, 0 * network.layers[index].codes)
    # Layers 0 to 2 are certain; layer 1 adds 0 and layer 3 adds 1.
    assert ensembling_from(network) == 0
    with pytest.raises(
        InputError, match=r"layers\[3\].adds \(conv_3\) must be run as often as this"
    ):
        sparsify(network, 0.5)


@pytest.mark.parametrize("name", ["spatial-bernoulli", "spiking", "mixed", "quantised"])
def test_every_system_becomes_sparse(name: str) -> None:
    """Dropout and scales stay, and where no weight is random any more, no row bit is drawn."""
    network = CASES[name]()
    sparse = sparsify(network, 0.3)
    for old, new in zip(network.layers, sparse.layers, strict=True):
        assert new.dropout == old.dropout
        assert new.noise is None or (new.noise.row_bits > 0) == (new.probability_bits > 0)
    assert logits(sparse, random_images(sparse, 2)).shape[0] == 2


def test_dropout_alone_stays_random() -> None:
    blocks = (Block(columns=6), Block(columns=4, neuron="logits", dropout=drop(1, 2)))
    network = build(1, blocks, input_shape=(1, 12, 1))
    layer = sparsify(network, 1e-9).layers[1]
    assert layer.noise
    assert (layer.probability_bits, layer.noise.row_bits) == (0, 0)
    assert layer.noise_bits == 6 * 2


def test_delta_snaps_what_is_nearly_certain() -> None:
    network = random_network(sizes=(60, 40, 4), probability_bits=(8, 4))
    sparse = sparsify(network, 1.0, 0.02)
    # 0.02 * 256 = 5.12, and 0.02 * 16 is less than one step.
    before = network.layers[0].codes
    expected = np.where(before <= 5, 0, np.where(before >= 251, 256, before))
    assert np.array_equal(sparse.layers[0].codes, expected)
    assert not np.array_equal(expected, before)
    assert np.array_equal(sparse.layers[1].codes, network.layers[1].codes)


def test_the_budget_is_shared_by_roots() -> None:
    assert shared([100, 400, 0], 60) == pytest.approx([20, 40, 0])
    assert shared([4, 10_000], 500) == [4, 496]
    assert shared([9, 16], 100) == [9, 16]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 0}, "budget must be above 0 and at most 1, not 0"),
        ({"budget": 1.5}, "budget must be above 0 and at most 1, not 1.5"),
        ({"budget": float("nan")}, "budget must be above 0 and at most 1, not nan"),
        ({"budget": 0.5, "delta": 0.5}, "delta must be at least 0 and below 0.5, not 0.5"),
        (
            {"budget": 0.5, "start": "x"},
            "the first ensembling layer must be one of hidden_0, hidden_1, output, not 'x'",
        ),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        sparsify(random_network(), **options)


def test_nothing_to_sample_is_refused() -> None:
    message = "stochastic weights of random_network_deterministic must be at least one, not 0"
    with pytest.raises(InputError, match=message):
        sparsify(deterministic(random_network()), 0.5)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the file of an untrained network for 28 x 28 images and ten classes."""
    network = random_network(sizes=(784, 8, 10), probability_bits=(2, 1))
    save_network(replace(network, input_shape=(28, 28, 1)), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_command(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "sparse.safetensors"
    arguments = [str(model), "--budget", "0.14", "--images", "20", "-o", str(output)]
    ran = CliRunner().invoke(
        sparsify_command.command, [*arguments, "--json"], catch_exceptions=False
    )
    told = json.loads(ran.stdout)
    before, after = told["before"], told["after"]
    sparse = load(output)
    assert (
        before.keys()
        == after.keys() - {"ratios"}
        >= {"accuracy", "nll", "ece", "auroc", "cycles_per_image"}
    )
    assert before["sampled_weights"] == sum(map(sampled_weights, load(model).layers))
    assert after["sampled_weights"] == sum(map(sampled_weights, sparse.layers))
    assert 0.1 < after["sampled_weights"] / before["sampled_weights"] <= 0.14
    assert after["cycles_per_image"] == image_cycles(sparse)
    assert [each["after"] for each in told["layers"]] == [*map(sampled_weights, sparse.layers)]
    whole = told["yardstick"]
    assert whole["weight_bits"] == 9 * (784 * 8 + 8 * 10)
    assert after["ratios"]["weight_bits"] == whole["weight_bits"] / after["weight_bits"]
    folded = told["same_rate"]
    assert 0 < folded["cycles_per_image"] <= whole["cycles_per_image"]
    assert folded["sampled_weights"] == after["sampled_weights"]
    assert folded["ratios"]["estimated_lut"] > 1
    assert sparse.figures["sparsified"]["budget"] == 0.14
    ran = CliRunner().invoke(sparsify_command.command, arguments, catch_exceptions=False)
    assert re.search(r"sampled weights +6,3\d\d +[68]\d\d\n", ran.stdout), ran.stdout


def test_command_refuses(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "sparse.safetensors"
    elsewhere = str(tmp_path / "nowhere" / "sparse.safetensors")
    for options in (
        ["--budget", "2"],
        ["--budget", "0.5", "--images", "0"],
        ["--budget", "0.5", "-o", elsewhere],
    ):
        with pytest.raises(InputError):
            CliRunner().invoke(
                sparsify_command.command,
                [str(model), "-o", str(output), *options],
                catch_exceptions=False,
            )
        assert not output.exists()
