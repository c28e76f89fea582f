"""How the bench treats a core, and what the two halves of the bench are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bbnn.correction import Correction, corrected, register_writes
from bbnn.description import Network
from bbnn.early_exit import ALL, Exit
from bbnn.interface import packet, registers
from bbnn.interface import streamed as streamed_layers
from bbnn.schedule import stage_cycles
from golden.source import STREAMS, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """How the bench treats the core.

    members : T. member_logits : whether packets hold them. seeds : layer name -> first LFSR state,
    where it is not the model's. correction : of the logits, to be loaded. exit : rule of early
    exit. stalls : percent of the cycles in which each handshake waits. seed : of the stalls.
    restart_after : cycles after which the run is cut off and started anew. status : what STATUS
    must read afterwards: idle, no framing error, nothing refused. source : of the weights.
    streams : folder with its samples, for a core with macros. draw : cycles in which these draw
    one.
    """

    members: int
    member_logits: bool = True
    seeds: Mapping[str, int] = field(default_factory=dict)
    correction: Correction | None = None
    exit: Exit = ALL
    stalls: float = 0
    seed: int = 1
    restart_after: int = 0
    status: int = 0b001
    source: Source = STREAMS
    streams: Path | None = None
    draw: int = 0


def packet_words(network: Network, setup: Setup) -> int:
    """Return the words of one packet."""
    return sum(part.words for part in packet(network, setup.members, setup.member_logits))


def reseeded(network: Network, seeds: Mapping[str, int]) -> Network:
    """Return `network` with the noise seeds that `seeds` gives by the layer's name."""
    layers = [
        replace(layer, noise=replace(layer.noise, seed=seeds[layer.name]))
        if layer.noise and layer.name in seeds
        else layer
        for layer in network.layers
    ]
    return replace(network, layers=tuple(layers))


def as_set_up(network: Network, setup: Setup) -> Network:
    """Return the network that a core of `network` is once `setup` is in its registers."""
    seeded = reseeded(network, setup.seeds)
    return corrected(seeded, setup.correction) if setup.correction else seeded


def plusargs(network: Network, setup: Setup, images: int) -> list[str]:
    """Return what `bench.v` is told."""
    macros = [f"+streams={setup.streams.absolute()}"] if setup.streams else []
    return [
        *macros,
        f"+draw={setup.draw}",
        f"+packets={images}",
        f"+words={images * packet_words(network, setup)}",
        f"+patience={patience(network, setup)}",
        f"+rate={rate(setup.stalls)}",
        f"+seed={setup.seed}",
    ]


def patience(network: Network, setup: Setup) -> int:
    """Return the cycles in which something must move: what T members take one after another, twice.

    A layer alone takes at most its crossbar's cycles, a cycle a random bit and a cycle a column;
    one whose codes are streamed as many as its stages take one after another.
    """
    streamed = sum(
        cycles
        for name, cycles in stage_cycles(network, setup.members).items()
        if name.split()[0] in streamed_layers(network)
    )
    member = network.steps * sum(
        layer.positions * (layer.drive.bits * layer.row_groups * layer.column_groups + layer.rows)
        + layer.positions * layer.columns
        + layer.noise_bits
        + setup.draw
        for layer in network.layers
    )
    return int(2 * (1000 + setup.members * member + streamed) / (1 - setup.stalls / 100) ** 2)


def job(network: Network, setup: Setup, images: int) -> dict[str, object]:
    """Return what `tb.bench` is to check and to write, before and after so many images."""
    table = {register.name: register for register in registers(network)}
    control = {name: 1 << bit for name, (bit, _) in table["CONTROL"].bits.items()}
    writes = {"MEMBERS": setup.members}
    for layer, seed in setup.seeds.items():
        low = f"SEED_{layer.upper()}"
        names = [low] if low in table else [f"{low}_LOW", f"{low}_HIGH"]
        writes |= {name: seed >> 32 * word & 0xFFFFFFFF for word, name in enumerate(names)}
    if setup.correction:
        writes |= register_writes(setup.correction)
    if setup.exit != ALL:
        writes |= setup.exit.register_writes
    return {
        "addresses": {name: register.address for name, register in table.items()},
        "before": {name: register.reset for name, register in table.items()},
        "writes": writes,
        "control": control["run"] | control["member_logits"] * setup.member_logits,
        "restart_after": setup.restart_after,
        "after": {"IMAGES_IN": images, "IMAGES_OUT": images, "STATUS": setup.status},
    }


def rate(percent: float) -> int:
    """Return a percentage as `stalls.v` takes it, of 256."""
    return round(percent * 256 / 100)
