"""Choose how many lanes each layer gets: enough for a rate, as few LUTs as that takes.

Every stage of a pipeline may take as many cycles an image as the rate leaves. Layer after layer,
the cheapest folding is taken whose stages keep to that in the cycle model; its cost is estimated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bbnn.description import Layer, Network
from bbnn.errors import InputError, require
from bbnn.schedule import LUT_ROM_DEPTH, code_memories, image_cycles, reading_cycles, stage_cycles

LANE_LUTS = (1.27, 1.95, 2.95, 3.95, 4.95, 5.95, 6.45, 7.2, 7.95)
"""LUTs of a lane by probability bits, sampling and counting included: `bbnn bench lanes`
for b = 0, 1, 2, 4 and 8; the others lie between."""
ROW_LUTS = 4.0
"""LUTs of a row: its bit in the vector memory and in the noise memory, with their halves."""
SUM_LUTS = 3.0
"""LUTs per bit of a column's accumulator: the adder, the choice of what is added, the copy."""
LAYER_LUTS = 300
"""Addresses, buffers, noise and handshakes of a layer; fitted to `bbnn synth` of fashion-mlp."""
Sizes = tuple[tuple[int, int], ...]
BLOCK_RAM = ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16384), (1, 32768))
"""Bits and words that a 36-kilobit block RAM can be (Xilinx UG473)."""


Choices = list[list[Layer]]
"""Each layer with all the lanes that it could get, the cheapest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """An estimate, before synthesis. lut : LUTs. bram36 : block RAMs of 36 kilobits."""

    lut: int
    bram36: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(lut=self.lut + other.lut, bram36=self.bram36 + other.bram36)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """A folded network. cycles : per image. cost : estimated. slowest : the stage that decides."""

    network: Network
    cycles: int
    cost: Cost
    slowest: str


def fold(network: Network, budget: int, lut: int, bram36: int) -> Fold:
    """Return `network` with the cheapest folding that takes at most `budget` cycles an image.

    lut, bram36 : what the part has. Raise `InputError` naming the layer, or the resource and by how
    much it is short, where nothing fits.
    """
    return _fold(network, _choices(network), budget, lut, bram36)


def _fold(network: Network, choices: Choices, budget: int, lut: int, bram36: int) -> Fold:
    folded = network
    for index, candidates in enumerate(choices):
        folded = _folded(folded, index, candidates, budget)
    cost = estimate(folded)
    for subject, found, there in (("LUT", cost.lut, lut), ("BRAM36", cost.bram36, bram36)):
        require(found <= there, f"estimated {subject}", f"at most {there:,}", round(found))
    stages = stage_cycles(folded, folded.ensemble.members)
    slowest = max(stages, key=lambda name: stages[name])
    within = f"at most {budget:,} cycles an image"
    require(stages[slowest] <= budget, f"the rate: {slowest}", within, stages[slowest])
    return Fold(network=folded, cycles=stages[slowest], cost=cost, slowest=slowest)


def fastest(network: Network, lut: int, bram36: int) -> Fold | None:
    """Return the fastest folding, to one part in a hundred, that the part has room for, if any."""
    one_lane = [_folding(layer, layer.taps, 1) for layer in network.layers]
    slowest = image_cycles(replace(network, layers=tuple(one_lane)))
    choices = _choices(network)
    found, too_fast = None, 0
    while slowest - too_fast > max(1, slowest // 100):
        budget = (slowest + too_fast + 1) // 2
        try:
            found = _fold(network, choices, budget, lut, bram36)
            slowest = found.cycles
        except InputError:
            too_fast = budget
    return found


def skipping(network: Network) -> Network:
    """Return the network with zero row groups skipped wherever there can be any."""
    layers = []
    for layer in network.layers:
        skips = layer.drive.kind == "unsigned" or layer.dropout is not None
        skips = skips and not layer.sorts and not layer.folding.reuse
        layers.append(replace(layer, folding=replace(layer.folding, skip_zeros=skips)))
    return replace(network, layers=tuple(layers))


def estimate(network: Network) -> Cost:
    """Return what a network takes by the model above."""
    total = Cost(lut=0, bram36=0)
    for layer in network.layers:
        total += layer_cost(layer)
    return total


def layer_cost(layer: Layer) -> Cost:
    """Return what a layer takes: its lanes, its sums and its code memory."""
    rows, columns = layer.folding.lanes_in, layer.folding.lanes_out
    # A mask costs a lane without noise what noise costs it, and a lane with noise nothing.
    lanes = rows * columns * LANE_LUTS[max(layer.probability_bits, layer.masked)]
    buffers = rows * ROW_LUTS
    sums = columns * SUM_LUTS * (2 * layer.reach).bit_length()
    rom, ram = 0.0, 0.0
    for width, depth in code_memories(layer):
        if 1 < depth <= LUT_ROM_DEPTH:
            # Below 64 words synthesis shares and simplifies; this is its upper bound.
            rom += width * depth / LUT_ROM_DEPTH
        elif depth > LUT_ROM_DEPTH:
            ram += blocks(width, depth)
    return Cost(lut=round(lanes + buffers + sums + rom + LAYER_LUTS), bram36=ram)


def blocks(width: int, depth: int, sizes: Sizes = BLOCK_RAM) -> int:
    """Return the fewest blocks, of one of these bits and words, for a memory of `depth` words."""
    return min(-(-width // bits) * -(-depth // words) for bits, words in sizes)


def _folded(network: Network, index: int, candidates: list[Layer], budget: int) -> Network:
    """Return the network with the cheapest folding of one layer that keeps to `budget` cycles."""
    layer = network.layers[index]
    passes = network.ensemble.members if index >= network.first_ensembling else 1
    passes *= network.steps
    fitting = [each for each in candidates if reading_cycles(each, passes) <= budget]
    chosen = [each.name for each in network.layers[: index + 1]]
    widest = _folding(layer, layer.rows, layer.columns)
    nearest = reading_cycles(widest, passes), f"{layer.name} crossbar"
    for candidate in fitting:
        layers = (*network.layers[:index], candidate, *network.layers[index + 1 :])
        tried = replace(network, layers=layers)
        stages = stage_cycles(tried, network.ensemble.members)
        # Those before it, too: a burst of members waits for what is behind.
        slowest = max((stages[name], name) for name in stages if name.split()[0] in chosen)
        if slowest[0] <= budget:
            return tried
        nearest = max(nearest, slowest) if nearest[0] <= budget else min(nearest, slowest)
    cycles, stage = nearest
    raise InputError(f"the rate must allow {cycles:,} cycles an image for {stage}, not {budget:,}")


def _choices(network: Network) -> Choices:
    return [
        sorted(_candidates(layer), key=lambda each: layer_cost(each).lut)
        for layer in network.layers
    ]


def _candidates(layer: Layer) -> Iterator[Layer]:
    """Yield the layer with every folding that no other one beats at the same number of cycles."""
    for lanes_in in _shares(layer.maps):
        for lanes_out in _shares(layer.columns):
            whole = layer.window is not None or layer.streamed
            if not whole or layer.columns % lanes_out == 0:
                yield _folding(layer, lanes_in * layer.taps, lanes_out)


def _folding(layer: Layer, lanes_in: int, lanes_out: int) -> Layer:
    """Return the layer with other lanes, and all else as it is.

    But for the reuse of sums where the lanes leave no row group without sampled rows.
    """
    lanes = replace(layer.folding, lanes_in=lanes_in, lanes_out=lanes_out, reuse=False)
    folded = replace(layer, folding=lanes)
    reuse = layer.folding.reuse and folded.row_groups > folded.sampled_groups
    return replace(folded, folding=replace(lanes, reuse=reuse))


def _shares(count: int) -> list[int]:
    """Return the least sizes of groups that cut `count` into 1, 2, 3 ... of them."""
    return sorted({-(-count // groups) for groups in range(1, count + 1)})
