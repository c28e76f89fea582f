"""The cycle model against simulation: exact, cycle by cycle."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bbnn.interface import pack_pixels
from bbnn.schedule import image_cycles, stage_cycles
from hdl.core import DataPath
from networks import random_images, random_network
from simtools import run, writer

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


@pytest.mark.parametrize("case", CASES)
def test_images_come_as_often_as_predicted(case: str) -> None:
    network = random_network(4, **CASES[case])
    members = network.ensemble.members
    count = 8
    images = random_images(network, count)
    dut = DataPath(network)
    ends = []

    async def settings(ctx: Any) -> None:
        ctx.set(dut.members, members)
        seeds = [layer.noise.seed for layer in network.layers if layer.noise]
        ctx.set(dut.seeds, sum(seed << i * network.lfsr_width for i, seed in enumerate(seeds)))

    async def watch(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        cycle = 0
        while len(ends) < count:
            _, _, valid, last = await ctx.tick().sample(dut.o.valid, dut.o.p.last)
            cycle += 1
            if valid and last:
                ends.append(cycle)

    run(dut, settings, watch, writer(dut.i, pack_pixels(images).ravel().tolist(), 0))
    gaps = [after - before for before, after in pairwise(ends)]
    # The first images fill the pipeline; from then on every gap is the same.
    slowest = max(stage_cycles(network, members).items(), key=lambda stage: stage[1])
    assert gaps[-3:] == [image_cycles(network)] * 3, (gaps, slowest)
