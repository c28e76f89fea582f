"""ZedBoard: the pins of its maker's master XDC file."""

from __future__ import annotations

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import XilinxPlatform
from amaranth_boards.resources import LEDResources

__all__ = ["ZedBoardPlatform"]

IO = Attrs(IOSTANDARD="LVCMOS33")


class ZedBoardPlatform(XilinxPlatform):
    """An XC7Z020 in the larger package, with eight LEDs."""

    device = "xc7z020"
    package = "clg484"
    speed = "1"
    default_clk = "clk100"
    resources = [  # noqa: RUF012 - Amaranth's way
        Resource("clk100", 0, Pins("Y9", dir="i"), Clock(100e6), IO),
        *LEDResources(pins="T22 T21 U22 U21 V22 W22 U19 U14", attrs=IO),
    ]
    connectors = []  # noqa: RUF012
