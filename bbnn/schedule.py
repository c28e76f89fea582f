"""Cycles that the hardware takes, and the widths inside it that follow from the folding.

All stages work at the same time on different members, so an image costs what its slowest stage
costs. `tests/test_schedule.py` holds these functions against simulation.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from bbnn.description import Layer, Logits, Network, Threshold, Window, source_of
from bbnn.description.checks import Integers
from bbnn.interface import PIXELS_PER_BEAT

LUT_ROM_DEPTH = 64
"""A 6-input LUT holds one bit of so many code words; deeper memories go to block RAM."""

CODE_BEAT = 64
"""Bits of a beat of a stream of codes, whose last one is padded."""

SKIP_GAIN = 4
"""How many times faster a crossbar that skips zeros can become before its neurons hold it up."""


def crossbar_cycles(layer: Layer, *, certain: bool = False) -> int:
    """Return the most cycles in which one vector reads the crossbar of one group of columns.

    Where sums are reused, these are the sampled rows' alone; with `certain`, the others'.
    """
    groups = layer.sampled_groups if layer.folding.reuse else layer.row_groups
    return layer.drive.bits * (layer.row_groups - groups if certain else groups)


def neurons(layer: Layer) -> int:
    """Return how many neurons work side by side: N, a divisor of `lanes_out`.

    A group of columns must leave while the next is summed, or while a quarter of it is where zeros
    are skipped; the fewest neurons that manage this. Logits leave one by one, since the ensemble
    takes one a cycle.
    """
    if isinstance(layer.neuron, Logits):
        return 1
    lanes = layer.folding.lanes_out
    cycles = crossbar_cycles(layer)
    if layer.folding.skip_zeros:
        cycles = max(layer.drive.bits, cycles // SKIP_GAIN)
    fits = (n for n in range(1, lanes) if lanes % n == 0 and lanes // n <= cycles)
    return next(fits, lanes)


def pass_cycles(layer: Layer, *, certain: bool = False) -> int:
    """Return the most cycles of one vector, with `certain` those before its members."""
    return int(vector_cycles(layer, np.array(crossbar_cycles(layer, certain=certain))))


def reading_cycles(layer: Layer, passes: int) -> int:
    """Return the most cycles in which a crossbar is read for one input, `passes` times."""
    once = pass_cycles(layer, certain=True) if layer.folding.reuse else 0
    return passes * layer.positions * pass_cycles(layer) + once


def vector_cycles(layer: Layer, reads: Integers) -> Integers:
    """Return the cycles of vectors that take `reads` cycles for a column group, of any shape.

    Each column group is summed, and leaves, behind the last.
    """
    lanes, together = layer.folding.lanes_out, neurons(layer)
    last = layer.columns - (layer.column_groups - 1) * lanes
    group = np.maximum(reads, lanes // together)
    return (layer.column_groups - 1) * group + np.maximum(reads, -(-last // together))


def load_cycles(layer: Layer, chunk: int) -> int:
    """Return the cycles in which a layer takes one vector or map in chunks of `chunk` elements.

    A vector goes to the replay buffer: a piece a cycle, and for every word one more cycle for each
    plane but the first; where its elements are sorted, a piece is one, and every word is filled.
    A map goes to the line buffer: a piece a cycle, and a cycle for every line
    of padding in which no word is gathered.
    """
    window, lanes = layer.window, layer.folding.lanes_in
    if window is None:
        piece = gcd(chunk, lanes, layer.rows)
        if layer.sorts:
            return (lanes + layer.drive.bits - 1) * layer.row_groups
        return layer.rows // piece + (layer.drive.bits - 1) * layer.row_groups
    together = lanes // window.taps
    piece = gcd(chunk, together, window.channels)
    gathered = min(together, window.channels) // piece - 1
    padding = map_lines(window) - min(map_lines(window) - window.padding, window.height)
    pixels = window.height * window.width
    return pixels * window.channels // piece + max(0, padding - gathered)


def code_memories(layer: Layer) -> list[tuple[int, int]]:
    """Return the bits of a word and the words of each code memory.

    One, with the words of two column groups if the others' are elsewhere; or the first holds the
    highest bit of all codes and the second what is below it of the sampled rows' codes, and a word
    of 0 for the others.
    """
    lanes = layer.folding.lanes_in * layer.folding.lanes_out
    b, groups = layer.probability_bits, layer.column_groups
    if layer.streamed:
        return [(lanes * (b + 1), 2 * layer.row_groups)]
    if layer.sampled is None:
        return [(lanes * (b + 1), layer.row_groups * groups)]
    return [(lanes, layer.row_groups * groups), (lanes * b, layer.sampled_groups * groups + 1)]


def code_cycles(layer: Layer) -> int:
    """Return the cycles in which the codes of a layer come in once, if they are streamed.

    A piece of a word a cycle: the bits that divide both a beat and a word.
    """
    ((word, _),) = code_memories(layer)
    return word * layer.row_groups * layer.column_groups // gcd(CODE_BEAT, word)


def code_beat_count(layer: Layer) -> int:
    """Return the beats of one round of the codes of a layer, if they are streamed."""
    ((word, _),) = code_memories(layer)
    return -(-word * layer.row_groups * layer.column_groups // CODE_BEAT)


def vectors_held(layer: Layer) -> int:
    """Return the most vectors that pass by a column group's codes before the next one's come."""
    return layer.folding.held * layer.positions


def transposed(layer: Layer) -> bool:
    """Whether outputs come column group by column group, of more than one vector."""
    return layer.column_groups > 1 and vectors_held(layer) > 1


def map_lines(window: Window) -> int:
    """Return the lines of the map, padding included, that the windows cover."""
    return (window.out_height - 1) * window.stride + window.kernel


def lines_held(window: Window, *, replays: bool) -> int:
    """Return the lines that fit into a line buffer, a multiple of K.

    Those of a row of positions, and as many to come; where maps are read again, two maps.
    """
    kernel = window.kernel
    return 2 * (-(-map_lines(window) // kernel) * kernel if replays else kernel)


def window_cycles(window: Window, together: int, planes: int = 1) -> int:
    """Return the cycles in which all windows of a map are read, `together` channels a word.

    A column of a window takes one; a word that holds all channels leaves shared columns behind. The
    replay buffer takes a word in as many cycles as it has bit planes.
    """
    first = max(window.kernel, planes)
    groups = -(-window.channels // together)
    if groups > 1:
        return window.out_height * window.out_width * groups * first
    return window.out_height * (first + (window.out_width - 1) * max(window.stride, planes))


def shortcut_source(network: Network, index: int) -> int | None:
    """Return the index of the layer whose outputs layer `index` adds to its own."""
    return source_of(network.layers[: index + 1])


def shortcut_depth(network: Network, index: int) -> int:
    """Return how many chunks wait at the most for the outputs of layer `index` to be added to.

    Whole maps: each layer on the way may work on one of its own while the next one is coming in. A
    single one would keep the layers from working side by side; lines alone would do for
    convolutions, and are not told apart.
    """
    source, layer = shortcut_source(network, index), network.layers[index]
    assert source is not None
    height, width, channels = layer.output_shape
    maps = index - source + 1
    return maps * height * width * -(-channels // neurons(layer))


def shortcut_cycles(network: Network, index: int) -> int:
    """Return the cycles in which a map is cut into the chunks of the layer that adds it."""
    source, layer = shortcut_source(network, index), network.layers[index]
    assert source is not None
    height, width, channels = layer.output_shape
    early, late = neurons(network.layers[source]), neurons(layer)
    piece = late if early == late else gcd(early, late, channels)
    return height * width * -(-channels // piece)


def noise_words(layer: Layer) -> dict[str, tuple[int, int]]:
    """Return the sides of a noise plane: the bits of a word and of a filling, in drawing order."""
    sides: dict[str, tuple[int, int]] = {}
    if layer.noise is not None and layer.probability_bits:
        k, b = layer.noise.row_bits, layer.probability_bits
        sides["rows"] = layer.folding.lanes_in * k, layer.sampled_rows * k
        sides["columns"] = layer.folding.lanes_out * b, layer.columns * b
    if layer.dropout is not None:
        bits = layer.dropout.bits
        sides["maps"] = layer.folding.lanes_in // layer.taps * bits, layer.maps * bits
    return sides


def noise_step(layer: Layer, lfsr_width: int) -> int:
    """Return the random bits that a layer draws per cycle.

    It divides every word of the noise plane, the last ones too, so that no word ends inside a step.
    """
    if layer.noise is None:
        return 0
    common = gcd(*(size for side in noise_words(layer).values() for size in side))
    return max(step for step in range(1, lfsr_width + 1) if common % step == 0)


def stream_bits(network: Network) -> tuple[int, ...]:
    """Return how many bits each random stream gives at once, in the order of the seeds."""
    layers = [layer for layer in network.layers if layer.noise is not None]
    bits = [noise_step(layer, network.lfsr_width) for layer in layers]
    return (*bits, *([network.scale_dropout.bits] if network.scale_dropout else []))


def filling_cycles(layer: Layer, lfsr_width: int) -> int:
    """Return the cycles in which a noise plane is filled once; 0 if the layer has none."""
    if layer.noise is None:
        return 0
    return layer.noise_bits // noise_step(layer, lfsr_width) + 1


def sift_cycles(network: Network) -> int:
    """Return the cycles in which the connected pixels of an image are let through.

    A beat a cycle, and one more where the last ones fill one beat and begin another.
    """
    assert network.input_rows is not None
    beats = -(-network.pixels // PIXELS_PER_BEAT)
    last = sum(row >= (beats - 1) * PIXELS_PER_BEAT for row in network.input_rows)
    waiting = (len(network.input_rows) - last) % PIXELS_PER_BEAT
    return beats + (waiting + last > PIXELS_PER_BEAT)


def stage_cycles(network: Network, members: int) -> dict[str, int]:
    """Return the cycles of each stage for one image of T = `members`, by the stage's name."""
    stages = {}
    chunk = PIXELS_PER_BEAT
    trains = members * network.steps
    if network.input_rows is not None:
        stages["sift"] = sift_cycles(network)
    for index, layer in enumerate(network.layers):
        inputs = trains if index > network.first_ensembling else 1
        passes = trains if index >= network.first_ensembling else 1
        held = 2**layer.probability_bits if network.ensemble.stratified else 1
        fillings = trains if network.ensemble.resample == "step" else -(-members // held)
        # Every column group meets all vectors anew, and all members where several are held.
        rounds = layer.column_groups if layer.streamed else 1
        fillings *= rounds if layer.folding.held > 1 else 1
        if index == 0 and layer.window is not None:
            # Beats are cut into pieces that belong to one pixel.
            chunk = gcd(chunk, layer.window.channels)
        stages[f"{layer.name} load"] = inputs * load_cycles(layer, chunk)
        if layer.window is not None:
            together = layer.folding.lanes_in // layer.taps
            windows = window_cycles(layer.window, together, layer.drive.bits)
            stages[f"{layer.name} windows"] = passes * rounds * windows
        stages[f"{layer.name} noise"] = fillings * filling_cycles(layer, network.lfsr_width)
        stages[f"{layer.name} crossbar"] = reading_cycles(layer, passes)
        if layer.streamed:
            fetches = 1 if layer.folding.held > 1 else passes
            stages[f"{layer.name} codes"] = fetches * code_cycles(layer)
        if layer.adds is not None:
            stages[f"{layer.name} shortcut"] = passes * shortcut_cycles(network, index)
        chunk = neurons(layer)
    first = network.layers[network.first_ensembling]
    if first.folding.reuse:
        stages[f"{first.name} crossbar"] = burst_cycles(network, members, stages)
    banked = [
        layer
        for layer in network.layers
        if isinstance(layer.neuron, Threshold) and layer.neuron.dropped is not None
    ]
    if banked:
        stages["scale dropout"] = members * len(banked)
    classes = len(network.classes)
    stages["ensemble"] = members * classes + 2 + 2 * classes
    return stages


def burst_cycles(network: Network, members: int, stages: dict[str, int]) -> int:
    """Return the cycles of an image in the crossbar of a layer that reuses sums.

    The pass of the certain rows, and the members' passes behind it: in a burst, as fast as these
    are read until what was drawn or buffered before is used up, then as fast as the slowest stage
    takes one. Its noise plane has two fillings, and each layer behind it room for two vectors.
    Exact where its own noise is the slowest; of stages behind it is the most, since queues on the
    way hold a little, too. stages : of the image, those of the layers behind.
    """
    first = network.first_ensembling
    layer, passes = network.layers[first], members * network.steps
    own = pass_cycles(layer)
    once = reading_cycles(layer, passes)
    fillings = stages[f"{layer.name} noise"] // filling_cycles(layer, network.lfsr_width)
    # The slowest of all: once, and passes that wait for what takes `rate` each.
    held = -(-passes // fillings)
    waits = [(fillings - 2) * (filling_cycles(layer, network.lfsr_width) - held * own)]
    for distance, each in enumerate(network.layers[first + 1 :], start=1):
        for name, cycles in stages.items():
            owner, _, stage = name.partition(" ")
            if owner == each.name:
                room = 2 * distance - (2 if stage == "load" else 0)
                waits.append((passes - room) * (cycles // passes - own))
    return once + max(0, *waits)


def image_cycles(network: Network, members: int | None = None) -> int:
    """Return the cycles from one image to the next while images keep coming."""
    return max(stage_cycles(network, members or network.ensemble.members).values())


def member_cycles(network: Network, members: int | None = None) -> float:
    """Return the cycles per member of an image while images keep coming."""
    members = members or network.ensemble.members
    return image_cycles(network, members) / members
