"""Codes from memory: the model's bytes and bits by hand, its rate against buffers and a port."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bbnn.cli import stream
from bbnn.errors import InputError
from bbnn.model_file import save_network
from bbnn.schedule import stage_cycles
from bbnn.streaming import Choice, Plan, choices, plan
from networks import random_network
from training.untrained import vgg_binary_connect

NETWORK = random_network(
    3, sizes=(30, 40, 20, 4), probability_bits=(0, 1, 1), lanes=((5, 8), (8, 5), (4, 2)), members=6
)


def ways(index: int, members: int = 6, images: int = 1) -> list[Choice]:
    return list(choices(NETWORK, index, members, images))


def test_bytes_and_bits() -> None:
    """Counted by hand: 6 x 5 words of 40 bits; 5 x 4 words of 80 bits."""
    resident, once = ways(0)
    assert (resident.maps, resident.bytes_an_image) == (0, 0)
    assert resident.memory_bits == 30 * 40 + 2 * 30 * 8
    # It runs once an image, so one image's vector is all that there is to hold.
    assert (once.maps, once.bytes_an_image) == (1, 152)
    assert once.memory_bits == 2 * 6 * 40 + 2 * 30 * 8
    assert [way.bytes_an_image for way in ways(0, images=2)[1:]] == [152, 76]

    # T = 6: as often as 6 / m says, rounded up; over four images, six times 24 / 16 is not whole.
    assert [way.maps for way in ways(1)] == [0, 1, 2, 4]
    assert [way.bytes_an_image for way in ways(1)] == [0, 6 * 200, 3 * 200, 2 * 200]
    assert [way.bytes_an_image for way in ways(1, images=4)[-2:]] == [150, 100]
    noise = 2 * (40 + 20)
    assert ways(1)[0].memory_bits == 40 * 20 * 2 + 2 * 40 + noise
    assert ways(1)[3].memory_bits == 2 * 5 * 80 + 4 * (2 * 40 + noise)
    assert ways(1)[3].stages["crossbar"] == stage_cycles(NETWORK, 6)["hidden_1 crossbar"]


def test_windows_are_gathered_for_each_column_group() -> None:
    network = vgg_binary_connect(width=16, fully=64)
    layer = network.layers[1]
    resident, streamed, *_ = choices(network, 1, 2, 1)
    assert layer.column_groups == 1
    layer = replace(layer, folding=replace(layer.folding, lanes_out=4))
    network = replace(network, layers=(network.layers[0], layer, *network.layers[2:]))
    folded = list(choices(network, 1, 2, 1))
    assert resident.stages["windows"] == streamed.stages["windows"]
    assert folded[1].stages["windows"] == 4 * folded[0].stages["windows"]
    assert folded[1].stages["crossbar"] == folded[0].stages["crossbar"]


def simulated(layers: list[tuple[int, float, float]], images: int) -> float:
    """Return the time of an image where layers of two halves each share a port.

    layers : column groups an image, time to fetch one, and time to compute with it. The port
    serves who has waited longest.
    """
    port = 0.0
    ready = [[0.0] * (images * count) for count, _, _ in layers]
    done = [[0.0] * (images * count) for count, _, _ in layers]
    place = [0] * len(layers)
    while True:
        # A half is free once the column group but one before is done with.
        waiting = [
            (done[i][place[i] - 2] if place[i] >= 2 else 0.0, i)
            for i in range(len(layers))
            if place[i] < len(ready[i])
        ]
        if not waiting:
            return max(times[-1] for times in done) / images
        free, i = min(waiting)
        _, fetch, compute = layers[i]
        port = max(port, free) + fetch
        k = place[i]
        ready[i][k] = port
        done[i][k] = max(port, done[i][k - 1] if k else 0.0) + compute
        place[i] += 1


@pytest.mark.parametrize("bytes_a_cycle", [0.25, 1, 8])
def test_rate_is_that_of_two_halves_and_a_port(bytes_a_cycle: float) -> None:
    """Within three in a hundred, whether memory decides or a stage."""
    chosen = tuple(ways(index)[1 + (index == 1)] for index in range(3))
    slowest = max(chosen, key=lambda way: way.cycles)
    found = Plan(
        choices=chosen,
        bytes_a_cycle=bytes_a_cycle,
        compute_cycles=slowest.cycles,
        slowest=slowest.layer,
    )
    layers = []
    for way, layer in zip(found.choices, NETWORK.layers, strict=True):
        passes = 6 if layer.probability_bits else 1
        count = layer.column_groups * -(-passes // way.maps)
        layers.append((count, way.bytes_an_image / bytes_a_cycle / count, way.cycles / count))
    assert simulated(layers, 200) == pytest.approx(found.cycles, rel=0.03)
    assert found.decides == ("memory" if bytes_a_cycle < 8 else slowest.layer)


def test_memory_is_kept_to_and_well_spent() -> None:
    """More memory never fetches more; with enough, all layers are resident."""
    bytes_before = float("inf")
    for bits in (3000, 4000, 5000, 8000):
        found = plan(NETWORK, 6, 1, bits, 0.25)
        assert found is not None
        assert found.memory_bits <= bits
        assert found.bytes_an_image <= bytes_before
        bytes_before = found.bytes_an_image
    assert bytes_before == 0
    assert [way.maps for way in found.choices] == [0, 0, 0]
    assert found.compute_cycles == max(stage_cycles(NETWORK, 6).values())
    assert plan(NETWORK, 6, 1, 1000, 1) is None


def run(*arguments: object) -> Any:
    told = [str(argument) for argument in arguments]
    return CliRunner().invoke(stream.command, told, catch_exceptions=False)


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_network(NETWORK, path)
    options = [path, "--memory", 0.0007, "--bytes-a-cycle", 0.25, "--clock", 50]
    told = json.loads(run(*options, "--json").stdout)
    assert told["is"] == "projected by the cycle model"
    assert told["memory_bits"] <= 0.0007 * told["block_ram_bits"] == 0.0007 * 140 * 36 * 1024
    assert told["fetch_cycles"] == told["bytes_an_image"] / 0.25
    assert told["images_a_second"] == pytest.approx(50e6 / told["fetch_cycles"], abs=0.01)
    said = run(*options).stdout
    assert "memory decides; projected by the cycle model" in said
    assert "streamed, " in said
    for more, message in (
        (["--vgg"], r"^stream must be given MODEL or --vgg, not 'both'$"),
        (["--memory", 0], r"^--memory must be a share above 0, 1 at most, not 0\.0$"),
        (["--bytes-a-cycle", 9], r"^--bytes-a-cycle must be above 0, 8 at most, not 9\.0$"),
        (["--images", 0], r"^images must be an integer in 1\.\.65536, not 0$"),
        (["--memory", 1e-5], r"^random_network must fit into 51 bits of xc7z020clg400-1, strea"),
    ):
        with pytest.raises(InputError, match=message):
            run(path, *more)
    with pytest.raises(InputError, match=r"^stream must be given MODEL or --vgg, not None$"):
        run()


def test_full_vgg() -> None:
    """The rate that the documents state."""
    told = json.loads(run("--vgg", "--json").stdout)
    assert told["weight_bits"] == 2 * 14_022_016
    assert told["memory_bits"] < told["block_ram_bits"] < told["weight_bits"]
    text = (Path(__file__).parents[1] / "docs/streaming.md").read_text()
    for field in ("bytes_an_image", "fetch_cycles", "compute_cycles", "weight_bits"):
        assert f"{told[field]:,}" in text, field
    assert f"{told['images_a_second']:.1f} images a second" in text
