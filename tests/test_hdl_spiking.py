"""Integrate-and-fire neurons against their description, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bbnn.description import Layer, Spiking, Window
from bbnn.schedule import neurons
from blocks import Recording, dense, groups, packed, play
from hdl.spiking import SpikingNeurons, largest_potential
from simtools import reader, writer
from timing import moved

Array = np.ndarray[Any, Any]


def spikes(neuron: Spiking, sums: Array) -> tuple[Array, int]:
    """Return the spikes and the largest absolute potential.

    sums : shape (members, steps, positions, columns), that of the spikes.
    """
    fired, largest = np.zeros_like(sums), 0
    for member, of_steps in zip(fired, sums, strict=True):
        v = np.tile(neuron.start, (sums.shape[2], 1))
        for spike, y in zip(member, of_steps, strict=True):
            v = v + (y << neuron.fraction_bits) + neuron.bias
            largest = max(largest, int(np.abs(v).max()))
            spike[:] = v >= neuron.thresholds
            v = v - spike * neuron.thresholds
    return fired, largest


def spiking_neurons(layer: Layer, steps: int, stall: int = 3, members: int = 4) -> Recording:
    """Send random sums; to the first two members, the extremes alone."""
    dut = SpikingNeurons(layer, steps=steps)
    assert isinstance(layer.neuron, Spiking)
    rng = np.random.default_rng(41)
    shape = (members, steps, layer.positions, layer.columns)
    sums = rng.integers(-layer.reach, layer.reach + 1, shape)
    sums[0], sums[1] = layer.reach, -layer.reach
    fired, largest = spikes(layer.neuron, sums)
    assert largest <= largest_potential(layer, steps)
    assert fired.any()
    assert not fired.all()
    together = neurons(layer)
    chunks = [
        {"y": part, "chunk": index}
        # Beyond the last column the largest sums come, and nothing fires.
        for y in sums.reshape(-1, layer.columns)
        for index, part in enumerate(groups(y, together, layer.reach))
    ]
    expected = [
        packed(part, 1)
        for bits in fired.reshape(-1, layer.columns)
        for part in groups(bits, together, 0)
    ]
    return play(
        dut,
        writer(dut.i, chunks, stall),
        reader(dut.o, expected, stall),
        watched=[dut.o],
        must_stall=stall > 0,
    )


def spiking(
    rows: int,
    columns: int,
    lanes_in: int,
    lanes_out: int,
    *,
    bits: int = 1,
    fraction_bits: int = 3,
    start: int = 1,
    bias: int = 1,
) -> Layer:
    """Return a layer whose neurons fire now and then.

    start, bias : 0 for none.
    """
    rng = np.random.default_rng(42)
    unit = rows * (2**bits - 1) << fraction_bits
    neuron = Spiking(
        thresholds=rng.integers(max(1, unit // 4), 2 * unit, columns),
        start=start * rng.integers(-unit, unit, columns),
        bias=bias * rng.integers(-unit // 4, unit // 4 + 1, columns),
        fraction_bits=fraction_bits,
    )
    return dense(rows, columns, lanes_in, lanes_out, bits=bits, neuron=neuron)


def with_extremes(layer: Layer) -> Layer:
    """Give the first columns the extreme constants of the description."""
    limit = 2**31 - 1
    assert isinstance(layer.neuron, Spiking)
    layer.neuron.thresholds[:3] = 1, limit, limit
    layer.neuron.start[:3] = -limit, limit, 0
    layer.neuron.bias[:3] = limit, limit, -limit
    return layer


def of_maps(layer: Layer) -> Layer:
    """Return `layer` as a convolution of 2 x 2 windows with 12 positions."""
    window = Window(height=4, width=5, channels=layer.rows // 4, kernel=2)
    return replace(layer, window=window)


LAYERS = {
    "one-word": spiking(4, 3, 4, 3),
    "two-words": spiking(4, 6, 4, 3),
    "three-words": spiking(4, 3, 2, 1),
    "short-last-chunk": spiking(8, 11, 4, 4),
    "maps": of_maps(spiking(8, 4, 4, 2)),
    "one-chunk-maps": of_maps(spiking(8, 2, 8, 2)),
    "pixels": spiking(5, 4, 5, 2, bits=8),
    "no-fraction": spiking(4, 5, 2, 5, fraction_bits=0, start=0, bias=0),
    "long-fraction": spiking(4, 5, 2, 5, fraction_bits=16),
    "extremes": with_extremes(spiking(4, 6, 2, 3)),
    "one-neuron": spiking(2, 1, 2, 1),
}


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("case", LAYERS)
def test_spiking(case: str, steps: int, stall: int) -> None:
    spiking_neurons(LAYERS[case], steps, stall, members=16 // steps)


@pytest.mark.parametrize("case", ["one-word", "extremes"])
def test_many_steps(case: str) -> None:
    spiking_neurons(LAYERS[case], steps=255, stall=0, members=3)


def test_the_largest_potential_is_reached() -> None:
    """A threshold beyond reach never stops the sum from growing."""
    layer = spiking(4, 1, 4, 1, start=0, bias=0)
    assert isinstance(layer.neuron, Spiking)
    layer.neuron.start[:], layer.neuron.bias[:] = 5, 2
    layer.neuron.thresholds[:] = 2**31 - 1
    sums = np.full((1, 7, 1, 1), layer.reach)
    assert spikes(layer.neuron, sums)[1] == largest_potential(layer, 7) == 5 + 7 * (4 * 8 + 2)


@pytest.mark.parametrize("case", ["one-word", "two-words", "three-words", "maps"])
def test_spiking_takes_the_stated_cycles(case: str) -> None:
    recording = spiking_neurons(LAYERS[case], steps=3, stall=0)
    taken = moved(recording, "i")
    assert taken == list(range(len(taken)))
    assert moved(recording, "o") == [cycle + SpikingNeurons.latency for cycle in taken]


BLOCKS = {
    "spiking": (
        lambda: [spiking_neurons(LAYERS["maps"], 3, stall) for stall in (3, 0)],
        r"step == 2'h2",
        "step == 2'h1",
    ),
    "one_word_of_membranes": (
        lambda: [spiking_neurons(LAYERS["one-word"], 3, stall) for stall in (3, 0)],
        r"step == 2'h2",
        "step == 2'h1",
    ),
}
"""For the test of the generated Verilog: recordings, a pattern, and what breaks it."""
