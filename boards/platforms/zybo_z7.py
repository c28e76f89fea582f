"""Zybo Z7-10 and Z7-20, alike as far as described here: the pins of their maker's XDC file."""

from __future__ import annotations

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import XilinxPlatform
from amaranth_boards.resources import ButtonResources, LEDResources, SwitchResources

__all__ = ["ZyboZ710Platform", "ZyboZ720Platform"]

IO = Attrs(IOSTANDARD="LVCMOS33")


class ZyboZ720Platform(XilinxPlatform):
    """An XC7Z020 with four LEDs."""

    device = "xc7z020"
    package = "clg400"
    speed = "1"
    default_clk = "clk125"
    resources = [  # noqa: RUF012 - Amaranth's way
        Resource("clk125", 0, Pins("K17", dir="i"), Clock(125e6), IO),
        *LEDResources(pins="M14 M15 G14 D18", attrs=IO),
        *ButtonResources(pins="K18 P16 K19 Y16", attrs=IO),
        *SwitchResources(pins="G15 P15 W13 T16", attrs=IO),
    ]
    connectors = []  # noqa: RUF012


class ZyboZ710Platform(ZyboZ720Platform):
    """The same board with an XC7Z010."""

    device = "xc7z010"
