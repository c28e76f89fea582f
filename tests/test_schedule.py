"""The cycle model against simulation: exact, cycle by cycle."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from bbnn.description import Network
from bbnn.interface import pack_pixels
from bbnn.schedule import image_cycles, reading_cycles, stage_cycles
from hdl.data_path import DataPath
from networks import random_images, random_network
from simtools import run, writer
from systems import MAX, Block, build, drop
from test_data_path import code_writers, seed_word

CASES: dict[str, dict[str, Any]] = {
    "first-crossbar": {"members": 4},
    "second-crossbar": {"lanes": ((12, 9), (1, 2), (7, 4)), "members": 4},
    "output-crossbar": {"lanes": ((12, 9), (9, 7), (1, 1)), "sizes": (12, 9, 11, 4), "members": 5},
    "neurons": {"lanes": ((12, 3), (27, 7), (7, 2)), "sizes": (12, 27, 7, 2), "members": 4},
    "noise": {"lanes": ((12, 9), (9, 7), (7, 4)), "row_bits": (64, 1, 1), "members": 4},
    "stratified-noise": {
        "lanes": ((12, 9), (9, 7), (7, 4)),
        "row_bits": (64, 1, 1),
        "members": 4,
        "stratified": True,
    },
    "image-load": {"sizes": (211, 9, 7, 4), "lanes": ((211, 9), (9, 7), (7, 4)), "members": 2},
    "vector-load": {
        "sizes": (8, 31, 5, 3),
        "lanes": ((8, 31), (31, 5), (5, 3)),
        "members": 6,
        "lfsr_width": 64,
        "probability_bits": (0, 0, 1),
    },
    "front-layer": {"probability_bits": (0, 0, 1), "members": 3},
    "ensemble": {"sizes": (8, 4, 12), "lanes": ((8, 4), (4, 12)), "probability_bits": (0, 0)},
}


FRONT = Block(columns=4, kernel=2, bits=0, lanes_in=9, lanes_out=4)
OUTPUT = Block(columns=3, neuron="logits", bits=0, lanes_in=99, lanes_out=3)
MAPS: dict[str, tuple[tuple[Block, ...], dict[str, Any]]] = {
    "conv_1 windows": (
        (FRONT, Block(columns=2, kernel=3, padding=1, lanes_in=2, lanes_out=2)),
        {"input_shape": (5, 5, 1), "members": 4},
    ),
    "conv_2 windows": (
        (
            FRONT,
            Block(columns=2, kernel=3, padding=1, lanes_in=4, lanes_out=2, pool=MAX),
            Block(columns=2, kernel=3, padding=2, lanes_in=1, lanes_out=2),
        ),
        {"input_shape": (5, 5, 1), "members": 4},
    ),
    "conv_2 load": (
        (
            FRONT,
            Block(columns=6, kernel=1, lanes_in=4, lanes_out=6),
            Block(columns=2, kernel=3, stride=3, padding=1, lanes_in=4, lanes_out=2),
        ),
        {"input_shape": (6, 6, 1), "members": 4},
    ),
    "conv_0 load": (
        (Block(columns=4, kernel=3, stride=3, padding=1, bits=0, lanes_in=3, lanes_out=4),),
        {"input_shape": (7, 7, 3), "members": 2},
    ),
    "conv_1 noise": (
        (FRONT, Block(columns=2, kernel=3, bits=2, row_bits=32, lanes_in=1, lanes_out=2)),
        {"input_shape": (4, 4, 1)},
    ),
    "dense_1 noise": (
        (FRONT, Block(columns=2, bits=0, dropout=drop(1, 7), lanes_in=3)),
        {"input_shape": (3, 3, 1)},
    ),
    "scale dropout": (
        (
            Block(columns=4, bits=0, lanes_in=4, lanes_out=4),
            *[Block(columns=4, neuron="scaled", bits=0, lanes_in=4, lanes_out=4)] * 5,
        ),
        {"input_shape": (1, 4, 1), "members": 12},
    ),
    "dense_1 crossbar": (
        (FRONT, Block(columns=16, sampled=(5, 20), reuse=True, lanes_in=2, lanes_out=4)),
        {"input_shape": (5, 5, 1), "members": 4},
    ),
    "dense_0 crossbar of spikes": (
        (
            Block(columns=8, neuron="spiking", sampled=(0, 1, 2), reuse=True, lanes_in=2),
            Block(columns=4, neuron="spiking", bits=0, lanes_in=9, lanes_out=9),
        ),
        {"input_shape": (1, 12, 1), "members": 3, "steps": 2},
    ),
    "dense_2 load": (
        (
            Block(columns=4, lanes_in=9, lanes_out=4),
            Block(columns=24, lanes_in=4, lanes_out=24),
            Block(columns=2, sampled=(2, 9, 17), lanes_in=5, lanes_out=2),
        ),
        {"input_shape": (1, 8, 1), "members": 5},
    ),
    "dense_0 load": (
        (Block(columns=2, sampled=(2, 9, 50), reuse=True, lanes_in=30, lanes_out=2),),
        {"input_shape": (1, 61, 1), "members": 2},
    ),
    "conv_1 crossbar of spikes": (
        (
            Block(columns=4, neuron="spiking", kernel=2, lanes_in=1, lanes_out=4),
            Block(columns=4, neuron="spiking", kernel=3, padding=1, lanes_in=2, lanes_out=1),
        ),
        {"input_shape": (4, 4, 1), "members": 2, "steps": 2, "encoding": "rate"},
    ),
    "conv_0 windows of spikes": (
        (Block(columns=2, neuron="spiking", kernel=3, padding=1, lanes_in=1, lanes_out=2),),
        {"input_shape": (4, 4, 2), "members": 2, "steps": 2, "encoding": "rate"},
    ),
}


HELD = Block(columns=8, lanes_in=8, lanes_out=4, held=3)
FIRST = Block(columns=8, lanes_in=8, lanes_out=8)
CODES: dict[str, tuple[tuple[Block, ...], dict[str, Any]]] = {
    "conv_1 windows": (
        (FRONT, Block(columns=4, kernel=3, padding=1, lanes_in=2, lanes_out=2, held=1)),
        {"input_shape": (4, 4, 1)},
    ),
    "dense_1 codes": (
        (FIRST, replace(HELD, columns=9, bits=0, lanes_in=3, lanes_out=3, held=1)),
        {"input_shape": (1, 8, 1)},
    ),
    "dense_1 codes of all members": (
        (FIRST, replace(HELD, columns=12, bits=0, lanes_in=3, lanes_out=3)),
        {"input_shape": (1, 8, 1)},
    ),
    "dense_1 noise": (
        (FIRST, replace(HELD, lanes_out=1, lanes_in=8, row_bits=16)),
        {"input_shape": (1, 8, 1)},
    ),
    "dense_1 crossbar": (
        (FIRST, replace(HELD, columns=24, lanes_in=1, lanes_out=12, bits=0)),
        {"input_shape": (1, 8, 1)},
    ),
}


@pytest.mark.parametrize("case", CODES)
def test_streamed_codes_take_what_is_predicted(case: str) -> None:
    blocks, options = CODES[case]
    network = build(3, (*blocks, OUTPUT), **options)
    stages = stage_cycles(network, network.ensemble.members)
    assert max(stages, key=stages.__getitem__) == " ".join(case.split()[:2]), stages
    compare(network, 6)


@pytest.mark.parametrize("case", MAPS)
def test_maps_come_as_often_as_predicted(case: str) -> None:
    blocks, options = MAPS[case]
    network = build(**{"seed": 1, "blocks": (*blocks, OUTPUT), **options})
    stages = stage_cycles(network, network.ensemble.members)
    assert max(stages, key=stages.__getitem__) == " ".join(case.split()[:2]), stages
    compare(network, 5)


BURSTS = {
    "crossbar": (Block(columns=3, bits=0, lanes_in=2, lanes_out=1),),
    "far-crossbar": (
        Block(columns=9, lanes_in=8, lanes_out=9, bits=0),
        Block(columns=3, bits=0, lanes_in=1, lanes_out=1),
    ),
    "load": (Block(columns=3, sampled=(1, 5, 14), lanes_in=4, lanes_out=3),),
}


@pytest.mark.parametrize("case", BURSTS)
def test_a_burst_that_is_held_up_takes_at_most_what_is_predicted(case: str) -> None:
    blocks = (
        FRONT,
        Block(columns=16, sampled=(5, 20), reuse=True, lanes_in=2, lanes_out=4),
        *BURSTS[case],
        OUTPUT,
    )
    network = build(1, blocks, input_shape=(5, 5, 1), members=5)
    stages = stage_cycles(network, 5)
    assert max(stages, key=stages.__getitem__) == "dense_1 crossbar"
    # More than as if nothing held it up.
    gaps = measured(network, 5)[-3:]
    assert len(set(gaps)) == 1
    assert reading_cycles(network.layers[1], 5) < gaps[0] <= image_cycles(network)


@pytest.mark.parametrize("case", CASES)
def test_images_come_as_often_as_predicted(case: str) -> None:
    compare(random_network(4, **CASES[case]))


def compare(network: Network, count: int = 8) -> None:
    """Require that the cycles between the last of some images are as predicted."""
    gaps = measured(network, count)
    # The first images fill the pipeline; from then on every gap is the same.
    stages = stage_cycles(network, network.ensemble.members)
    slowest = sorted(stages.items(), key=lambda stage: -stage[1])[:3]
    assert gaps[-3:] == [image_cycles(network)] * 3, (gaps, slowest)


def measured(network: Network, count: int) -> list[int]:
    """Simulate images at full rate; return the cycles from one to the next."""
    members = network.ensemble.members
    images = random_images(network, count)
    dut = DataPath(network)
    ends = []

    async def settings(ctx: Any) -> None:
        ctx.set(dut.members, members)
        ctx.set(dut.seeds, seed_word(network))

    async def watch(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        cycle = 0
        while len(ends) < count:
            _, _, valid, last = await ctx.tick().sample(dut.o.valid, dut.o.p.last)
            cycle += 1
            if valid and last:
                ends.append(cycle)

    pixels = writer(dut.i, pack_pixels(images).ravel().tolist(), 0)
    run(dut, settings, watch, pixels, *code_writers(dut, count))
    return [after - before for before, after in pairwise(ends)]
