"""Every board by the name that commands call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from amaranth.build.plat import TemplatedPlatform
from amaranth_boards.arty_z7 import ArtyZ720Platform
from amaranth_boards.ebaz4205 import EBAZ4205Platform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from bbnn.errors import require
from boards.platforms.pynq import PynqPlatform
from boards.platforms.zedboard import ZedBoardPlatform
from boards.platforms.zybo_z7 import ZyboZ710Platform, ZyboZ720Platform

__all__ = ["BOARDS", "Board", "board_named"]

Family = Literal["zynq", "ecp5"]
"""What the core sits behind, a processor system or a serial line; and whose tools are used."""
IDCODES = {"xc7z010": 0x0372_2093, "xc7z020": 0x0372_7093, "LFE5U-85F": 0x0111_3043}
"""What a device answers over JTAG, without its revision (Xilinx UG585, JTAG and DAP; Lattice
FPGA-TN-02039, device ids)."""
PACKAGES = {"BG381": "CABGA381"}
"""Amaranth's names of Lattice's packages, and nextpnr's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """One board.

    title : its name as printed on it. platform : pins and part, for Amaranth.
    loader : its name in openFPGALoader; None where that does not know the board, so that a cable
    must be named instead.
    jumper : what selects where the processor boots from, and its positions.
    clock_mhz : what the core is made for unless it is said; the oscillator's where the family has
    no clock to set.
    """

    name: str
    title: str
    platform: type[TemplatedPlatform]
    loader: str | None
    jumper: str
    family: Family = "zynq"
    clock_mhz: float = 100

    @property
    def part(self) -> str:
        """Part with package and speed grade, such as "xc7z020clg400-1", as the tools spell it."""
        chosen: Any = self.platform
        if self.family == "ecp5":
            return f"{chosen.device}-{chosen.speed}{PACKAGES[chosen.package]}"
        return f"{chosen.device}{chosen.package}-{chosen.speed}"

    @property
    def idcode(self) -> int:
        """What the part answers over JTAG; the upper four bits, its revision, are zero here."""
        chosen: Any = self.platform
        return IDCODES[chosen.device]


BOARDS = {
    board.name: board
    for board in (
        Board(
            name="pynq-z2",
            title="PYNQ-Z2",
            platform=PynqPlatform,
            loader="pynq_z2",
            jumper="jumper JP1 (BOOT): SD to boot Linux, JTAG to wait for the cable",
        ),
        Board(
            name="pynq-z1",
            title="PYNQ-Z1",
            platform=PynqPlatform,
            loader="pynq_z1",
            jumper="jumper JP4 (BOOT): SD to boot Linux, JTAG to wait for the cable",
        ),
        Board(
            name="arty-z7-20",
            title="Arty Z7-20",
            platform=ArtyZ720Platform,
            loader="arty_z7_20",
            jumper="jumper JP4 (BOOT): SD to boot Linux, JTAG to wait for the cable",
        ),
        Board(
            name="zedboard",
            title="ZedBoard",
            platform=ZedBoardPlatform,
            loader="zedboard",
            jumper="jumpers JP7 to JP11 (MIO2 to MIO6): JP9 and JP10 at 3V3 to boot Linux from SD, "
            "all at GND to wait for the cable",
        ),
        Board(
            name="zybo-z7-20",
            title="Zybo Z7-20",
            platform=ZyboZ720Platform,
            loader="zybo_z7_20",
            jumper="jumper JP5: SD to boot Linux, JTAG to wait for the cable",
        ),
        Board(
            name="zybo-z7-10",
            title="Zybo Z7-10",
            platform=ZyboZ710Platform,
            loader="zybo_z7_10",
            jumper="jumper JP5: SD to boot Linux, JTAG to wait for the cable",
        ),
        Board(
            name="ebaz4205",
            title="EBAZ4205",
            platform=EBAZ4205Platform,
            loader=None,
            jumper="no jumper: it boots from its NAND flash unless a resistor is moved to choose "
            "SD",
        ),
        Board(
            name="ulx3s",
            title="ULX3S 85F",
            platform=ULX3S_85F_Platform,
            loader="ulx3s",
            jumper="no jumper: it has no processor",
            family="ecp5",
            clock_mhz=25,
        ),
    )
}


def board_named(name: str) -> Board:
    """Return the board called `name`; raise `InputError` listing those known if there is none."""
    require(name in BOARDS, "board", f"one of {', '.join(BOARDS)}", name)
    return BOARDS[name]
