"""The AXI ports of the core, and how registers answer on one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.interface import Register

if TYPE_CHECKING:
    from amaranth.hdl import Value

__all__ = ["Axi4Lite", "Axi4Stream", "answer_reads", "answer_writes"]

OKAY, SLVERR = 0b00, 0b10


class Axi4Stream(wiring.Signature):
    """AXI4-Stream, all bytes of a beat in use; seen from the sender.

    Parameters
    ----------
    data_bits : int
    last : bool
        Whether it has TLAST.
    """

    def __init__(self, data_bits: int = 32, *, last: bool = True) -> None:
        tlast = {"tlast": Out(1)} if last else {}
        super().__init__({"tdata": Out(data_bits), "tvalid": Out(1), "tready": In(1), **tlast})


class Axi4Lite(wiring.Signature):
    """AXI4-Lite, 32 bits, seen from the manager.

    Parameters
    ----------
    address_bits : int
        Bits of a byte address.
    """

    def __init__(self, address_bits: int) -> None:
        self.address_bits = address_bits
        super().__init__(
            {
                "awaddr": Out(address_bits),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(address_bits),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


def answer_writes(m: Module, bus: Any, accepts: Value, refused: Signal) -> Signal:
    """Answer writes to `bus`, an `Axi4Lite` subordinate; return when a whole word is written.

    The answer is OKAY if `accepts` is 1 in that cycle; else it is SLVERR, and `refused` is set.
    """
    taken = Signal()
    writes = Signal()
    m.d.comb += [
        taken.eq(bus.awvalid & bus.wvalid & (~bus.bvalid | bus.bready)),
        bus.awready.eq(taken),
        bus.wready.eq(taken),
        writes.eq(taken & (bus.wstrb == 0b1111)),
    ]
    with m.If(bus.bready):
        m.d.sync += bus.bvalid.eq(0)
    with m.If(taken):
        m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(SLVERR)]
        with m.If(accepts):
            m.d.sync += bus.bresp.eq(OKAY)
        with m.Else():
            m.d.sync += refused.eq(1)
    return writes


def answer_reads(
    m: Module,
    bus: Any,
    registers: Iterable[Register],
    values: Mapping[str, Value],
    waits: Value | None = None,
) -> Signal:
    """Answer reads from `bus`, an `Axi4Lite` subordinate; return when one is taken.

    values : what registers hold, by name; the others read as their reset value. An address of no
    register is answered with SLVERR. waits : none is taken in this cycle.
    """
    reads = Signal()
    ready = ~bus.rvalid | bus.rready
    m.d.comb += [
        reads.eq(bus.arvalid & (ready if waits is None else ready & ~waits)),
        bus.arready.eq(reads),
    ]
    with m.If(bus.rready):
        m.d.sync += bus.rvalid.eq(0)
    with m.If(reads):
        m.d.sync += [bus.rvalid.eq(1), bus.rdata.eq(0), bus.rresp.eq(SLVERR)]
        with m.Switch(bus.araddr):
            for register in registers:
                with m.Case(register.address):
                    value = values.get(register.name, register.reset)
                    m.d.sync += [bus.rdata.eq(value), bus.rresp.eq(OKAY)]
    return reads
