"""Packets from the core to memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from boards.shell.axi3 import DECERR, INCR, SLVERR, Axi3Half
from boards.shell.burst import BURST, BYTES, NORMAL_UNCACHED, WORDS, next_burst
from hdl.axi import Axi4Stream

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Store"]

DEPTH = 2 * BURST
"""Beats of the buffer: one burst goes out of it while another comes in."""


class Store(wiring.Component):
    """Take words, 32 bits a beat, and write them to memory in bursts.

    A burst begins only when the buffer holds all of it, so that it never waits for the core. When
    `go` falls, the burst under way is written and what the buffer holds is dropped. The last word
    must have TLAST, and the words beyond it are not taken.

    Members
    -------
    start, go, address, bytes, busy, slverr, decerr, fails
        As in ``boards.shell.fetch.Fetch``.
    drop : In(1)
        Take whatever is offered and forget it; not while `go`.
    moved : Out(32)
        Bytes that memory has acknowledged.
    framing : Out(1)
        The last word came without TLAST.
    bus : Out(Axi3Half)
        To memory.
    i : In(Axi4Stream)
        From the core.
    """

    start: Signal
    go: Signal
    drop: Signal
    address: Signal
    bytes: Signal
    busy: Signal
    moved: Signal
    slverr: Signal
    decerr: Signal
    fails: Signal
    framing: Signal
    bus: Any
    i: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "go": In(1),
                "drop": In(1),
                "address": In(32),
                "bytes": In(32),
                "busy": Out(1),
                "moved": Out(32),
                "slverr": Out(1),
                "decerr": Out(1),
                "fails": Out(1),
                "framing": Out(1),
                "bus": Out(Axi3Half("w", 8 * BYTES, 6)),
                "i": In(Axi4Stream()),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        bus = self.bus
        between = Signal()
        buffer = fifo.SyncFIFO(width=8 * BYTES, depth=DEPTH)
        m.submodules.buffer = ResetInserter(~self.go & between)(buffer)

        # Words to beats; the last beat may hold one word alone.
        words = Signal(30)
        # What `words` say, known beforehand: the core's ready signal comes from here.
        some, last = Signal(), Signal()
        upper = Signal()
        lower = Signal(32)
        taken = Signal()
        m.d.comb += [
            self.i.tready.eq(self.drop | (self.go & some & buffer.w_rdy)),
            taken.eq(self.go & self.i.tvalid & self.i.tready),
            buffer.w_en.eq(taken & (upper | last)),
            buffer.w_data.eq(Mux(upper, Cat(lower, self.i.tdata), self.i.tdata)),
        ]
        with m.If(taken):
            m.d.sync += [lower.eq(self.i.tdata), upper.eq(~upper), words.eq(words - 1)]
            m.d.sync += [some.eq(~last), last.eq(words == 2)]
            with m.If(last & ~self.i.tlast):
                m.d.sync += self.framing.eq(1)

        # Beats to bursts.
        place = Signal(29)
        beats = Signal(30)
        # Whether `beats` is not 0, and whether the beat is the last and holds one word alone: known
        # beforehand.
        more, half = Signal(), Signal()
        odd = Signal()
        length, known = next_burst(m, place, beats, (bus.wvalid & bus.wready) | self.start)
        left = Signal(range(BURST))
        burst_bytes = Signal(range(BURST * BYTES + 1))
        m.d.comb += [
            bus.awaddr.eq(place << 3),
            bus.awsize.eq(3),
            bus.awburst.eq(INCR),
            bus.awcache.eq(NORMAL_UNCACHED),
            bus.wdata.eq(buffer.r_data),
            bus.wlast.eq(left == 0),
            bus.wstrb.eq(Mux(half, 0x0F, 0xFF)),
            self.fails.eq(bus.bvalid & bus.bready & bus.bresp[1]),
            self.busy.eq(~between | (self.go & more)),
        ]
        with m.FSM():
            with m.State("BETWEEN"):
                m.d.comb += between.eq(1)
                m.d.sync += [
                    bus.awlen.eq(length - 1),
                    left.eq(length - 1),
                    burst_bytes.eq(0),
                ]
                with m.If(self.go & known & (buffer.r_level >= length)):
                    m.next = "ADDRESS"
            with m.State("ADDRESS"):
                m.d.comb += bus.awvalid.eq(1)
                with m.If(bus.awready):
                    m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += [bus.wvalid.eq(1), buffer.r_en.eq(bus.wready)]
                with m.If(bus.wready):
                    m.d.sync += [left.eq(left - 1), beats.eq(beats - 1), place.eq(place + 1)]
                    m.d.sync += [more.eq(beats != 1), half.eq(odd & (beats == 2))]
                    m.d.sync += burst_bytes.eq(burst_bytes + Mux(half, BYTES // WORDS, BYTES))
                    with m.If(bus.wlast):
                        m.next = "RESPONSE"
            with m.State("RESPONSE"):
                m.d.comb += bus.bready.eq(1)
                with m.If(bus.bvalid):
                    m.d.sync += [
                        self.slverr.eq(self.slverr | (bus.bresp == SLVERR)),
                        self.decerr.eq(self.decerr | (bus.bresp == DECERR)),
                    ]
                    with m.If(~bus.bresp[1]):
                        m.d.sync += self.moved.eq(self.moved + burst_bytes)
                    m.next = "BETWEEN"
        with m.If(self.start):
            m.d.sync += [
                place.eq(self.address[3:]),
                beats.eq((self.bytes + BYTES - 1) >> 3),
                more.eq(self.bytes != 0),
                odd.eq(self.bytes[2]),
                half.eq(self.bytes == BYTES // WORDS),
                words.eq(self.bytes >> 2),
                some.eq(self.bytes[2:] != 0),
                last.eq(self.bytes[2:] == 1),
                upper.eq(0),
                self.moved.eq(0),
                self.slverr.eq(0),
                self.decerr.eq(0),
                self.framing.eq(0),
            ]
        return m
