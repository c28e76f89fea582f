"""FPGA power of a generated design: what was synthesized, how it toggles, and cited energies.

    P = f * (LUT * r_net * (E_lut + E_net) + FF * (E_clock + r_register * E_net)
             + BRAM36 * accesses * E_bram + DSP * E_dsp) + static

r : toggles a bit and cycle, from waves. An estimate: wires are as long as in the design that the
energies come from, glitches are left out, input and output pads and the processors' clocks too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bbnn.errors import require
from bbnn.projection.activity import Activity
from bbnn.projection.constants import Floats, Prices, ranged

RESOURCES = ("LUT", "FF", "BRAM36", "BRAM18", "DSP")


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """What a design takes of a part; LUTs that are memories are among the LUTs."""

    lut: int
    ff: int
    bram36: float
    dsp: int

    @classmethod
    def from_json(cls, told: Any) -> Design:
        """Return what `bbnn synth --json` printed; raise `InputError` on anything else."""
        try:
            used = {row["name"]: row["used"] for row in told["resources"]}
            counts = [int(used[name]) for name in RESOURCES]
        except (KeyError, TypeError, ValueError):
            require(False, "resources", "what `bbnn synth --json` prints", "something else")
            raise AssertionError from None
        lut, ff, whole, half, dsp = counts
        return cls(lut=lut, ff=ff, bram36=whole + half / 2, dsp=dsp)


def estimated(
    design: Design, activity: Activity, megahertz: float, prices: Prices
) -> dict[str, Floats]:
    """Return watts by where they go; arrays of typical and draws, as all prices are."""
    hertz = megahertz * 1e6
    watts = 1e-12 * hertz
    nets, registers = activity.rate("net"), activity.rate("register")
    energy = {
        "LUTs": design.lut * nets * prices["fpga_lut_toggle"],
        "nets": (design.lut * nets + design.ff * registers) * prices["fpga_net_toggle"],
        "clocks": design.ff * prices["fpga_clock"],
        "block RAM": design.bram36 * activity.access_rate * prices["fpga_bram_access"],
        "DSP": design.dsp * prices["fpga_dsp"],
    }
    return {
        **{name: watts * each for name, each in energy.items()},
        "static": 1e-3 * prices["fpga_static"],
    }


def told(
    design: Design, activity: Activity, megahertz: float, watts: Mapping[str, Floats]
) -> dict[str, Any]:
    """Return an estimate as JSON; every watt says that it is estimated."""

    def figure(values: Floats) -> dict[str, Any]:
        return {"kind": "estimated", "unit": "W", **asdict(ranged(values))}

    total = np.sum(list(watts.values()), axis=0)
    return {
        "clock_mhz": megahertz,
        "resources": asdict(design),
        "cycles": activity.cycles,
        "rates": {
            "net_toggles_per_bit_cycle": activity.rate("net"),
            "register_toggles_per_bit_cycle": activity.rate("register"),
            "memory_accesses_per_cycle": activity.access_rate,
        },
        "groups": {
            name: {
                kind: {"bits": count.bits, "toggles": count.toggles}
                for kind, count in counts.items()
            }
            for name, counts in activity.groups.items()
        },
        "parts": {name: figure(values) for name, values in watts.items()},
        "dynamic": figure(total - watts["static"]),
        "total": figure(total),
    }
