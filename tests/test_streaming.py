"""Codes from memory: the model's bytes and bits by hand, its rate against buffers and a port."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bbnn.cli import stream
from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.model_file import load, save_network
from bbnn.schedule import neurons, stage_cycles
from bbnn.streaming import Choice, Plan, block_rams, choices, fetched_bytes, memories, plan
from networks import random_network
from training.untrained import vgg_binary_connect

NETWORK = random_network(
    3, sizes=(30, 40, 20, 4), probability_bits=(0, 1, 1), lanes=((5, 8), (8, 5), (4, 2)), members=6
)
LARGE = random_network(
    3,
    sizes=(300, 400, 200, 4),
    probability_bits=(0, 1, 1),
    lanes=((10, 8), (16, 8), (8, 2)),
    members=6,
)


def ways(index: int, members: int = 6) -> list[Choice]:
    return list(choices(NETWORK, index, members))


def shapes(network: Network, index: int, held: int) -> list[tuple[int, int]]:
    layers = list(network.layers)
    layers[index] = replace(layers[index], folding=replace(layers[index].folding, held=held))
    return memories(replace(network, layers=tuple(layers)), index, 6)


def test_bytes_and_memories() -> None:
    """Counted by hand: 6 x 5 words of 40 bits; 5 x 4 words of 80 bits."""
    resident, once = ways(0)
    assert (resident.held, resident.bytes_an_image) == (0, 0)
    inputs = 5, 2 * 64  # 8 planes of 6 words, twice
    assert shapes(NETWORK, 0, 0) == [(40, 30), inputs]
    # It runs once an image, so one image's vector is all that there is to hold.
    assert (once.held, once.bytes_an_image) == (1, 152)
    assert shapes(NETWORK, 0, 1) == [(40, 2 * 6), inputs]
    assert once.stages["codes"] == 30 * 40 // 8

    # The first ensembling layer: one vector for all members, whose outputs wait.
    resident, each, together = ways(1)
    assert [way.held for way in ways(1)] == [0, 1, 6]
    assert [way.bytes_an_image for way in ways(1)] == [0, 6 * 200, 200]
    inputs, noise = (8, 2 * 8), [(8, 2 * 8), (5, 2 * 4)]
    assert shapes(NETWORK, 1, 0) == [(80, 20), inputs, *noise]
    assert shapes(NETWORK, 1, 1) == [(80, 2 * 5), inputs, *noise]
    assert shapes(NETWORK, 1, 6) == [(80, 2 * 5), inputs, (1, 2 * 128), *noise]
    assert each.stages["crossbar"] == stage_cycles(NETWORK, 6)["hidden_1 crossbar"]
    # All members' noise is drawn anew for each of four column groups.
    assert together.stages["noise"] == 4 * each.stages["noise"]
    assert (each.stages["codes"], together.stages["codes"]) == (6 * 100, 100)
    # Logits leave from where they are. A last word may be shorter.
    assert [way.held for way in ways(2)] == [0]
    folded = random_network(3, sizes=(30, 20, 4), probability_bits=(1, 1), lanes=((5, 8), (8, 3)))
    assert shapes(folded, 1, 0)[2:] == [(8, 2 * 4), (3, 2 * 2)]


def test_inputs_of_all_members_wait_behind_the_first_ensembling_layer() -> None:
    network = random_network(3, sizes=(30, 40, 20, 4), lanes=((5, 8), (8, 5), (4, 2)), members=6)
    noise = [(8, 2 * 8), (5, 2 * 4)]
    assert shapes(network, 1, 1) == [(80, 2 * 5), (8, 2 * 8), *noise]
    assert shapes(network, 1, 6) == [(80, 2 * 5), (8, 2 * 32), (1, 2 * 128), *noise]


def test_a_map_has_lines_and_squares() -> None:
    """3 x 3 windows on 32 x 32 pixels with a border; 16 channels, 8 in a word; a pool of 2 x 2."""
    network = vgg_binary_connect(width=16, fully=64)
    layer = network.layers[1]
    bits = layer.drive.bits
    together = neurons(layer)
    square = bits * together, 16 * 16 // together
    assert memories(network, 1, 6)[2:6] == [*[(8 * bits, 2 * 32 * 2)] * 3, square]
    # Two maps of 36 lines, where all members read one, or each column group does.
    assert network.first_ensembling == 0
    assert memories(network, 0, 6)[2:5] == [(3 * 8, 24 * 32)] * 3
    assert shapes(network, 1, 1)[2:5] == [(8 * bits, 24 * 32 * 2)] * 3


@pytest.mark.parametrize(
    ("memory", "count"),
    [
        ((72, 512), 1),
        ((72, 64), 0),
        ((36, 65), 0.5),
        ((37, 65), 1),
        ((16, 3072), 1.5),
        ((64, 8192), 16),
        ((2304, 128), 32),
        ((2, 131072), 8),
    ],
)
def test_block_rams(memory: tuple[int, int], count: float) -> None:
    """Of the sizes that Yosys maps VGGBinaryConnect's memories to."""
    assert block_rams(memory) == count


def test_windows_are_gathered_for_each_column_group() -> None:
    network = vgg_binary_connect(width=16, fully=64)
    layer = network.layers[1]
    resident, streamed = choices(network, 1, 2)
    assert layer.column_groups == 1
    layer = replace(layer, folding=replace(layer.folding, lanes_out=4))
    network = replace(network, layers=(network.layers[0], layer, *network.layers[2:]))
    folded = list(choices(network, 1, 2))
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
    chosen = tuple(ways(index)[min(index, 1) + (index == 0)] for index in range(2))
    slowest = max(chosen, key=lambda way: way.cycles)
    found = Plan(
        network=NETWORK,
        choices=chosen,
        bytes_a_cycle=bytes_a_cycle,
        compute_cycles=slowest.cycles,
        slowest=slowest.layer,
    )
    layers = []
    for way, layer in zip(found.choices, NETWORK.layers, strict=False):
        count = layer.column_groups * (6 if layer.probability_bits else 1)
        layers.append((count, way.bytes_an_image / bytes_a_cycle / count, way.cycles / count))
    assert simulated(layers, 200) == pytest.approx(found.cycles, rel=0.03)
    assert found.decides == ("memory" if bytes_a_cycle < 8 else slowest.layer)


def test_memory_is_kept_to_and_well_spent() -> None:
    """More memory never fetches more; with enough, all layers are resident."""
    bytes_before = float("inf")
    for room in (0.5, 1, 8, 12.5):
        found = plan(LARGE, 6, room, 0.25)
        assert found is not None
        assert found.block_rams <= room
        assert found.bytes_an_image < bytes_before
        bytes_before = found.bytes_an_image
        held = [layer.folding.held for layer in found.network.layers]
        assert held == [way.held for way in found.choices]
        fetched = [fetched_bytes(found.network, index, 6) for index in range(3)]
        assert sum(fetched) == found.bytes_an_image
    assert bytes_before == 0
    assert [way.held for way in found.choices] == [0, 0, 0]
    assert found.compute_cycles == max(stage_cycles(LARGE, 6).values())
    assert plan(LARGE, 6, 0.4, 1) is None


def run(*arguments: object) -> Any:
    told = [str(argument) for argument in arguments]
    return CliRunner().invoke(stream.command, told, catch_exceptions=False)


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_network(LARGE, path)
    options = [path, "--memory", 0.05, "--bytes-a-cycle", 0.25, "--clock", 50]
    told = json.loads(run(*options, "--json").stdout)
    assert told["is"] == "projected by the cycle model"
    assert told["block_rams"] <= 0.05 * told["block_rams_of_the_part"] == 0.05 * 140
    assert told["fetch_cycles"] == told["bytes_an_image"] / 0.25
    assert told["images_a_second"] == pytest.approx(50e6 / told["fetch_cycles"], abs=0.01)
    output = tmp_path / "streamed.safetensors"
    said = run(*options, "-o", output).stdout
    again = [layer.folding.held for layer in load(output).layers]
    assert again == [way["held"] for way in told["layers"]]
    assert any(again)
    assert "memory decides; projected by the cycle model" in said
    assert "streamed for" in said
    for more, message in (
        (["--vgg"], r"^stream must be given MODEL or --vgg, not 'both'$"),
        (["--memory", 0], r"^--memory must be a share above 0, 1 at most, not 0\.0$"),
        (["--bytes-a-cycle", 9], r"^--bytes-a-cycle must be above 0, 8 at most, not 9\.0$"),
        (["--members", 0], r"^members must be an integer in 1\.\.\d+, not 0$"),
        (["--memory", 1e-5], r"^random_network must fit into 0\.0014 block RAMs of xc7z020clg"),
    ):
        with pytest.raises(InputError, match=message):
            run(path, *more)
    with pytest.raises(InputError, match=r"^stream must be given MODEL or --vgg, not None$"):
        run()


def test_full_vgg() -> None:
    """The rate that the documents state."""
    told = json.loads(run("--vgg", "--json").stdout)
    assert told["weight_bits"] == 2 * 14_022_016
    assert told["block_rams"] <= told["block_rams_of_the_part"] == 140
    text = (Path(__file__).parents[1] / "docs/streaming.md").read_text()
    for field in ("bytes_an_image", "fetch_cycles", "compute_cycles", "weight_bits"):
        assert f"{told[field]:,}" in text, field
    assert f"{told['images_a_second']:.1f} images a second" in text
    assert f"{told['block_rams']:g} of 140" in text
