"""The top of a Zynq-7000 design: the processor system around a component with AXI3 ports.

The processor gives clock and reset. It is the manager of GP0, behind which registers lie, and the
subordinate of HP0, behind which its memory lies. Ports of PS7 are spelt as Yosys' and Vivado's
models of it have them: a prefix for the bus, and then the AXI name in capitals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import C, Cat, ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import In

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amaranth.build import Platform

__all__ = ["BUSES", "Zynq"]

BUSES = {"gp0": "MAXIGP0", "hp0": "SAXIHP0"}
"""A member of the component, and the bus of PS7 that it is connected to."""
INTERRUPTS = 20
"""Interrupt lines from the fabric; the first is number 61 of the GIC (Xilinx UG585, table 7-4)."""
BLINK_BITS = 26
"""A bit of a counter that is seen to blink at 100 MHz."""


class Zynq(Elaboratable):
    """PS7, the clock FCLK0 with its reset, and `component` in that domain.

    Parameters
    ----------
    component : wiring.Component
        Its members may be ``gp0``, an AXI3 subordinate of 32 bits, ``hp0``, an AXI3 manager of 64
        bits, and ``irq``; each member of a bus is named as in AXI, in small letters.
    frequency : float
        Of FCLK0, in Hz. It is a constraint; software on the processor sets the clock itself.

    LED 0 of the board blinks while the clock runs.
    """

    def __init__(self, component: wiring.Component, frequency: float) -> None:
        self.component: Any = component
        self.frequency = frequency

    def elaborate(self, platform: Platform | None) -> Module:
        assert platform is not None
        m = Module()
        clocks, resets = Signal(4), Signal(4)
        m.domains.sync = ClockDomain()
        # A name that only the top has, so that the constraint finds it in the flattened netlist.
        fclk0 = Signal()
        m.submodules.buffer = Instance("BUFG", i_I=clocks[0], o_O=fclk0)
        m.d.comb += ClockSignal().eq(fclk0)
        m.submodules.reset = ResetSynchronizer(~resets[0])
        platform.add_clock_constraint(fclk0, self.frequency)

        m.submodules.component = component = self.component
        ports = dict(self._ports())
        if hasattr(component, "irq"):
            ports["i_IRQF2P"] = Cat(component.irq, C(0, INTERRUPTS - 1))
        m.submodules.processor = Instance(
            "PS7", a_keep="TRUE", o_FCLKCLK=clocks, o_FCLKRESETN=resets, **ports
        )

        blink = Signal(BLINK_BITS)
        m.d.sync += blink.eq(blink + 1)
        port: Any = platform.request("led", 0, dir="-")
        m.submodules.led = led = io.Buffer(io.Direction.Output, port)
        m.d.comb += led.o.eq(blink[-1])
        return m

    def _ports(self) -> Iterator[tuple[str, Any]]:
        """Yield the ports of PS7 that the buses of the component need."""
        for name, prefix in BUSES.items():
            bus = getattr(self.component, name, None)
            if bus is None:
                continue
            yield f"i_{prefix}ACLK", ClockSignal()
            for member, description in bus.signature.members.items():
                direction = "o" if description.flow == In else "i"
                yield f"{direction}_{prefix}{member.upper()}", getattr(bus, member)
