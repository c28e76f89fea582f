"""`bbnn info` tells what is in the file: counted here by hand for a small network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bbnn.cli.info import command
from bbnn.description import Network
from bbnn.model_file import digest, save_network
from networks import random_network
from systems import scale_network, skipping, spatial_network, spiking_network


def small_network() -> Network:
    """Return 12 -> 9 -> 4 with b = 0 and b = 2, and known codes in the second layer."""
    network = random_network(
        sizes=(12, 9, 4), probability_bits=(0, 2), row_bits=(0, 5), lanes=((5, 4), (9, 3))
    )
    codes = np.zeros((9, 4), np.int64)
    codes[0] = [1, 2, 3, 4]
    codes[1] = 4
    layers = (network.layers[0], replace(network.layers[1], codes=codes))
    figures = {"test": {"accuracy": 0.5}, "recipe": "by hand [really]"}
    return replace(network, layers=layers, figures=figures)


NETWORK = small_network()


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "small.safetensors"
    save_network(NETWORK, path)
    return str(path)


def shown(model: str, columns: int) -> str:
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(
        command, [model], catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.stdout


def test_json(model: str) -> None:
    result = CliRunner().invoke(command, [model, "--json"], catch_exceptions=False)
    told: dict[str, Any] = json.loads(result.stdout)
    first, second = told.pop("layers")
    assert told == {
        "name": NETWORK.name,
        "digest": digest(NETWORK),
        "input_shape": [1, 12, 1],
        "classes": ["class_0", "class_1", "class_2", "class_3"],
        "ensemble": {
            "members": 3,
            "max_members": NETWORK.max_members,
            "stratified": False,
            "reseed": "image",
            "resample": "member",
            "lfsr_width": 32,
        },
        "steps": 1,
        "encoding": "constant",
        "scale_dropout": None,
        "totals": {
            "weights": 144,
            "stochastic_weights": 3,
            "weight_bits": 108 + 108,
            "noise_bits": 9 * 5 + 4 * 2,
        },
        "figures": NETWORK.figures,
    }
    ones = int(NETWORK.layers[0].codes.sum())
    assert first == {
        "name": "hidden_0",
        "rows": 12,
        "columns": 9,
        "drive": {"kind": "unsigned", "bits": 8},
        "neuron": "threshold",
        "positions": 1,
        "output_shape": [1, 1, 9],
        "window": None,
        "pool": None,
        "dropout": None,
        "adds": None,
        "lanes_in": 5,
        "lanes_out": 4,
        "skip_zeros": False,
        "cycles": 8 * 3 * 3,
        "cycles_once": 0,
        "sampled_rows": 0,
        "run_per": "image",
        "probability_bits": 0,
        "codes": {"-1": 108 - ones, "stochastic": 0, "+1": ones},
        "weight_bits": 108,
        "noise_bits": 0,
        "row_bits": None,
        "seed": None,
    }
    noise = NETWORK.layers[1].noise
    assert noise is not None
    assert second == {
        "name": "output",
        "rows": 9,
        "columns": 4,
        "drive": {"kind": "sign", "bits": 1},
        "neuron": "logits",
        "positions": 1,
        "output_shape": [1, 1, 4],
        "window": None,
        "pool": None,
        "dropout": None,
        "adds": None,
        "lanes_in": 9,
        "lanes_out": 3,
        "skip_zeros": False,
        "cycles": 4,
        "cycles_once": 0,
        "sampled_rows": 9,
        "run_per": "member",
        "probability_bits": 2,
        "codes": {"-1": 28, "stochastic": 3, "+1": 5},
        "weight_bits": 108,
        "noise_bits": 53,
        "row_bits": 5,
        "seed": noise.seed,
    }


def test_table(model: str) -> None:
    lines = [" ".join(line.split()) for line in shown(model, 80).splitlines()]
    for line in (
        "random_network: 1 x 12 x 1 pixels to 4 classes",
        "layer rows x columns drive neuron lanes cycles run per",
        "hidden_0 12 x 9 8 planes threshold 5 x 4 72 image",
        "output 9 x 4 sign logits 9 x 3 4 member",
        "layer b -1 stochastic +1 rows sampled weight bits noise bits",
        "output 2 77.8 % 8.3 % 13.9 % 9 108 53",
        "total 2.1 % 216 53",
        f"digest {digest(NETWORK)}",
        "test.accuracy 0.5",
        "recipe by hand [really]",
    ):
        assert line in lines


def test_maps_and_their_dropout(tmp_path: Path) -> None:
    """Of a 3 x 3 convolution dropout takes one decision for nine rows."""
    path = tmp_path / "spatial.safetensors"
    save_network(spatial_network(), path)
    lines = [" ".join(line.split()) for line in shown(str(path), 120).splitlines()]
    for line in (
        "layer window positions pool output dropout decisions",
        "conv_0 3 x 3, stride 1, padding 0 16 4 x 4 x 4",
        "conv_1 3 x 3, stride 1, padding 1 16 max 2 x 2 2 x 2 x 6 4 of 36",
        "dense_2 1 x 1 x 5 24 of 24",
    ):
        assert line in lines


def test_spikes_and_the_scale_unit(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_network(spiking_network(resample="step"), path)
    text = " ".join(shown(str(path), 120).split())
    assert "steps 3, input constant" in text
    assert "weights drawn once a step" in text
    assert "at most" not in text.split("layer", 2)[1]
    save_network(skipping(spiking_network()), path)
    assert "at most" in " ".join(shown(str(path), 120).split()).split("layer", 2)[1]
    save_network(scale_network(), path)
    assert "scale dropout 2 / 2**3, one unit, seed 0x" in " ".join(shown(str(path), 120).split())


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(columns: int, model: str) -> None:
    text = shown(model, columns)
    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text
    together = "".join(text.split())
    seed = NETWORK.layers[1].noise
    assert seed is not None
    for whole in (digest(NETWORK), f"{seed.seed:#x}", "threshold", "byhand[really]"):
        assert whole in together
