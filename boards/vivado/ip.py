"""The shell under the names that Vivado's users look for: the module that becomes the IP.

It is the same shell that `boards.zynq` puts beside PS7; here the block design brings the processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.shell import Shell
from boards.shell.interface import BASE, DMA
from boards.zynq import BLINK_BITS

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["BUSES", "SPAN", "Ip"]

BUSES = {"s_axi": "gp0", "m_axi": "hp0"}
"""What the ports of a bus begin with, and the member of the shell behind them."""
SPAN = 2 * DMA
"""Bytes of addresses behind ``s_axi``: the core's page and the DMA's."""
ADDRESS_BITS = SPAN.bit_length() - 1
ADDRESSES = ("awaddr", "araddr")
SIZE_BITS = 3
"""Of AxSIZE: Vivado's IP of the processor has three where PS7 itself has two (Xilinx PG082)."""


class Ip(wiring.Component):
    """The shell, with every port a plain signal.

    ``s_axi`` has the bits of the address within the block alone: where the block lies is for what
    leads there to decode, and so for the block design to choose.

    Members
    -------
    aclk : In(1)
    aresetn : In(1)
        Active low, synchronous.
    s_axi_... : GP, AXI3, 32 bits of data
    m_axi_... : HP, AXI3, 64 bits of data
    irq : Out(1)
        As of the shell; a level.
    led : Out(1)
        Blinks while the clock runs.
    """

    aclk: Signal
    aresetn: Signal
    irq: Signal
    led: Signal

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        members = {"aclk": In(1), "aresetn": In(1), "irq": Out(1), "led": Out(1)}
        for prefix, name in BUSES.items():
            for member, description in getattr(shell, name).signature.members.items():
                bits: Any = description.shape
                if member in ("awsize", "arsize"):
                    bits = SIZE_BITS
                if prefix == "s_axi" and member in ADDRESSES:
                    bits = ADDRESS_BITS
                members[f"{prefix}_{member}"] = description.flow(bits)
        super().__init__(members)

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.shell = shell = self.shell
        for prefix, name in BUSES.items():
            bus = getattr(shell, name)
            for member, description in bus.signature.members.items():
                ours, theirs = getattr(self, f"{prefix}_{member}"), getattr(bus, member)
                if description.flow == Out:
                    m.d.comb += ours.eq(theirs)
                elif prefix == "s_axi" and member in ADDRESSES:
                    m.d.comb += theirs.eq(BASE | ours)
                else:
                    m.d.comb += theirs.eq(ours)
        blink = Signal(BLINK_BITS)
        m.d.sync += blink.eq(blink + 1)
        m.d.comb += [self.irq.eq(shell.irq), self.led.eq(blink[-1])]
        return m
