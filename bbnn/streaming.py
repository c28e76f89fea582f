"""What a network costs whose codes are more than the part holds, and come from memory instead.

The contract is ``docs/streaming.md``. A layer is resident, as ever, or streamed: then the code
words of one column group at a time are on the part, and of the next one, and all the vectors that
are held pass by them. So a code word is fetched once for as many maps as are held, of several
images and members. All figures are of this model; no hardware does it yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bbnn.description import Layer, Network
from bbnn.errors import require_int
from bbnn.schedule import lines_held, stage_cycles

__all__ = ["BEAT", "Choice", "Plan", "choices", "plan"]

BEAT = 8
"""Bytes of a beat of the port; a layer's code words fill whole beats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One way for one layer.

    maps : held while its codes pass by; 0 if it is resident. memory_bits : on the part, for codes,
    inputs and noise. bytes_an_image : of codes, fetched. stages : cycles an image by stage.
    """

    layer: str
    maps: int
    memory_bits: int
    bytes_an_image: float
    stages: Mapping[str, int]

    @property
    def cycles(self) -> int:
        """The cycles an image of its slowest stage."""
        return max(self.stages.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A choice for every layer, and what an image then takes.

    fetch_cycles : an image, of the port. compute_cycles : of the slowest stage, called `slowest`.
    """

    choices: tuple[Choice, ...]
    bytes_a_cycle: float
    compute_cycles: int
    slowest: str

    @property
    def memory_bits(self) -> int:
        """Bits on the part in all."""
        return sum(choice.memory_bits for choice in self.choices)

    @property
    def bytes_an_image(self) -> float:
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


def choices(network: Network, index: int, members: int, images: int) -> Iterator[Choice]:
    """Yield the ways of layer `index`: resident, and streamed for 1, 2, 4 ... maps.

    images : how many may be in the network at once. No more maps can be held than these and their
    members are.
    """
    layer = network.layers[index]
    passes = members * network.steps if index >= network.first_ensembling else 1
    stages = {
        name.removeprefix(f"{layer.name} "): cycles
        for name, cycles in stage_cycles(network, members).items()
        if name.startswith(f"{layer.name} ")
    }
    bits, noise = _bits(layer), 2 * layer.noise_bits
    held = 2 * layer.rows * bits
    if layer.window is not None:
        lines = lines_held(layer.window, replays=index == network.first_ensembling and passes > 1)
        held += lines * layer.window.width * layer.window.channels * bits
    yield Choice(
        layer=layer.name,
        maps=0,
        memory_bits=_code_bits(layer) * layer.column_groups + held + noise,
        bytes_an_image=0,
        stages=stages,
    )
    # Every column group sees every window anew.
    if "windows" in stages:
        stages = {**stages, "windows": stages["windows"] * layer.column_groups}
    of_map = layer.window
    size = layer.rows if of_map is None else of_map.height * of_map.width * of_map.channels
    fetched = -(-_code_bits(layer) * layer.column_groups // (8 * BEAT)) * BEAT
    maps = 1
    while maps <= images * passes:
        times = -(-images * passes // maps)
        yield Choice(
            layer=layer.name,
            maps=maps,
            memory_bits=2 * _code_bits(layer) + maps * (2 * size * bits + noise),
            bytes_an_image=fetched * times / images,
            stages=stages,
        )
        maps *= 2


def plan(
    network: Network, members: int, images: int, memory_bits: int, bytes_a_cycle: float
) -> Plan | None:
    """Return the choices that fetch little and fit into `memory_bits`; None if none do.

    From the smallest memory on, what is slowest is relieved: the port, where most bytes are saved
    for a bit of memory, or a stage that is slower for being streamed.
    """
    require_int("members", members, 1, network.max_members)
    require_int("images", images, 1, 1 << 16)
    ways = [list(choices(network, index, members, images)) for index in range(len(network.layers))]
    chosen = [min(each, key=lambda way: (way.memory_bits, way.bytes_an_image)) for each in ways]
    others = {
        name: cycles
        for name, cycles in stage_cycles(network, members).items()
        if name.split(" ")[0] not in {layer.name for layer in network.layers}
    }

    def planned() -> Plan:
        slowest = max(chosen, key=lambda way: way.cycles)
        stages = {f"{way.layer} {name}": n for way in chosen for name, n in way.stages.items()}
        stages |= others
        name = max(stages, key=lambda name: stages[name])
        assert stages[name] >= slowest.cycles
        return Plan(
            choices=tuple(chosen),
            bytes_a_cycle=bytes_a_cycle,
            compute_cycles=stages[name],
            slowest=name,
        )

    if planned().memory_bits > memory_bits:
        return None
    while True:
        now = planned()
        left = memory_bits - now.memory_bits
        better = []
        for index, each in enumerate(ways):
            have = chosen[index]
            for way in each:
                more = way.memory_bits - have.memory_bits
                saved = have.bytes_an_image - way.bytes_an_image
                if now.decides != "memory":
                    saved = have.cycles - way.cycles if have.cycles == now.compute_cycles else 0
                if saved > 0 and more <= left:
                    better.append((saved / max(more, 1), index, way))
        if not better:
            return now
        _, index, way = max(better, key=lambda each: each[0])
        chosen[index] = way


def _bits(layer: Layer) -> int:
    """Return the bits of an input element that wait before the crossbar."""
    return layer.drive.bits + layer.masked


def _code_bits(layer: Layer) -> int:
    """Return the bits of the code words of one column group, padding included."""
    lanes = layer.folding.lanes_in * layer.folding.lanes_out
    return layer.row_groups * lanes * (layer.probability_bits + 1)
