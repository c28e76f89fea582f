"""The choice of lanes: within the rate, cheaper than others that are, and honest where it fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bbnn.cli import group
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.folding import estimate, fastest, fold
from bbnn.model_file import digest, load
from bbnn.schedule import image_cycles
from networks import random_network
from systems import Block, build, conv_network, spiking_network

SHIPPED = Path(__file__).parents[1] / "models" / "fashion-mlp.safetensors"
PLENTY = {"lut": 10**9, "bram36": 10**9}


@pytest.mark.parametrize("budget", [150, 300, 1_000, 100_000])
def test_folding_keeps_to_the_budget(budget: int) -> None:
    network = random_network(sizes=(24, 18, 12, 4))
    found = fold(network, budget, **PLENTY)
    assert found.cycles == image_cycles(found.network) <= budget
    assert found.cost == estimate(found.network)


def test_more_time_is_never_dearer() -> None:
    network = random_network(sizes=(24, 18, 12, 4))
    costs = [fold(network, budget, **PLENTY).cost.lut for budget in (150, 300, 600, 2_000, 9_000)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > 1.2 * costs[-1]


def test_only_the_folding_changes() -> None:
    network = conv_network()
    found = fold(network, 20_000, **PLENTY).network
    for before, after in zip(network.layers, found.layers, strict=True):
        assert replace(after, folding=before.folding, codes=before.codes) is not None
        assert (after.codes == before.codes).all()
        assert after.neuron is before.neuron
        assert after.folding.lanes_in % after.taps == 0


@pytest.mark.parametrize("budget", range(114, 1500, 98))
def test_what_waits_for_a_later_layer_counts(budget: int) -> None:
    """A layer that reuses sums reads its members in a burst, until those behind it hold it up."""
    blocks = (
        Block(columns=32, sampled=(0, 1, 2), reuse=True, lanes_in=3, lanes_out=4),
        Block(columns=8, neuron="logits", bits=0),
    )
    network = build(1, blocks, input_shape=(1, 24, 1))
    assert fold(network, budget, **PLENTY).cycles <= budget


@pytest.mark.parametrize("factory", [conv_network, spiking_network])
def test_every_position_and_step_counts(factory: Callable[[], Network]) -> None:
    """With all lanes built a position still takes a cycle for each plane."""
    network = factory()
    layer = network.layers[0]
    least = network.ensemble.members * network.steps * layer.positions * layer.drive.bits
    with pytest.raises(InputError, match=r"^the rate must allow .* for conv_0 crossbar, not "):
        fold(network, least - 1, **PLENTY)


def test_a_part_that_is_too_small() -> None:
    network = random_network(sizes=(24, 18, 12, 4))
    needed = fold(network, 150, **PLENTY).cost.lut
    message = f"^estimated LUT must be at most {needed - 1:,}, not {needed}$"
    with pytest.raises(InputError, match=message):
        fold(network, 150, lut=needed - 1, bram36=10**9)


def test_the_fastest_that_fits() -> None:
    """It fits, half its room has nothing as fast, and where there is no room there is none."""
    network = random_network(sizes=(24, 18, 12, 4))
    room = fold(network, 60, **PLENTY).cost.lut
    found = fastest(network, lut=room, bram36=10**9)
    assert found is not None
    assert found.cost.lut <= room
    assert found.cycles <= 60 * 1.02
    with pytest.raises(InputError, match=r"^estimated LUT must be"):
        fold(network, round(found.cycles * 0.98) - 1, lut=room, bram36=10**9)
    assert fastest(network, lut=10, bram36=0) is None


def test_the_estimate_is_near_synthesis() -> None:
    """`bbnn synth models/fashion-mlp.safetensors`: 9,638 LUT, 51 BRAM36 and 29 BRAM18."""
    cost = estimate(load(SHIPPED))
    assert abs(cost.lut / 9_638 - 1) < 0.2
    assert abs(cost.bram36 / (51 + 29 / 2) - 1) < 0.05


def test_command_writes_the_model(tmp_path: Path) -> None:
    output = tmp_path / "fast.safetensors"
    arguments = [str(SHIPPED), "--target-fps", "5000", "-o", str(output), "--json"]
    ran = CliRunner().invoke(group, ["fold", *arguments])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    folded = load(output)
    assert told["cycles_per_image"] == image_cycles(folded) <= 20_000
    assert told["images_per_second"] >= 5000
    assert [layer["lanes_in"] for layer in told["layers"]] == [
        layer.folding.lanes_in for layer in folded.layers
    ]
    assert digest(folded) != digest(load(SHIPPED))
    ran = CliRunner().invoke(group, ["fold", str(SHIPPED), "--target-fps", "5000"])
    assert "total" in ran.stdout


def test_fewer_members_need_fewer_lanes(tmp_path: Path) -> None:
    output = tmp_path / "two.safetensors"
    rate = ["--target-fps", "20000"]
    told = [
        json.loads(CliRunner().invoke(group, ["fold", str(SHIPPED), *rate, *more, "--json"]).stdout)
        for more in ([], ["--members", "2", "-o", str(output)])
    ]
    assert [each["members"] for each in told] == [10, 2]
    assert told[1]["layers"][1]["lanes_in"] < told[0]["layers"][1]["lanes_in"]
    assert load(output).ensemble.members == 2
    assert image_cycles(load(output)) == told[1]["cycles_per_image"] <= 5000


SMALL = ["--part", "xc7z010clg400-1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target-fps", "0"], "--target-fps must be more than 0, not 0.0"),
        (["--target-fps", "1", "--clock", "0"], "--clock must be more than 0, not 0.0"),
        (
            ["--target-fps", "1", "--members", "0"],
            "--members must be an integer in 1..65535, not 0",
        ),
        (["--target-fps", "1", "--part", "xc7z"], "part must be one of "),
        (["--target-fps", "5000000"], "the rate must allow 80 cycles an image for hidden_0 "),
        (["--target-fps", "60000", *SMALL], "estimated LUT must be at most 17,600, not "),
    ],
)
def test_bad_options(options: list[str], message: str) -> None:
    ran = CliRunner().invoke(group, ["fold", str(SHIPPED), *options])
    assert isinstance(ran.exception, InputError)
    assert str(ran.exception).startswith(message)
    if "rate" in message or "LUT" in message:
        assert re.search(r"; [\d,]+ images a second fit$", str(ran.exception))
