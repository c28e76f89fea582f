"""Row groups without a drive cost no cycle: results stay, cycles are as golden counts them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbnn.description import Network, Window, deterministic
from bbnn.errors import InputError
from bbnn.interface import pack_pixels
from bbnn.schedule import neurons, stage_cycles
from golden.network import logits, trace
from golden.noise import drops
from golden.reads import crossbar_cycles
from hdl.data_path import DataPath
from hdl.walk import RowWalk
from networks import random_images
from simtools import run, writer
from systems import CASES, Block, build, drop, skipping
from test_data_path import compare, seed_word

SKIPPING = [name for name in CASES if name.startswith("skipping")]


def test_what_skips_without_dropout() -> None:
    """In the deterministic pass signs are never 0, levels still are."""
    for name, skips in (("spatial", [True, False, False]), ("quantised", [True] * 4)):
        layers = deterministic(CASES[f"skipping-{name}"]()).layers
        assert [layer.folding.skip_zeros for layer in layers][: len(skips)] == skips


@pytest.mark.parametrize("name", SKIPPING)
def test_golden_gives_the_same(name: str) -> None:
    network = CASES[name]()
    images = random_images(network, 3)
    assert np.array_equal(logits(network, images), logits(skipping(network, False), images))


def plain_reads(network: Network, image: Any, member: int) -> list[int]:
    """Return the cycles of every crossbar in loops: vectors, planes and groups one by one."""
    members = network.ensemble.members
    outputs = trace(network, image[None], 0, member, members)
    inputs = [image.ravel(), *outputs[:-1]]
    result = []
    for index, layer in enumerate(network.layers):
        window, lanes = layer.window, layer.folding.lanes_in
        steps = network.steps
        dropped = np.zeros((members * steps, layer.maps), bool)
        if layer.dropout:
            dropped = drops(layer, network.lfsr_width, members * steps)
        cycles = 0
        for step in range(steps):
            vector = inputs[index].reshape(-1, layer.rows if not window else np.prod(window.shape))
            drives = vector[step % len(vector)]
            if index == 0 and network.encoding == "rate":
                drives = np.array([(step * p + 128) // 256 for p in drives.tolist()])
                now = [((step + 1) * p + 128) // 256 for p in inputs[0].tolist()]
                drives = np.array(now) - drives
            filling = member * steps + step if network.ensemble.resample == "step" else member
            for position in range(layer.positions):
                rows = []
                for row in range(layer.rows):
                    drive = int(drives[row]) if window is None else None
                    if window is not None:
                        c, ky, kx = np.unravel_index(row, (layer.maps, *[window.kernel] * 2))
                        oy, ox = divmod(position, window.out_width)
                        y = oy * window.stride + ky - window.padding
                        x = ox * window.stride + kx - window.padding
                        if 0 <= y < window.height and 0 <= x < window.width:
                            drive = int(drives[(y * window.width + x) * window.channels + c])
                    if drive is not None and layer.drive.kind == "sign":
                        drive = 1
                    rows.append((drive or 0, not dropped[filling][row // layer.taps]))
                cut = [rows[start : start + lanes] for start in range(0, layer.rows, lanes)]
                read = 0
                for plane in range(layer.drive.bits):
                    live = [
                        any(d >> plane & 1 for d, _ in group) and any(kept for _, kept in group)
                        for group in cut
                    ]
                    read += max(1, sum(live)) if layer.folding.skip_zeros else len(cut)
                for start in range(0, layer.columns, layer.folding.lanes_out):
                    columns = min(layer.columns - start, layer.folding.lanes_out)
                    cycles += max(read, -(-columns // neurons(layer)))
        result.append(cycles)
    return result


@pytest.mark.parametrize("name", ["skipping-dense", "skipping-dropout-step", "skipping-spatial"])
def test_cycles_against_loops(name: str) -> None:
    network = CASES[name]()
    images = random_images(network, 2)
    found = crossbar_cycles(network, images)
    first = network.first_ensembling
    for image, member in np.ndindex(found.shape[:2]):
        wanted = plain_reads(network, images[image], member)
        from_layer = first if member else 0
        assert found[image, member, from_layer:].tolist() == wanted[from_layer:]


@pytest.mark.parametrize("name", ["spatial", "quantised", "spiking-rate", "mixed"])
def test_without_skipping_cycles_are_the_schedule(name: str) -> None:
    network = CASES[name]()
    most = stage_cycles(network, 3)
    found = crossbar_cycles(network, random_images(network, 2), 3).sum(axis=1)
    assert found.tolist() == [[most[f"{each.name} crossbar"] for each in network.layers]] * 2
    skipped = crossbar_cycles(skipping(network), random_images(network, 2), 3).sum(axis=1)
    zeros = [each.folding.skip_zeros for each in skipping(network).layers]
    assert ((skipped <= found) | ~np.array(zeros)).all()
    assert (skipped < found)[:, zeros].any()


def test_a_window_of_signs_meets_the_map() -> None:
    """Every position's does, or padding could be skipped, too."""
    for size, kernel, stride, padding in np.ndindex(8, 6, 6, 6):
        if 1 <= stride <= kernel and padding < kernel <= size + 2 * padding and size:
            shape = {"height": size, "width": 9, "channels": 1, "kernel": kernel}
            window = Window(**shape, stride=stride, padding=padding)
            last = (window.out_height - 1) * stride
            assert -padding + kernel > 0
            assert last - padding < size


@pytest.mark.parametrize("name", ["conv", "dense-threshold"])
def test_signs_that_are_never_0_are_refused(name: str) -> None:
    network = CASES[name]()
    layer = network.layers[1]
    folding = replace(layer.folding, skip_zeros=True)
    wanted = "must be false where no row group can be without drive, not True$"
    with pytest.raises(InputError, match=rf"^folding.skip_zeros \({layer.name}\) {wanted}"):
        replace(layer, folding=folding)
    with pytest.raises(InputError, match=r"folding.skip_zeros \(\w+\) must be true or false"):
        replace(layer, folding=replace(folding, skip_zeros=1))  # type: ignore[arg-type]


@given(st.data())
def test_walk(data: st.DataObject) -> None:
    """Live groups in order, one where there is none, over and over."""
    groups = data.draw(st.integers(1, 9))
    walks = data.draw(st.lists(st.integers(0, 2**groups - 1), min_size=1, max_size=5))
    dut = RowWalk(groups, skips=True)

    async def walk(ctx: Any) -> None:
        for live in walks:
            ctx.set(dut.live, live)
            wanted = [n for n in range(groups) if live >> n & 1] or [0]
            for n in wanted:
                ctx.set(dut.go, 0)
                await ctx.tick().repeat(1 + n % 2)
                said = ctx.get(dut.row_group), ctx.get(dut.first), ctx.get(dut.last)
                assert said == (n, n == wanted[0], n == wanted[-1])
                ctx.set(dut.go, 1)
                await ctx.tick()

    run(dut, walk)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in SKIPPING]


@pytest.mark.parametrize("name", ["skipping-dense", *SLOW])
def test_black_images(name: str) -> None:
    """Vectors without any drive, between others."""
    network = CASES[name]()
    compare(network, 2, True, images=dark(network, 4))


def dark(network: Network, count: int) -> Any:
    """Return images of which every second is black, and the others mostly."""
    images = random_images(network, count)
    images[::2] = 0
    images[1::2] *= np.random.default_rng(4).random(images[1::2].shape) < 0.3
    return images


READ = {
    "first layer of spikes": (
        (Block(columns=24, neuron="spiking", lanes_in=2, lanes_out=1),),
        {"input_shape": (1, 24, 1), "encoding": "rate", "steps": 3},
    ),
    "hidden layer of spikes": (
        (
            Block(columns=12, neuron="spiking", lanes_in=24, lanes_out=12),
            Block(columns=30, neuron="spiking", lanes_in=2, lanes_out=1),
        ),
        {"input_shape": (1, 24, 1), "steps": 2},
    ),
    "planes of pixels": (
        (Block(columns=20, bits=0, lanes_in=4, lanes_out=2),),
        {"input_shape": (1, 24, 1)},
    ),
    "windows of levels": (
        (
            Block(columns=4, neuron="quantised", kernel=2, lanes_in=9, lanes_out=4),
            Block(columns=12, neuron="quantised", kernel=2, lanes_in=1, lanes_out=1),
        ),
        {"input_shape": (4, 4, 1)},
    ),
    "padding and dropped maps": (
        (
            Block(columns=4, kernel=2, lanes_in=9, lanes_out=4, bits=0),
            Block(columns=12, kernel=3, padding=1, lanes_in=1, lanes_out=1, dropout=drop(1, 1)),
        ),
        {"input_shape": (4, 4, 1)},
    ),
}


LONG = ("first layer of spikes", "padding and dropped maps")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case in LONG)) for case in READ]
)
def test_images_come_as_often_as_golden_counts(case: str) -> None:
    """Where a skipping crossbar is the slowest stage, an image takes its cycles, exactly.

    Dropped maps are the same ones for every image.
    """
    blocks, options = READ[case]
    output = Block(columns=3, neuron="logits", bits=0, lanes_in=99, lanes_out=3)
    network = build(3, (*blocks, output), **options)
    slowest = len(blocks) - 1
    layers = list(network.layers)
    folding = replace(layers[slowest].folding, skip_zeros=True)
    layers[slowest] = replace(layers[slowest], folding=folding)
    network = replace(network, layers=tuple(layers))
    images = random_images(network, 7)
    images[random_images(network, 7, seed=8) < 128] //= 64
    members = network.ensemble.members
    cycles = crossbar_cycles(network, images).sum(axis=1)[:, slowest]
    stages = stage_cycles(network, members)
    most = stages.pop(f"{layers[slowest].name} crossbar")
    assert max(stages.values()) < cycles.min() < 0.9 * most
    assert cycles.max() <= most
    assert gaps(network, images)[3:] == cycles[4:].tolist()


def gaps(network: Network, images: Any) -> list[int]:
    """Simulate the images at full rate; return the cycles between the ends of their packets."""
    dut = DataPath(network)
    ends: list[int] = []

    async def settings(ctx: Any) -> None:
        ctx.set(dut.members, network.ensemble.members)
        ctx.set(dut.seeds, seed_word(network))

    async def watch(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        cycle = 0
        while len(ends) < len(images):
            _, _, valid, last = await ctx.tick().sample(dut.o.valid, dut.o.p.last)
            cycle += 1
            if valid and last:
                ends.append(cycle)

    run(dut, settings, watch, writer(dut.i, pack_pixels(images).ravel().tolist(), 0))
    return [after - before for before, after in pairwise(ends)]
