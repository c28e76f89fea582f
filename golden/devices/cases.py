"""What a study goes through: the ideal network, then every case of the devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bbnn.description import MAX_PROBABILITY_BITS, Network
from bbnn.errors import require
from golden.devices.mapping import Cells
from golden.devices.mtj import Junctions, modules
from golden.devices.network import Moment, Reads, effective
from golden.source import STREAMS, Source
from golden.variants import reseeded, widened

IDEAL = "ideal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A row of the study.

    name : a time, or what is wrong. compensated : whether drift is. on_chip : returns the network
    and the source of its weights on the chip of this number.
    """

    name: str
    compensated: bool
    on_chip: Callable[[int], tuple[Network, Source]]


def pcm_cases(
    network: Network,
    cells: Cells,
    times: Mapping[str, float],
    compensations: Sequence[bool],
    bits: int = MAX_PROBABILITY_BITS,
    reads: bool = False,
) -> tuple[Network, list[Case]]:
    """Return the ideal network and its cases: ideal, then each time with each compensation.

    times : seconds since programming, by name. bits : of effective codes. reads : the devices
    themselves are read. Raise `InputError` on a network without sampled weights.
    """
    sampled = any(layer.probability_bits for layer in network.layers)
    require(sampled, "layers", "with sampled weights for PCM", network.name)
    meant = widened(network, bits)

    def case(name: str, time: float, compensated: bool) -> Case:
        def on_chip(chip: int) -> tuple[Network, Source]:
            moment = Moment(cells=cells, chip=chip, time=time, compensated=compensated)
            own = reseeded(meant, chip)
            return (own, Reads(moment)) if reads else (effective(own, moment, bits), STREAMS)

        return Case(name=name, compensated=compensated, on_chip=on_chip)

    timed = [case(name, time, each) for name, time in times.items() for each in compensations]
    return meant, [_ideal(meant), *timed]


def mtj_cases(network: Network, junctions: Junctions) -> tuple[Network, list[Case]]:
    """Return the ideal network and its cases: ideal, spread alone, stuck ones alone, both.

    Those that `junctions` do not have are left out. Raise `InputError` on one without dropout.
    """
    even = replace(junctions, spread=0.0, barrier_spread=0.0)
    meant, _ = modules(network, replace(even, stuck=0.0), 0)
    wrong = {
        "spread": (junctions != even, replace(junctions, stuck=0.0)),
        "stuck": (junctions.stuck > 0, even),
        "spread and stuck": (junctions != even and junctions.stuck > 0, junctions),
    }

    def case(name: str, of: Junctions) -> Case:
        return Case(
            name=name,
            compensated=False,
            on_chip=lambda chip: modules(reseeded(network, chip), of, chip),
        )

    return meant, [
        _ideal(meant),
        *(case(name, of) for name, (present, of) in wrong.items() if present),
    ]


def _ideal(meant: Network) -> Case:
    return Case(
        name=IDEAL, compensated=False, on_chip=lambda chip: (reseeded(meant, chip), STREAMS)
    )
