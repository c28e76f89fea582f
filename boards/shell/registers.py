"""The registers of the DMA behind AXI4-Lite; their table is ``boards.shell.interface``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.interface import ADDRESS_BITS
from boards.shell.interface import STATUS, dma_registers
from hdl.axi import Axi4Lite, answer_reads, answer_writes

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["Registers"]


class Registers(wiring.Component):
    """Answer AXI4-Lite accesses as the core's registers do, and start and stop the DMA.

    Parameters
    ----------
    streamed : bool
        Whether there are codes to be read.

    Members
    -------
    bus : In(Axi4Lite)
    start : Out(1)
        High in the first cycle of `run`: a register, since so much follows from it.
    run, interrupt : Out(1)
        Bits of CONTROL.
    source, source_bytes, destination, destination_bytes : Out(32)
    busy : In(1)
    errors : In(5)
        Bits 2 to 6 of STATUS.
    bytes_in, bytes_out : In(32)
    begin : Out(1)
        High for the cycle before `reads` rises.
    reads : Out(1)
        The bit `codes` of CONTROL.
    codes : Out(32)
        All three absent unless codes are streamed.
    """

    bus: Any
    start: Signal
    run: Signal
    interrupt: Signal
    source: Signal
    source_bytes: Signal
    destination: Signal
    destination_bytes: Signal
    busy: Signal
    errors: Signal
    bytes_in: Signal
    bytes_out: Signal
    begin: Signal
    reads: Signal
    codes: Signal

    def __init__(self, *, streamed: bool = False) -> None:
        self.streamed = streamed
        codes = {"begin": Out(1), "reads": Out(1), "codes": Out(32)}
        super().__init__(
            {
                "bus": In(Axi4Lite(ADDRESS_BITS)),
                "start": Out(1),
                "run": Out(1),
                "interrupt": Out(1),
                "source": Out(32),
                "source_bytes": Out(32),
                "destination": Out(32),
                "destination_bytes": Out(32),
                "busy": In(1),
                "errors": In(5),
                "bytes_in": In(32),
                "bytes_out": In(32),
                **(codes if streamed else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        bus = self.bus
        table = {register.name: register for register in dma_registers(streamed=self.streamed)}
        refused = Signal()
        done = Signal()
        m.d.comb += done.eq(self.run & ~self.busy & ~self.errors.any())
        status = Cat(self.busy, done, self.errors, refused)
        assert len(status) == len(STATUS)
        # Each with the multiple that it must be.
        settings = {
            "SOURCE": (self.source, 8),
            "SOURCE_BYTES": (self.source_bytes, 4),
            "DESTINATION": (self.destination, 8),
            "DESTINATION_BYTES": (self.destination_bytes, 4),
        }
        readable: dict[str, Value] = {
            "CONTROL": Cat(self.run, self.interrupt),
            "STATUS": status,
            "BYTES_IN": self.bytes_in,
            "BYTES_OUT": self.bytes_out,
            **{name: signal for name, (signal, _) in settings.items()},
        }
        if self.streamed:
            readable["CONTROL"] = Cat(self.run, self.interrupt, self.reads)
            readable["CODES"] = self.codes

        # Writing.
        accepts = Signal()
        writes = answer_writes(m, bus, accepts, refused)
        control = bus.awaddr == table["CONTROL"].address
        startable = ~bus.wdata[0] | self.run | ~self.busy
        if self.streamed:
            startable &= ~bus.wdata[2] | self.reads | ~self.busy
        known = 2 + self.streamed
        m.d.sync += self.start.eq(0)
        with m.If(writes & control & (bus.wdata[known:] == 0) & startable):
            m.d.comb += accepts.eq(1)
            m.d.sync += [
                self.start.eq(bus.wdata[0] & ~self.run),
                self.run.eq(bus.wdata[0]),
                self.interrupt.eq(bus.wdata[1]),
                refused.eq(0),
            ]
            if self.streamed:
                m.d.comb += self.begin.eq(bus.wdata[2] & ~self.reads)
                m.d.sync += self.reads.eq(bus.wdata[2])
        for name, (signal, multiple) in settings.items():
            addressed = bus.awaddr == table[name].address
            fits = (bus.wdata & (multiple - 1)) == 0
            with m.If(writes & addressed & ~self.run & fits):
                m.d.comb += accepts.eq(1)
                m.d.sync += signal.eq(bus.wdata)

        if self.streamed:
            addressed = bus.awaddr == table["CODES"].address
            with m.If(writes & addressed & ~self.reads & (bus.wdata[:3] == 0)):
                m.d.comb += accepts.eq(1)
                m.d.sync += self.codes.eq(bus.wdata)

        answer_reads(m, bus, table.values(), readable)
        return m
