"""What is known of a bitstream that the open tools have made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Result", "Use", "uses"]

BELS = {
    "LUT outputs (O5, O6)": "SLICE_LUTX",
    "FF": "SLICE_FFX",
    "CARRY4": "CARRY4",
    "BRAM36": "RAMB36E1_RAMB36E1",
    "BRAM18": "RAMB18E1_RAMB18E1",
    "DSP": "DSP48E1_DSP48E1",
}
"""Rows of the table of resources, by nextpnr's names of them."""


class Use(NamedTuple):
    """A line of nextpnr's table of resources."""

    name: str
    used: int
    available: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A bitstream, and what nextpnr says of the design in it.

    clock_mhz : asked for. fmax_mhz : estimated by nextpnr, None if nothing is clocked.
    bits : ones in the configuration, all of them read back from the file; None where they are not.
    block_rams : their number; what the file holds for each is what Yosys' netlist says.
    """

    bitstream: Path
    part: str
    clock_mhz: float
    fmax_mhz: float | None
    use: tuple[Use, ...]
    bits: int | None
    block_rams: int
    tools: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return all of it, for `--json` and for the file beside the bitstream."""
        found = asdict(self)
        use = found.pop("use")
        return {
            **found,
            "bitstream": str(self.bitstream),
            "fmax_is": "estimated by nextpnr",
            "resources": [Use(*each)._asdict() for each in use],
        }


def uses(report: Mapping[str, Any]) -> tuple[Use, ...]:
    """Return the table of resources in nextpnr's `report`, as its JSON has it."""
    return tuple(Use(row, **report["utilization"][bel]) for row, bel in BELS.items())
