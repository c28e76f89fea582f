"""Quantised neurons, by either method, against whole numbers without a limit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbnn.description import Layer, Quantised
from bbnn.schedule import neurons
from blocks import Recording, dense, groups, packed, play
from boards.synthesis import synthesize
from hdl.quantised import Method, QuantisedNeurons, estimated_luts, levels
from hdl.verilog import verilog_of
from simtools import reader, writer
from timing import moved

METHODS: list[Method] = ["search", "product"]


def quantised(
    scale: Iterable[int], offset: Iterable[int], *, shift: int, bits: int
) -> dict[str, Any]:
    """Return what turns `dense` into a layer of quantised neurons, a column for each scale."""
    scale, offset = np.array(scale), np.array(offset)
    neuron = Quantised(scale=scale, offset=offset, shift=shift, bits=bits)
    return {"columns": len(scale), "neuron": neuron}


def ordinary(columns: int, *, reach: int, bits: int, seed: int = 5) -> dict[str, Any]:
    """Return neurons that take their whole range of values within the reach of the sums."""
    rng = np.random.default_rng(seed)
    shift = 9
    scale = rng.integers(1, 2 ** (shift + bits) // reach + 2, columns)
    offset = rng.integers(-(2 ** (shift + bits - 1)), 2 ** (shift + bits), columns)
    return quantised(scale, offset, shift=shift, bits=bits)


def results(neuron: Quantised, y: np.ndarray[Any, Any]) -> list[int]:
    """Return the outputs for one sum per column."""
    columns = zip(neuron.scale.tolist(), neuron.offset.tolist(), y.tolist(), strict=True)
    return [min(max(s * v + o >> neuron.shift, 0), 2**neuron.bits - 1) for s, o, v in columns]


def quantised_neurons(layer: Layer, method: Method | None = None, stall: int = 3) -> Recording:
    """Send every sum, or those around each level where these are too many."""
    dut = QuantisedNeurons(layer, method=method)
    neuron, reach = layer.neuron, layer.reach
    assert isinstance(neuron, Quantised)
    sums = list(np.arange(-reach, reach + 1)[:, None].repeat(layer.columns, axis=1))
    if reach > 50:
        on = levels(neuron, reach).T
        sums = [*sums[:2], *sums[-2:], *(level + step for level in on[:15] for step in (0, -1, 1))]
    vectors = [np.clip(y, -reach, reach) for y in sums] * (10 if len(sums) < 10 else 1)
    together = neurons(layer)
    chunks = [
        {"y": part, "chunk": index}
        for y in vectors
        for index, part in enumerate(groups(y, together, -reach))
    ]
    expected = [
        packed(part, neuron.bits)
        for y in vectors
        for part in groups(np.array(results(neuron, y)), together, 0)
    ]
    return play(
        dut,
        writer(dut.i, chunks, stall),
        reader(dut.o, expected, stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


def layer(rows: int, lanes_in: int, lanes_out: int, part: dict[str, Any], bits: int = 0) -> Layer:
    """Return a layer of quantised neurons; `bits` of an unsigned drive, or 0."""
    return dense(rows, part["columns"], lanes_in, lanes_out, bits=bits, neuron=part["neuron"])


LAYERS = {
    "one-bit": layer(8, 3, 6, ordinary(12, reach=8, bits=1)),
    "two-bits": layer(8, 4, 3, ordinary(9, reach=8, bits=2)),
    "short-last-chunk": layer(8, 4, 4, ordinary(11, reach=8, bits=3)),
    "at-once": layer(9, 9, 5, ordinary(5, reach=9, bits=4)),
    "eight-bits": layer(5, 5, 2, ordinary(3, reach=75, bits=8), bits=4),
    "pixels": layer(6, 6, 3, ordinary(6, reach=6 * 255, bits=4), bits=8),
    "scale-zero": layer(
        4, 4, 2, quantised([0, 0, 0, 0, 9], [-1, 0, 511, 99999, 77], shift=7, bits=2)
    ),
    "equal-constants": layer(4, 4, 2, quantised([3] * 4, [5] * 4, shift=1, bits=3)),
    "no-shift": layer(4, 4, 2, quantised([1, 65535, 2, 1], [0, 3, -4, 9], shift=0, bits=3)),
    "largest-shift": layer(
        4, 4, 2, quantised([65535, 0, 1], [2**31 - 1, 2**31 - 1, -(2**31)], shift=31, bits=8)
    ),
    "offsets-reach-far": layer(
        4, 4, 2, quantised([65535, 65535, 7], [-(2**31), 2**31 - 1, 0], shift=15, bits=8)
    ),
    "one-neuron": layer(1, 1, 1, quantised([1], [0], shift=0, bits=1)),
}


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", LAYERS)
def test_quantised(case: str, method: Method, stall: int) -> None:
    quantised_neurons(LAYERS[case], method, stall)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", ["one-bit", "short-last-chunk", "eight-bits"])
def test_quantised_take_the_stated_cycles(case: str, method: Method) -> None:
    described = LAYERS[case]
    assert isinstance(described.neuron, Quantised)
    recording = quantised_neurons(described, method, stall=0)
    latency = described.neuron.bits + 1 if method == "search" else 4
    assert isinstance(recording.block, QuantisedNeurons)
    assert recording.block.latency == latency
    taken = moved(recording, "i")
    assert taken == list(range(len(taken)))
    assert moved(recording, "o") == [cycle + latency for cycle in taken]


@pytest.mark.parametrize("case", LAYERS)
def test_levels_are_the_least_sums(case: str) -> None:
    described = LAYERS[case]
    neuron, reach = described.neuron, described.reach
    assert isinstance(neuron, Quantised)
    for column, of_column in enumerate(levels(neuron, reach).tolist()):
        one = Quantised(
            scale=neuron.scale[[column]],
            offset=neuron.offset[[column]],
            shift=neuron.shift,
            bits=neuron.bits,
        )
        for k, level in enumerate(of_column, 1):
            assert level > reach or results(one, np.array([level])) >= [k]
            assert level == -reach or results(one, np.array([level - 1])) < [k]


def test_the_cheaper_method_is_built() -> None:
    expected: dict[int, Method] = {1: "search", 2: "search", 8: "product"}
    for bits, method in expected.items():
        described = layer(64, 8, 4, ordinary(64, reach=64, bits=bits))
        estimates = estimated_luts(described)
        assert min(estimates.values()) == estimates[method]
        block = quantised_neurons(described, stall=0).block
        assert isinstance(block, QuantisedNeurons)
        assert block.method == method


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "bits"), [(64, 2), (64, 6)])
def test_synthesis_finds_the_estimated_luts(columns: int, bits: int, tmp_path: Path) -> None:
    described = layer(288, 32, 1, ordinary(columns, reach=48, bits=bits))
    estimates, used = estimated_luts(described), {}
    for method in METHODS:
        source = tmp_path / f"{method}.v"
        source.write_text(verilog_of(QuantisedNeurons(described, method=method), method))
        resources = synthesize(source, method, "xc7z020clg400-1", tmp_path / method)
        resources.require_no_dsp()
        used[method] = resources.lut
        print(f"{columns} columns, {bits} bits, {method}: {resources.lut} LUTs,", end=" ")
        print(f"{estimates[method]} estimated")
        assert 2 / 3 < estimates[method] / resources.lut < 3 / 2
    cheaper = min(METHODS, key=lambda method: used[method])
    assert estimates[cheaper] == min(estimates.values())


BLOCKS = {
    "quantised_search": (
        lambda: [
            quantised_neurons(LAYERS["short-last-chunk"], "search", stall) for stall in (3, 0)
        ],
        r">= \$signed",
        "> $signed",
    ),
    "quantised_product": (
        lambda: [quantised_neurons(LAYERS["offsets-reach-far"], "product")],
        r"\$signed\(product_0\) \+",
        "$signed(product_0) -",
    ),
}
"""For the test of the generated Verilog: recordings, a pattern, and what breaks it."""
