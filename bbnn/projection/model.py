"""A projection: area, energy, time and efficiency of a network in a technology at a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bbnn.description import Network
from bbnn.errors import require
from bbnn.projection import technologies
from bbnn.projection.constants import BAND, DRAWS, SEED, Floats, Prices, ranged
from bbnn.projection.counts import Mode, counted, interval, latency, macs
from bbnn.projection.technologies import CYCLE, TECHNOLOGIES, Part, Technology, folded_for

FPGA_NODE = 28


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Projection:
    """What is projected for one image of T = `members`; all arrays are typical, then draws.

    areas (mm2), energies (J) : by part. interval, latency : s, from image to image, and of one
    alone.
    nominal : operations, two a multiply-accumulate, of the whole network for every member;
    executed : of those that are executed.
    """

    network: Network
    members: int
    technology: Technology
    mode: Mode
    areas: Mapping[str, Floats]
    energies: Mapping[str, Floats]
    interval: Floats
    latency: Floats
    nominal: int
    executed: int

    @property
    def area(self) -> Floats:
        """Area in mm2; 0 on an FPGA."""
        return total(self.areas)

    @property
    def energy(self) -> Floats:
        """Energy of an inference in J."""
        return total(self.energies)

    @property
    def power(self) -> Floats:
        """Watts while images keep coming."""
        return self.energy / self.interval

    def gops(self, operations: int) -> Floats:
        """Return 1e9 operations a second while images keep coming."""
        return operations / self.interval / 1e9

    def efficiency(self, operations: int) -> Floats:
        """Return GOPS/W."""
        return operations / self.energy / 1e9

    def total_efficiency(self, operations: int) -> Floats:
        """Return GOPS/W/mm2."""
        return self.efficiency(operations) / self.area


def total(parts: Mapping[str, Floats]) -> Floats:
    """Return the sum over parts, of every draw."""
    result: Floats = np.sum(list(parts.values()), axis=0)
    return result


def project(
    network: Network,
    technology: Technology,
    prices: Prices,
    mode: Mode | None = None,
    members: int | None = None,
) -> Projection:
    """Return the projection of `network`; T is its own if `members` is None.

    Raise `InputError` on an unknown technology, and on an FPGA at another node than its own.
    """
    mode = mode or Mode()
    members = members or network.ensemble.members
    known = technology in TECHNOLOGIES
    require(known, "--technology", f"one of {', '.join(TECHNOLOGIES)}", technology)
    if technology == "fpga":
        require(prices.node == FPGA_NODE, "--node of an FPGA of the 7 series", "28", prices.node)
    network = folded_for(network, technology)
    found = technologies.parts(network, members, technology, mode, prices)
    cycle = prices[CYCLE[technology]] * 1e-9
    seconds = interval(network, members, mode) * cycle
    works = counted(network, members, mode)
    return Projection(
        network=network,
        members=members,
        technology=technology,
        mode=mode,
        areas={name: part.area * 1e-6 for name, part in found.items()},
        energies=_with_leakage(found, technology, seconds, prices),
        interval=seconds,
        latency=latency(network, members, mode) * cycle,
        nominal=2 * macs(network, members),
        executed=2 * sum(work.macs for work in works),
    )


def _with_leakage(
    found: Mapping[str, Part], technology: Technology, seconds: Floats, prices: Prices
) -> dict[str, Floats]:
    energies = {name: part.energy * 1e-12 for name, part in found.items()}
    if technology != "fpga":
        leaking = sum(
            part.logic * prices["logic_leakage"] + part.bits * prices["sram_leakage"]
            for part in found.values()
        )
        energies["leakage"] = leaking * 1e-9 * seconds
    return energies


def told(projection: Projection, node: float) -> dict[str, Any]:
    """Return a projection as JSON, every figure with its range and every one projected."""
    one = projection

    def figure(values: Floats, unit: str) -> dict[str, Any]:
        return {"kind": "projected", "unit": unit, **asdict(ranged(values))}

    chip = one.technology != "fpga"
    efficiencies = {}
    for name, operations in (("nominal", one.nominal), ("executed", one.executed)):
        efficiencies[name] = {
            "operations": operations,
            "gops": figure(one.gops(operations), "GOPS"),
            "gops_per_watt": figure(one.efficiency(operations), "GOPS/W"),
            "gops_per_watt_per_mm2": figure(one.total_efficiency(operations), "GOPS/W/mm2")
            if chip
            else None,
        }
    return {
        "model": one.network.name,
        "technology": one.technology,
        "node_nm": node,
        "mode": asdict(one.mode),
        "members": one.members,
        "range": f"percentiles {BAND[0]} and {BAND[1]} of {DRAWS:,} draws, seed {SEED}",
        "area": figure(one.area, "mm2") if chip else None,
        "energy_per_inference": figure(one.energy, "J"),
        "energy_per_member": figure(one.energy / one.members, "J"),
        "power": figure(one.power, "W"),
        "interval": figure(one.interval, "s"),
        "latency": figure(one.latency, "s"),
        **efficiencies,
        "parts": {
            name: {
                "area": figure(one.areas[name], "mm2") if chip and name in one.areas else None,
                "energy": figure(energy, "J"),
            }
            for name, energy in one.energies.items()
        },
    }
