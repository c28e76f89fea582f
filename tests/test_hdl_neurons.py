"""Columns, thresholds and logits against NumPy, and a whole layer against golden."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bbnn.description import Layer, Logits, Network, Threshold, Window
from bbnn.schedule import crossbar_cycles, load_cycles, neurons
from blocks import Recording, dense, groups, logits_of, packed, play
from golden.network import crossbar, neuron
from golden.noise import member_weights
from hdl.codes import code_beats
from hdl.columns import Columns
from hdl.layer import LayerCore
from hdl.neuron import LogitNeuron, ThresholdNeurons, logit_width
from networks import random_network
from simtools import Testbench, pace, reader, run, writer
from timing import moved


def columns(layer: Layer, stall: int = 3) -> Recording:
    """Send twelve vectors' sums, the extremes among them."""
    dut = Columns(layer)
    rng = np.random.default_rng(21)
    together = neurons(layer)
    sums, chunks = [], []
    for number in range(12):
        counted = layer.drive.kind == "unsigned" or layer.masked
        driven = layer.rows
        if counted:
            driven = (0, layer.reach, layer.reach // 2, layer.reach // 3)[number % 4]
        choice = [0, driven, rng.integers(0, driven + 1)]
        agreeing = rng.choice(choice, layer.column_groups * layer.folding.lanes_out)
        for group in groups(agreeing, layer.folding.lanes_out, 0):
            extra = {"driven": driven} if counted else {}
            sums.append({"agreeing": group, **extra})
        # Chunks end with the vector: of a last group that is not full, the rest never leaves.
        kept = -(-layer.columns // together) * together
        for index, y in enumerate(groups(2 * agreeing[:kept] - driven, together, 0)):
            chunks.append({"y": y, "chunk": index})
    return play(
        dut,
        writer(dut.i, sums, stall),
        reader(dut.o, chunks, stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


def convolution(layer: Layer, kernel: int, padding: int = 0) -> Layer:
    """Return `layer` as a convolution of maps of 4 x 5."""
    channels = layer.rows // kernel**2
    window = Window(height=4, width=5, channels=channels, kernel=kernel, padding=padding)
    return replace(layer, window=window)


COLUMNS = {
    "all-at-once": dense(4, 6, 4, 3),
    "one-by-one": dense(12, 9, 4, 3),
    "in-pairs": dense(8, 12, 3, 6),
    "short-last-group": dense(8, 13, 2, 4),
    "short-last-chunk": dense(8, 11, 4, 4, bits=1),
    "pixels": dense(5, 7, 5, 4, bits=8),
    "logits": dense(5, 7, 5, 7, neuron=logits_of([1] * 7, [0] * 7)),
    "one-column": dense(5, 1, 5, 1),
    "one-weight": dense(1, 1, 1, 1),
    "positions": convolution(dense(8, 6, 4, 3), 2),
    "masked": convolution(dense(18, 8, 9, 4), 3, padding=1),
}


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", COLUMNS)
def test_columns(case: str, stall: int) -> None:
    columns(COLUMNS[case], stall)


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_take_the_stated_cycles(case: str) -> None:
    layer = COLUMNS[case]
    dut = Columns(layer)
    taken, offered = [], []
    chunks = -(-layer.columns // neurons(layer))
    per_group = layer.folding.lanes_out // neurons(layer)

    async def watch(ctx: Any) -> None:
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for cycle in range(2 * chunks + 1):
            if ctx.get(dut.i.ready):
                taken.append(cycle)
            if ctx.get(dut.o.valid):
                offered.append(cycle)
            await ctx.tick()

    run(dut, watch)
    assert offered == list(range(1, 2 * chunks + 1)), "a chunk in every cycle"
    starts = range(0, chunks, per_group)
    assert taken == [*starts, *(chunks + start for start in starts), 2 * chunks]


def threshold_neurons(layer: Layer, stall: int = 3) -> Recording:
    """Send sums just below and on the thresholds, and the extremes; change banks at random."""
    dut = ThresholdNeurons(layer)
    assert isinstance(layer.neuron, Threshold)
    rng = np.random.default_rng(24)
    banks = [layer.neuron.thresholds]
    if layer.neuron.dropped is not None:
        banks.append(layer.neuron.dropped)
    together = neurons(layer)
    chunks, bits, choices = [], [], []
    for offset in (0, -1, 1, -2 * layer.reach - 1, 2 * layer.reach) * 12:
        limits, compared = (banks[choice] for choice in rng.integers(0, len(banks), 2))
        y = np.clip(limits + offset, -layer.reach, layer.reach)
        of_vector = groups(y, together, -layer.reach)
        chunks += [{"y": part, "chunk": index} for index, part in enumerate(of_vector)]
        bits += [packed(part, 1) for part in groups(y >= compared, together, 1)]
        choices += [int(compared is not banks[0])] * len(of_vector)
    given = writer(dut.i, chunks, stall)
    if len(banks) == 2:
        given = changing_banks(dut, chunks, choices, stall)
    return play(dut, given, reader(dut.o, bits, stall), watched=[dut.o], must_stall=stall > 0)


def changing_banks(
    dut: ThresholdNeurons, chunks: list[Any], choices: list[int], stall: int
) -> Testbench:
    """Send chunks, each with its `dropped`, which is wrong while none is offered."""
    goes = pace(stall, 15)

    async def testbench(ctx: Any) -> None:
        for chunk, choice in zip(chunks, choices, strict=True):
            ctx.set(dut.dropped, 1 - choice)
            while not goes():
                await ctx.tick()
            ctx.set(dut.dropped, choice)
            ctx.set(dut.i.payload, chunk)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    return testbench


def with_limits(layer: Layer) -> Layer:
    """Give the first and last columns the extreme thresholds: always firing, never firing."""
    assert isinstance(layer.neuron, Threshold)
    layer.neuron.thresholds[0] = -layer.reach
    layer.neuron.thresholds[-1] = layer.reach + 1
    return layer


def two_banks(layer: Layer) -> Layer:
    """Give every column a second threshold, the extremes the other way round."""
    assert isinstance(layer.neuron, Threshold)
    dropped = layer.neuron.thresholds[::-1] // 2
    dropped[[0, -1]] = layer.reach + 1, -layer.reach
    return replace(layer, neuron=replace(layer.neuron, dropped=dropped))


THRESHOLDS = {
    "one-by-one": with_limits(dense(12, 9, 4, 3)),
    "in-pairs": with_limits(dense(8, 12, 3, 6)),
    "short-last-chunk": with_limits(dense(8, 11, 4, 4, bits=1)),
    "pixels": with_limits(dense(5, 7, 5, 4, bits=8)),
    "reach-fills-its-bits": with_limits(dense(7, 3, 7, 3)),
    "one-chunk": with_limits(dense(3, 5, 3, 5)),
    "one-never-fires": with_limits(dense(1, 1, 1, 1)),
    "two-banks": two_banks(with_limits(dense(8, 11, 4, 4, bits=1))),
    "two-banks-at-once": two_banks(with_limits(dense(3, 5, 3, 5))),
    "two-banks-of-maps": two_banks(with_limits(convolution(dense(18, 6, 9, 3), 3, padding=1))),
}


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", THRESHOLDS)
def test_threshold_neurons(case: str, stall: int) -> None:
    threshold_neurons(THRESHOLDS[case], stall)


def logit_neuron(layer: Layer, stall: int = 3, steps: int = 1) -> Recording:
    """Send the extreme sums and some between them."""
    dut = LogitNeuron(layer, steps=steps)
    assert isinstance(layer.neuron, Logits)
    rng = np.random.default_rng(22)
    shape = (3 + (30 if steps == 1 else 8) * bool(stall), steps, layer.columns)
    extremes = [np.full(shape[1:], sign * layer.reach) for sign in (-1, 1)]
    members = np.array([*extremes, *rng.integers(-layer.reach, layer.reach + 1, shape)])
    scale, offset = (part.astype(np.int64) for part in (layer.neuron.scale, layer.neuron.offset))
    chunks = [
        {"y": [y], "chunk": index}
        for sums in members.reshape(-1, layer.columns).tolist()
        for index, y in enumerate(sums)
    ]
    return play(
        dut,
        writer(dut.i, chunks, stall),
        reader(dut.o, (scale * members.sum(axis=1) + offset).ravel().tolist(), stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


LOGITS = {
    "ordinary": logits_of([3, 200, 55], [-1000, 5, 999]),
    "largest-scale": logits_of([65535, 65535], [0, -1]),
    "scale-zero": logits_of([0, 0, 0], [-7, 0, 7]),
    "one-scale-zero": logits_of([0, 1], [3, -3]),
    "offsets-reach-far": logits_of([1, 65535], [-(2**31), 2**31 - 1]),
    "all-positive": logits_of([9, 8], [2**31 - 1, 1]),
    "all-negative": logits_of([9, 8], [-(2**31), -1]),
    "all-zero": logits_of([0], [0]),
    "one-column": logits_of([77], [-5]),
    "powers-of-two": logits_of([32768, 1, 2], [-32768, 32767, -1]),
}


@pytest.mark.parametrize("rows", [1, 8, 300])
@pytest.mark.parametrize("case", LOGITS)
def test_logit_neuron(case: str, rows: int) -> None:
    output = LOGITS[case]
    layer = dense(rows, len(output.scale), 1, 1, neuron=output)
    logit_neuron(layer, stall=4 if rows == 8 else 0)


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("steps", [2, 17])
@pytest.mark.parametrize("case", ["ordinary", "largest-scale", "one-column"])
def test_logits_of_steps(case: str, steps: int, stall: int) -> None:
    output = LOGITS[case]
    layer = dense(5, len(output.scale), 1, 1, neuron=output)
    logit_neuron(layer, stall, steps)


@pytest.mark.parametrize(
    ("scale", "offset", "width"),
    [(1, 0, 4), (1, 1, 5), (0, 7, 4), (0, -8, 5), (0, 0, 2), (65535, -(2**31), 33)],
)
def test_logit_width(scale: int, offset: int, width: int) -> None:
    """With rows = 7, the largest absolute logit is ``7 * scale + |offset|``."""
    layer = dense(7, 1, 1, 1, neuron=logits_of([scale], [offset]))
    assert logit_width(layer) == width


def test_logit_width_of_steps() -> None:
    """With rows = 7, five steps reach ``35 * scale + |offset|``."""
    layer = dense(7, 1, 1, 1, neuron=logits_of([3], [-23]))
    assert logit_width(layer, steps=5) == 9


@pytest.mark.parametrize("steps", [1, 3])
def test_logits_take_the_stated_cycles(steps: int) -> None:
    layer = dense(4, 3, 4, 3, neuron=LOGITS["ordinary"])
    recording = logit_neuron(layer, stall=0, steps=steps)
    taken = moved(recording, "i")
    assert taken == list(range(len(taken)))
    last_steps = [cycle for cycle in taken if cycle // 3 % steps == steps - 1]
    latency = 3 if steps == 1 else 5
    assert isinstance(recording.block, LogitNeuron)
    assert recording.block.latency == latency
    assert moved(recording, "o") == [cycle + latency for cycle in last_steps]


def test_thresholds_take_the_stated_cycles() -> None:
    recording = threshold_neurons(dense(4, 9, 4, 3), stall=0)
    taken = moved(recording, "i")
    assert taken == list(range(len(taken)))
    assert moved(recording, "o") == [cycle + ThresholdNeurons.latency for cycle in taken]


def layer(network: Network, index: int, chunk: int, stall: int = 3) -> Recording:
    """Run three vectors through a layer as often as its place in the network asks for."""
    described = network.layers[index]
    dut = LayerCore(described, network.ensemble, lfsr_width=network.lfsr_width, chunk=chunk)
    rng = np.random.default_rng(23)
    members = network.ensemble.members
    passes = members if index == network.first_ensembling else 1
    runs = members if index >= network.first_ensembling else 1
    unsigned = described.drive.kind == "unsigned"
    vectors = rng.integers(0, 2**described.drive.bits, (3 * runs // passes, described.rows))
    chunks = [
        packed(part, described.drive.bits)
        for vector in vectors
        for part in groups(vector, chunk, 1)
    ]
    streams = member_weights(network, index, 1, members)
    matrices = [next(streams) for _ in range(runs)]
    if network.ensemble.reseed == "never":
        matrices = list(member_weights(network, index, 3, members))
    outputs: list[int] = []
    for number, drives in enumerate(vectors.repeat(passes, axis=0)):
        drives = (drives if unsigned else drives * 2 - 1).astype(np.float32)
        sums = crossbar(described, drives[None], matrices[number % len(matrices)])
        result = neuron(described, sums)[0].astype(int)
        if isinstance(described.neuron, Logits):
            outputs += result.tolist()
        else:
            outputs += [packed(part, 1) for part in groups(result > 0, neurons(described), 1)]

    async def settings(ctx: Any) -> None:
        ctx.set(dut.passes, passes)
        if described.noise or dut.holds:
            ctx.set(dut.members, members)
        if described.noise:
            ctx.set(dut.seed, described.noise.seed)

    codes = []
    if described.streamed:
        times = 3 * (1 if dut.holds else runs)
        codes = [writer(dut.codes, code_beats(described) * times, stall)]
    return play(
        dut,
        settings,
        *codes,
        writer(dut.i, chunks, stall),
        reader(dut.o, outputs, stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


LAYERS: dict[str, tuple[Network, int, int]] = {
    "pixels": (random_network(1), 0, 4),
    "hidden": (random_network(2), 1, 3),
    "output": (random_network(3), 2, 1),
    "once-per-image": (random_network(4, probability_bits=(0, 1, 1)), 0, 4),
    "first-of-ensemble": (random_network(5, probability_bits=(0, 2, 1)), 1, 2),
    "runs-on": (random_network(6, reseed="never"), 1, 3),
    "stratified": (
        random_network(7, probability_bits=(1, 2, 1), stratified=True, members=5), 1, 3
    ),
}  # fmt: skip


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", LAYERS)
def test_layer(case: str, stall: int) -> None:
    layer(*LAYERS[case], stall)


def test_an_idle_layer_has_the_stated_latency() -> None:
    network = random_network(1, probability_bits=(0, 0, 0))
    described = network.layers[1]
    dut = LayerCore(described, network.ensemble, lfsr_width=32, chunk=3)
    cycles = 0

    async def watch(ctx: Any) -> None:
        nonlocal cycles
        ctx.set(dut.passes, 1)
        ctx.set(dut.i.valid, 1)
        while not ctx.get(dut.o.valid):
            await ctx.tick()
            cycles += 1

    run(dut, watch)
    assert cycles == load_cycles(described, 3) + crossbar_cycles(described) + 8


BLOCKS = {
    "masked_columns": (lambda: [columns(COLUMNS["masked"])], r"- held", "+ held"),
    "two_banks": (
        lambda: [threshold_neurons(THRESHOLDS["two-banks"])],
        r"dropped \?",
        "~dropped ?",
    ),
    "step_logits": (
        lambda: [
            logit_neuron(dense(8, 3, 1, 1, neuron=LOGITS["ordinary"]), stall, steps=3)
            for stall in (3, 0)
        ],
        r"step == 2'h2",
        "step == 2'h1",
    ),
}
"""For the test of the generated Verilog: recordings, a pattern, and what breaks it."""
