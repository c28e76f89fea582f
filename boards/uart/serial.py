"""Bytes on a line: 8 data bits, no parity, 1 stop bit, the lowest bit first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["LEAST_DIVISOR", "Receiver", "Transmitter"]

BITS = 8
LEAST_DIVISOR = 5
"""Below, a clock that is three in a hundred off is too much."""


class Receiver(wiring.Component):
    """Read bytes off a line; nothing can hold it up.

    A start bit is one that is still 0 in its middle; every bit is taken in its middle. A byte
    without its stop bit is dropped, and the next start awaited once the line is 1.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    line : In(1)
        In this clock domain; 1 at rest.
    octet : Out(8)
    heard : Out(1)
        High for the cycle in which `octet` is one, in the middle of its stop bit.
    """

    line: Signal
    octet: Signal
    heard: Signal

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"line": In(1, init=1), "octet": Out(BITS), "heard": Out(1)})  # type: ignore[call-arg]

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        left = Signal(range(self.divisor))
        bit = Signal(range(BITS))
        m.d.sync += left.eq(left - 1)
        with m.FSM():
            with m.State("REST"):
                m.d.sync += left.eq(self.divisor // 2 - 1)
                with m.If(~self.line):
                    m.next = "START"
            with m.State("START"), m.If(left == 0):
                m.d.sync += [left.eq(self.divisor - 1), bit.eq(0)]
                with m.If(self.line):
                    m.next = "REST"
                with m.Else():
                    m.next = "DATA"
            with m.State("DATA"), m.If(left == 0):
                m.d.sync += [
                    left.eq(self.divisor - 1),
                    self.octet.eq(Cat(self.octet[1:], self.line)),
                    bit.eq(bit + 1),
                ]
                with m.If(bit == BITS - 1):
                    m.next = "STOP"
            with m.State("STOP"), m.If(left == 0):
                m.d.comb += self.heard.eq(self.line)
                with m.If(self.line):
                    m.next = "REST"
                with m.Else():
                    m.next = "BREAK"
            with m.State("BREAK"), m.If(self.line):
                m.next = "REST"
        return m


class Transmitter(wiring.Component):
    """Put bytes on a line.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    i : In(stream.Signature(8))
        Taken with the last cycle of the stop bit before it, or at once.
    line : Out(1)
        1 at rest.
    """

    i: stream.Interface
    line: Signal

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(BITS)), "line": Out(1, init=1)})  # type: ignore[call-arg]

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        left = Signal(range(self.divisor))
        bits_left = Signal(range(BITS + 2))
        rest = Signal(BITS + 1, init=-1)
        # The line is a register of its own: no bit of it may depend on a path's delay.
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.Elif(bits_left != 0):
            m.d.sync += [
                left.eq(self.divisor - 1),
                bits_left.eq(bits_left - 1),
                Cat(self.line, rest).eq(Cat(rest, 1)),
            ]
        with m.Else():
            m.d.comb += self.i.ready.eq(1)
            with m.If(self.i.valid):
                m.d.sync += [
                    left.eq(self.divisor - 1),
                    bits_left.eq(BITS + 1),
                    self.line.eq(0),
                    rest.eq(Cat(self.i.payload, 1)),
                ]
        return m
