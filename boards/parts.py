"""What the parts hold that this project is made for.

LUT, flip-flops, block RAM and DSP slices as in Xilinx DS190, "Zynq-7000 SoC Data Sheet: Overview",
table 1. A slice has four LUTs and one CARRY4 (Xilinx UG474, "7 Series FPGAs Configurable Logic
Block"); a 36-kilobit block RAM is two of 18 kilobits.
"""

from __future__ import annotations

from dataclasses import dataclass

from bbnn.errors import require

__all__ = ["PARTS", "Part", "part_named"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part and how many of each resource it has."""

    name: str
    lut: int
    ff: int
    bram36: int
    dsp: int

    @property
    def carry4(self) -> int:
        """Carry chains of four bits, one in every slice."""
        return self.lut // 4

    @property
    def bram18(self) -> int:
        """Halves of the block RAMs."""
        return 2 * self.bram36


PARTS = {
    part.name: part
    for part in (
        Part("xc7z010clg400-1", lut=17_600, ff=35_200, bram36=60, dsp=80),
        Part("xc7z020clg400-1", lut=53_200, ff=106_400, bram36=140, dsp=220),
    )
}


def part_named(name: str) -> Part:
    """Return the part called `name`; raise `InputError` listing those known if there is none."""
    require(name in PARTS, "part", f"one of {', '.join(PARTS)}", name)
    return PARTS[name]
