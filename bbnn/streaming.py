"""What a network costs whose codes are more than the part holds, and come from memory instead.

A layer is resident, or streamed (docs/streaming.md): then the codes of one column group at a time
are on the part, and of the next one, and all inputs that are held pass by them. So a code is
fetched once for a member, or once for all members of an image. Cycles are those of `bbnn.schedule`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bbnn.description import Network
from bbnn.errors import InputError, require_int
from bbnn.folding import BLOCK_RAM, blocks
from bbnn.schedule import (
    CODE_BEAT,
    LUT_ROM_DEPTH,
    code_beat_count,
    code_memories,
    lines_held,
    neurons,
    noise_words,
    stage_cycles,
    transposed,
)

__all__ = ["Choice", "Plan", "block_rams", "choices", "fetched_bytes", "memories", "plan"]

HALVES = tuple((bits // 2, words) for bits, words in BLOCK_RAM[:-1])
"""Bits and words that half a block RAM can be; a bit wide, only a whole one has as many words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One way for one layer.

    held : inputs that pass by the codes of a column group; 0 if the layer is resident.
    block_rams : for codes, inputs, outputs and noise, in whole and half ones. bytes_an_image : of
    codes, fetched. stages : cycles an image by stage.
    """

    layer: str
    held: int
    block_rams: float
    bytes_an_image: int
    stages: Mapping[str, int]

    @property
    def cycles(self) -> int:
        """The cycles an image of its slowest stage."""
        return max(self.stages.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A choice for every layer, and what an image then takes.

    network : with these choices in it. compute_cycles : an image, of the slowest stage, called
    `slowest`.
    """

    network: Network
    choices: tuple[Choice, ...]
    bytes_a_cycle: float
    compute_cycles: int
    slowest: str

    @property
    def block_rams(self) -> float:
        """Block RAMs in all."""
        return sum(choice.block_rams for choice in self.choices)

    @property
    def bytes_an_image(self) -> int:
        """Bytes of codes that an image takes through the port."""
        return sum(choice.bytes_an_image for choice in self.choices)

    @property
    def fetch_cycles(self) -> float:
        """Cycles in which the port carries them."""
        return self.bytes_an_image / self.bytes_a_cycle

    @property
    def cycles(self) -> float:
        """Cycles from one image to the next: port and stages work at the same time."""
        return max(self.fetch_cycles, self.compute_cycles)

    @property
    def decides(self) -> str:
        """What the rate hangs on."""
        return "memory" if self.fetch_cycles >= self.compute_cycles else self.slowest


def fetched_bytes(network: Network, index: int, members: int) -> int:
    """Return the bytes of codes that layer `index` takes for one image of T = `members`."""
    layer = network.layers[index]
    if not layer.streamed:
        return 0
    each = layer.folding.held == 1 and index >= network.first_ensembling
    return code_beat_count(layer) * (CODE_BEAT // 8) * (members if each else 1)


def choices(network: Network, index: int, members: int) -> Iterator[Choice]:
    """Yield the ways of layer `index`: resident, streamed for each member, streamed for all."""
    for held in dict.fromkeys((0, 1, members)):
        try:
            changed = _streamed(network, index, held)
        except InputError:
            # Of this layer, or in this network, it is not built.
            continue
        layer = changed.layers[index]
        stages = stage_cycles(changed, members)
        yield Choice(
            layer=layer.name,
            held=held,
            block_rams=sum(map(block_rams, memories(changed, index, members))),
            bytes_an_image=fetched_bytes(changed, index, members),
            stages={
                name.removeprefix(f"{layer.name} "): cycles
                for name, cycles in stages.items()
                if name.startswith(f"{layer.name} ")
            },
        )


def plan(network: Network, members: int, room: float, bytes_a_cycle: float) -> Plan | None:
    """Return the choices that fetch little and fit into `room` block RAMs; None if none do.

    From the fewest on, what is slowest is relieved, as long as an image then takes less: the port,
    where most bytes are saved for a block RAM, or a stage that is slower for being streamed.
    """
    require_int("members", members, 1, network.max_members)
    ways = [list(choices(network, index, members)) for index in range(len(network.layers))]
    chosen = [min(each, key=lambda way: (way.block_rams, way.bytes_an_image)) for each in ways]
    now = _planned(network, members, chosen, bytes_a_cycle)
    if now.block_rams > room:
        return None
    while True:
        left = room - now.block_rams
        better = []
        for index, each in enumerate(ways):
            have = chosen[index]
            for way in each:
                more = way.block_rams - have.block_rams
                saved = have.bytes_an_image - way.bytes_an_image
                if now.decides != "memory":
                    saved = have.cycles - way.cycles if have.cycles == now.compute_cycles else 0
                if saved > 0 and more <= left:
                    better.append((saved / max(more, 0.5), index, way))
        for _, index, way in sorted(better, key=lambda each: -each[0]):
            tried = [*chosen[:index], way, *chosen[index + 1 :]]
            then = _planned(network, members, tried, bytes_a_cycle)
            if (then.cycles, then.bytes_an_image) < (now.cycles, now.bytes_an_image):
                chosen, now = tried, then
                break
        else:
            return now


def _planned(
    network: Network, members: int, chosen: Sequence[Choice], bytes_a_cycle: float
) -> Plan:
    for index, way in enumerate(chosen):
        network = _streamed(network, index, way.held)
    stages = stage_cycles(network, members)
    slowest = max(stages, key=lambda name: stages[name])
    return Plan(
        network=network,
        choices=tuple(chosen),
        bytes_a_cycle=bytes_a_cycle,
        compute_cycles=stages[slowest],
        slowest=slowest,
    )


def _streamed(network: Network, index: int, held: int) -> Network:
    """Return `network` with so many inputs held in a layer; raise where that is not built."""
    layers = list(network.layers)
    layers[index] = replace(layers[index], folding=replace(layers[index].folding, held=held))
    # No more members than there are places for.
    ensemble = network.ensemble
    if held > 1:
        ensemble = replace(ensemble, members=min(held, ensemble.members))
    return replace(network, layers=tuple(layers), ensemble=ensemble)


def memories(network: Network, index: int, members: int) -> list[tuple[int, int]]:
    """Return the bits and the words of the memories of layer `index`.

    Of codes, of inputs before the crossbar, of squares that are pooled, of outputs that wait until
    whole vectors can leave, and of noise. Two halves lie in one memory, each of them 2**n words.
    """
    layer = network.layers[index]
    lanes, groups = layer.folding.lanes_in, layer.row_groups
    first = index == network.first_ensembling
    vectors = 1 if first else max(1, layer.folding.held)
    carries_masks = layer.masked and layer.window is not None
    found = code_memories(layer)
    found.append((lanes * (1 + carries_masks), _halves(vectors * layer.drive.bits * groups)))
    if layer.window is not None:
        window, together = layer.window, lanes // layer.taps
        lines = lines_held(window, replays=layer.streamed or (first and members > 1))
        words = lines // window.kernel * window.width * -(-window.channels // together)
        found += [(together * layer.drive.bits, words)] * window.kernel
    height, width, channels = layer.output_shape
    element, side_by_side = layer.largest.bit_length(), neurons(layer)
    if layer.pool is not None:
        pooled = layer.folding.lanes_out if transposed(layer) else channels
        found.append((element * side_by_side, width * -(-pooled // side_by_side)))
    if transposed(layer):
        chunks = layer.folding.held * height * width * -(-channels // side_by_side)
        found.append((element * side_by_side, _halves(chunks)))
    sides = noise_words(layer).values()
    return [*found, *((word, _halves(-(-length // word))) for word, length in sides)]


def _halves(words: int) -> int:
    """Return the words of a memory of two halves, each of at least so many."""
    return 2 << (words - 1).bit_length()


def block_rams(memory: tuple[int, int]) -> float:
    """Return how many block RAMs a memory of so many bits and words takes.

    None of up to 64 words, which are left to LUTs. Narrow ones may be, too: it is the most.
    """
    bits, depth = memory
    return blocks(bits, depth, HALVES) / 2 if depth > LUT_ROM_DEPTH else 0
