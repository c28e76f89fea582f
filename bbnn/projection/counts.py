"""What an inference does, counted from the description and the cycle model of the hardware.

An inference is one image with all its members. A weight is read once for every position, bit plane
and pass: the crossbar of `docs/design.md`, whatever holds its weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bbnn.description import Layer, Logits, Network, Quantised, Spiking, Threshold
from bbnn.schedule import image_cycles, lines_held, neurons, stage_cycles


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """How the arrays are laid out.

    pipelined : T copies of what members need of their own, all at work at once; else one, used by
    member after member, as the generated hardware does. apart : rows with a stochastic weight (SP)
    and rows without one (DP) are kept apart, and in the first ensembling layer the sum over DP is
    taken once an image; else that is as the description says (`Layer.sampled`, `Folding.reuse`).
    """

    pipelined: bool = False
    apart: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Rows of a crossbar: those that are sampled, and those that are not."""

    sampled: int
    fixed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A layer's counts. Numbers of things are of all copies; uses are per inference.

    cells : weights held, of them `sampled_cells` sampled. lanes : weights read in a cycle, and
    `columns_at_once` of the columns. reads : of weights, of them `sampled_reads` sampled.
    sums : additions of a lane group to an accumulator of `width` bits. driven : row bits that reach
    the lanes. written : bits written to the line buffer, if there is one, and to the replay buffer,
    `buffer` bits in all. outputs : of neurons, of which `neurons` work at once. samplings : of all
    sampled cells, one a member, or one a step. noise : random bits drawn into noise planes.
    macs : multiply-accumulates that are executed.
    """

    layer: Layer
    copies: int
    cells: int
    sampled_cells: int
    lanes: int
    columns_at_once: int
    reads: int
    sampled_reads: int
    sums: int
    driven: int
    written: int
    buffer: int
    outputs: int
    neurons: int
    samplings: int
    noise: int
    macs: int

    @property
    def width(self) -> int:
        """Bits of an accumulator."""
        return (2 * self.layer.reach).bit_length()

    @property
    def bits(self) -> int:
        """Probability bits."""
        return self.layer.probability_bits


def split(layer: Layer) -> Split:
    """Return the rows of a layer by whether a weight of them is stochastic.

    The one place that says so. Where the description keeps rows apart, those it samples; else those
    that it could, by input map, as in `bbnn.sparsity`.
    """
    if layer.sampled is not None:
        return Split(sampled=layer.sampled_rows, fixed=layer.rows - layer.sampled_rows)
    full = 2**layer.probability_bits
    random = ((layer.codes > 0) & (layer.codes < full)).any(axis=1)
    maps = int(np.count_nonzero(random.reshape(layer.maps, -1).any(axis=1)))
    return Split(sampled=maps * layer.taps, fixed=layer.rows - maps * layer.taps)


def counted(network: Network, members: int, mode: Mode) -> list[Work]:
    """Return the counts of every layer for one image of T = `members`."""
    return [_layer(network, index, members, mode) for index in range(len(network.layers))]


def macs(network: Network, members: int) -> int:
    """Return the nominal multiply-accumulates: the whole network, every member and step."""
    each = sum(layer.positions * layer.codes.size for layer in network.layers)
    return members * network.steps * each


def interval(network: Network, members: int, mode: Mode) -> int:
    """Return the cycles from image to image while images keep coming."""
    return image_cycles(network, 1 if mode.pipelined else members)


def latency(network: Network, members: int, mode: Mode) -> int:
    """Return the cycles of an image alone: one member through all crossbars, the others behind."""
    stages = stage_cycles(network, 1)
    through = sum(cycles for name, cycles in stages.items() if name.endswith("crossbar"))
    behind = interval(network, members, mode) - interval(network, 1, mode)
    return through + behind


def _layer(network: Network, index: int, members: int, mode: Mode) -> Work:
    layer = network.layers[index]
    folding = layer.folding
    ensembled = index >= network.first_ensembling
    passes = network.steps * (members if ensembled else 1)
    rows = split(layer)
    if not mode.apart and layer.sampled is None and layer.probability_bits:
        rows = Split(sampled=layer.rows, fixed=0)
    # The sum over fixed rows is the same for all members, and steps, where their input is.
    reused = mode.apart or folding.reuse
    same = not network.spiking or network.encoding == "constant"
    shared = reused and index == network.first_ensembling and same
    fixed_passes = 1 if shared else passes
    copies = members if mode.pipelined and ensembled else 1
    fixed_copies = 1 if shared else copies
    planes, columns, positions = layer.drive.bits, layer.columns, layer.positions
    per_row = positions * columns
    # Fixed rows that fill up a group of sampled ones are read as often as these.
    order = layer.row_order[: layer.sampled_groups * folding.lanes_in]
    repeated = int(np.count_nonzero(order >= 0)) if folding.reuse else rows.sampled
    row_passes = repeated * passes + (layer.rows - repeated) * fixed_passes
    lanes_in = folding.lanes_in
    again, rest = -(-rows.sampled // lanes_in), -(-rows.fixed // lanes_in)
    if layer.sampled is not None:
        again, rest = layer.sampled_groups, layer.row_groups - layer.sampled_groups
    groups = again * passes + rest * fixed_passes
    window = layer.window
    replayed = index == network.first_ensembling
    lines = lines_held(window, replays=replayed) if window else 0
    held = lines * window.width * window.channels * planes if window else 0
    resampled = network.steps if network.ensemble.resample == "step" else 1
    samplings = members * resampled if layer.noise is not None else 0
    inputs = passes if index > network.first_ensembling else network.steps
    size = layer.rows if window is None else window.height * window.width * window.channels
    return Work(
        layer=layer,
        copies=copies,
        cells=columns * (rows.sampled * copies + rows.fixed * fixed_copies),
        sampled_cells=columns * rows.sampled * copies,
        lanes=lanes_in * folding.lanes_out * copies,
        columns_at_once=folding.lanes_out * copies,
        reads=per_row * planes * row_passes,
        sampled_reads=per_row * planes * rows.sampled * passes,
        sums=per_row * planes * groups,
        driven=positions * planes * layer.column_groups * row_passes,
        written=(inputs * size + (passes * positions * layer.rows if window else 0)) * planes,
        buffer=(held + 2 * layer.rows * planes) * copies,
        outputs=passes * per_row,
        neurons=neurons(layer) * copies,
        samplings=samplings,
        noise=samplings * layer.noise_bits,
        macs=per_row * row_passes,
    )


def neuron_bits(work: Work) -> tuple[int, int, int]:
    """Return what one output of a layer's neurons takes: bits compared, added and kept."""
    width, neuron = work.width, work.layer.neuron
    if isinstance(neuron, Threshold):
        return width, 0, 0
    if isinstance(neuron, Spiking):
        membrane = width + neuron.fraction_bits
        return membrane, 2 * membrane, membrane
    assert isinstance(neuron, Quantised | Logits)
    # A scale of 16 bits is at most 16 shifted copies.
    return 0, 16 * width, 0
