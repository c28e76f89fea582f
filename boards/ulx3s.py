"""The top of a ULX3S design: a component with a serial line, behind the pins of the USB bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io, wiring

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Ulx3s"]

BLINK_BITS = 24
"""A bit of a counter that is seen to blink at 25 MHz."""
UNUSED = ("rts", "dtr")


class Ulx3s(Elaboratable):
    """The oscillator's clock with its reset, and `component` in that domain.

    Parameters
    ----------
    component : wiring.Component
        Its members may be ``rx`` and ``tx``.
    frequency : float
        Of the oscillator, in Hz.

    LED 0 of the board blinks while the clock runs. There is no PLL: the serial line is slower than
    the core by far.
    """

    def __init__(self, component: wiring.Component, frequency: float) -> None:
        self.component: Any = component
        self.frequency = frequency

    def elaborate(self, platform: Platform | None) -> Module:
        assert platform is not None
        assert platform.default_clk_frequency == self.frequency
        m = Module()
        # The platform makes the domain `sync` of its oscillator, which the line below is the first
        # to use.
        blink = Signal(BLINK_BITS)
        m.d.sync += blink.eq(blink + 1)
        led: Any = platform.request("led", 0, dir="-")
        m.submodules.led = light = io.Buffer(io.Direction.Output, led)
        m.d.comb += light.o.eq(blink[-1])

        m.submodules.component = component = self.component
        directions = {name: "-" for name in ("rx", "tx", *UNUSED)}
        port: Any = platform.request("uart", 0, dir=directions)
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, port.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, port.tx)
        m.d.comb += [component.rx.eq(rx.i), tx.o.eq(component.tx)]
        return m
