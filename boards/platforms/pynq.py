"""PYNQ-Z1 and PYNQ-Z2, alike as far as described here: the pins of their makers' XDC files."""

from __future__ import annotations

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import XilinxPlatform
from amaranth_boards.resources import ButtonResources, LEDResources, SwitchResources

__all__ = ["PynqPlatform"]

IO = Attrs(IOSTANDARD="LVCMOS33")


class PynqPlatform(XilinxPlatform):
    """An XC7Z020 with four LEDs."""

    device = "xc7z020"
    package = "clg400"
    speed = "1"
    default_clk = "clk125"
    resources = [  # noqa: RUF012 - Amaranth's way
        Resource("clk125", 0, Pins("H16", dir="i"), Clock(125e6), IO),
        *LEDResources(pins="R14 P14 N16 M14", attrs=IO),
        *ButtonResources(pins="D19 D20 L20 L19", attrs=IO),
        *SwitchResources(pins="M20 M19", attrs=IO),
    ]
    connectors = []  # noqa: RUF012
