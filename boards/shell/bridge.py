"""From the processor's AXI3 port to the AXI4-Lite ports of the register blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.interface import ADDRESS_BITS
from boards.shell.axi3 import DECERR, FIXED, GP, WRAP
from boards.shell.interface import BASE, CORE, DMA
from hdl.axi import Axi4Lite

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Bridge"]

PAGES = {"core": BASE + CORE, "dma": BASE + DMA}


class Bridge(wiring.Component):
    """Cut bursts into single accesses, one after another, and put the answers together.

    Reads and writes do not wait for each other. Bursts are fixed, incrementing or wrapping, of any
    size; a word is always accessed as a whole, so a narrow read gives all of it, and a narrow write
    is refused by the registers for its missing strobes. An address that no page has is answered
    with DECERR. The answer to a write is the worst of its beats'.

    Members
    -------
    bus : In(GP)
    core, dma : Out(Axi4Lite)
        One page of addresses each.
    """

    bus: Any
    core: Any
    dma: Any

    def __init__(self) -> None:
        pages = {name: Out(Axi4Lite(ADDRESS_BITS)) for name in PAGES}
        super().__init__({"bus": In(GP), **pages})

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        self._reads(m)
        self._writes(m)
        return m

    def _pages(self, m: Module, address: Signal) -> list[tuple[Any, Signal]]:
        """Return every page's port, and whether `address` was in it a cycle ago.

        A register, since the logic of all registers comes behind it.
        """
        page = address[ADDRESS_BITS:]
        pages = []
        for name, base in PAGES.items():
            here = Signal(name=f"{address.name}_in_{name}")
            m.d.sync += here.eq(page == base >> ADDRESS_BITS)
            pages.append((getattr(self, name), here))
        return pages

    def _reads(self, m: Module) -> None:
        bus, burst = self.bus, Burst("read")
        nowhere = Signal()
        pages = self._pages(m, burst.address)
        with m.FSM(name="reads"):
            with m.State("ADDRESS"):
                m.d.comb += bus.arready.eq(1)
                with m.If(bus.arvalid):
                    burst.begin(m, bus, "ar")
                    m.next = "DECODE"
            with m.State("DECODE"):
                m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += nowhere.eq(1)
                for page, here in pages:
                    with m.If(here):
                        m.d.comb += [nowhere.eq(0), page.arvalid.eq(1)]
                        with m.If(page.arready):
                            m.next = "ANSWER"
                with m.If(nowhere):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [bus.rvalid.eq(1), bus.rresp.eq(DECERR)]
                for page, here in pages:
                    with m.If(here):
                        m.d.comb += [
                            bus.rvalid.eq(page.rvalid),
                            bus.rdata.eq(page.rdata),
                            bus.rresp.eq(page.rresp),
                            page.rready.eq(bus.rready),
                        ]
                with m.If(bus.rvalid & bus.rready):
                    burst.step(m)
                    with m.If(burst.last):
                        m.next = "ADDRESS"
                    with m.Else():
                        m.next = "DECODE"
        m.d.comb += [bus.rid.eq(burst.id), bus.rlast.eq(burst.last)]
        m.d.comb += [page.araddr.eq(burst.address) for page, _ in pages]

    def _writes(self, m: Module) -> None:
        bus, burst = self.bus, Burst("write")
        data, strobe = Signal(32), Signal(4)
        address_due, data_due = Signal(), Signal()
        worst = Signal(2)
        pages = self._pages(m, burst.address)
        with m.FSM(name="writes"):
            with m.State("ADDRESS"):
                m.d.comb += bus.awready.eq(1)
                with m.If(bus.awvalid):
                    burst.begin(m, bus, "aw")
                    m.d.sync += worst.eq(0)
                    m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += bus.wready.eq(1)
                m.d.sync += [data.eq(bus.wdata), strobe.eq(bus.wstrb)]
                with m.If(bus.wvalid):
                    m.d.sync += [address_due.eq(1), data_due.eq(1)]
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                answered, answer = Signal(), Signal(2)
                m.d.comb += [answered.eq(1), answer.eq(DECERR)]
                for page, here in pages:
                    with m.If(here):
                        m.d.comb += [
                            page.awvalid.eq(address_due),
                            page.wvalid.eq(data_due),
                            page.bready.eq(1),
                            answered.eq(page.bvalid),
                            answer.eq(page.bresp),
                        ]
                        with m.If(page.awready):
                            m.d.sync += address_due.eq(0)
                        with m.If(page.wready):
                            m.d.sync += data_due.eq(0)
                with m.If(answered):
                    # OKAY is 0b00, SLVERR 0b10, DECERR 0b11.
                    m.d.sync += worst.eq(worst | answer)
                    burst.step(m)
                    with m.If(burst.last):
                        m.next = "RESPONSE"
                    with m.Else():
                        m.next = "DATA"
            with m.State("RESPONSE"):
                m.d.comb += bus.bvalid.eq(1)
                with m.If(bus.bready):
                    m.next = "ADDRESS"
        m.d.comb += [bus.bid.eq(burst.id), bus.bresp.eq(worst)]
        for page, _ in pages:
            m.d.comb += [
                page.awaddr.eq(burst.address),
                page.wdata.eq(data),
                page.wstrb.eq(strobe),
            ]


class Burst:
    """The state of a burst: its id, the beat's address, and how many are left.

    The address steps by the beat's size within a window of bits: all of them where the burst
    increments, none where it is fixed, those of the burst's length where it wraps.
    """

    def __init__(self, name: str) -> None:
        self.id = Signal(12, name=f"{name}_id")
        self.address = Signal(32, name=f"{name}_address")
        self.window = Signal(32, name=f"{name}_window")
        self.bytes = Signal(4, name=f"{name}_bytes")
        self.left = Signal(4, name=f"{name}_left")
        self.last = self.left == 0

    def begin(self, m: Module, bus: Any, channel: str) -> None:
        """Take the address that channel `channel` of `bus` offers."""
        id_, address, length, size, burst = (
            getattr(bus, channel + field) for field in ("id", "addr", "len", "size", "burst")
        )
        bytes_ = Signal(4, name=f"{channel}_bytes")
        wrapping = Mux(burst == FIXED, 0, 0xFFFFFFFF)
        m.d.comb += bytes_.eq(1 << size)
        m.d.sync += [
            self.id.eq(id_),
            self.address.eq(address),
            self.left.eq(length),
            self.bytes.eq(bytes_),
            self.window.eq(
                Mux(burst == WRAP, (length << size) | (bytes_ - 1).as_unsigned(), wrapping)
            ),
        ]

    def step(self, m: Module) -> None:
        """Go on to the next beat."""
        following = Signal(32, name=f"{self.address.name}_following")
        m.d.comb += following.eq(self.address + self.bytes)
        m.d.sync += [
            self.left.eq(self.left - 1),
            self.address.eq((self.address & ~self.window) | (following & self.window)),
        ]
