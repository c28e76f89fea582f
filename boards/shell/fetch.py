"""Images from memory to the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from boards.shell.axi3 import DECERR, INCR, SLVERR, Axi3Half
from boards.shell.burst import BURST, BYTES, NORMAL_UNCACHED, WORDS, next_burst
from hdl.axi import Axi4Stream

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Fetch"]

DEPTH = 2 * BURST
"""Beats of the buffer: one burst goes out of it while another comes in."""


class Fetch(wiring.Component):
    """Read bytes of memory in bursts and hand them on, 32 bits a beat, TLAST on the last one.

    A burst is asked for only when the buffer has room for the longest, so that read data is always
    taken. When `go` falls, no burst is asked for any more, those under way are read and dropped,
    and the word on offer is taken back; the core must have been stopped before.

    Members
    -------
    start : In(1)
        Take `address` and `bytes`, and forget errors; not while busy.
    go : In(1)
        Move data. Rises after `start`.
    address : In(32)
        A multiple of 8.
    bytes : In(32)
        A multiple of 4.
    busy : Out(1)
        Something is left to do.
    moved : Out(32)
        Bytes that the core has taken.
    slverr, decerr : Out(1)
        Such an answer has come since `start`.
    bus : Out(Axi3Half)
        To memory.
    o : Out(Axi4Stream)
        To the core.
    """

    start: Signal
    go: Signal
    address: Signal
    bytes: Signal
    busy: Signal
    moved: Signal
    slverr: Signal
    decerr: Signal
    bus: Any
    o: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "go": In(1),
                "address": In(32),
                "bytes": In(32),
                "busy": Out(1),
                "moved": Out(32),
                "slverr": Out(1),
                "decerr": Out(1),
                "bus": Out(Axi3Half("r", 8 * BYTES, 6)),
                "o": Out(Axi4Stream()),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        bus = self.bus
        buffer = fifo.SyncFIFO(width=8 * BYTES, depth=DEPTH)
        m.submodules.buffer = ResetInserter(~self.go)(buffer)

        # Bursts: what is left to ask for, what is under way, what has a place in the buffer.
        place = Signal(29)
        beats = Signal(30)
        under_way = Signal(range(DEPTH + 1))
        reserved = Signal(range(DEPTH + 1))
        asks, comes, leaves, left = Signal(), Signal(), Signal(), Signal()
        length, known = next_burst(m, place, beats, asks | self.start)
        m.d.comb += [
            asks.eq(self.go & known & ~bus.arvalid & (reserved <= DEPTH - BURST)),
            comes.eq(bus.rvalid & bus.rready),
            bus.rready.eq(1),
            bus.arsize.eq(3),
            bus.arburst.eq(INCR),
            bus.arcache.eq(NORMAL_UNCACHED),
        ]
        with m.If(bus.arready):
            m.d.sync += bus.arvalid.eq(0)
        with m.If(asks):
            m.d.sync += [
                bus.arvalid.eq(1),
                bus.araddr.eq(place << 3),
                bus.arlen.eq(length - 1),
                place.eq(place + length),
                beats.eq(beats - length),
            ]
        m.d.sync += [
            left.eq(leaves),
            under_way.eq(under_way + Mux(asks, length, 0) - comes),
            reserved.eq(reserved + Mux(asks, length, 0) - left),
        ]

        # Data, and what memory says of it.
        m.d.comb += [
            buffer.w_data.eq(bus.rdata),
            # A word that came with an error never comes out: `go` falls in the next cycle.
            buffer.w_en.eq(comes),
        ]
        with m.If(comes):
            m.d.sync += [
                self.slverr.eq(self.slverr | (bus.rresp == SLVERR)),
                self.decerr.eq(self.decerr | (bus.rresp == DECERR)),
            ]

        # Words to the core.
        words = Signal(30)
        # What `words` say, known beforehand, since the core's logic follows.
        some, last = Signal(), Signal()
        upper = Signal()
        taken = Signal()
        m.d.comb += [
            self.o.tvalid.eq(self.go & buffer.r_rdy & some),
            self.o.tdata.eq(buffer.r_data.word_select(upper, 32)),
            self.o.tlast.eq(last),
            taken.eq(self.o.tvalid & self.o.tready),
            leaves.eq(taken & (upper | self.o.tlast)),
            buffer.r_en.eq(leaves),
            self.busy.eq((under_way != 0) | (self.go & some)),
        ]
        with m.If(taken):
            m.d.sync += [
                upper.eq(~upper),
                words.eq(words - 1),
                some.eq(~last),
                last.eq(words == 2),
                self.moved.eq(self.moved + BYTES // WORDS),
            ]
        with m.If(self.start):
            m.d.sync += [
                place.eq(self.address[3:]),
                beats.eq((self.bytes + BYTES - 1) >> 3),
                words.eq(self.bytes >> 2),
                some.eq(self.bytes[2:] != 0),
                last.eq(self.bytes[2:] == 1),
                reserved.eq(0),
                upper.eq(0),
                self.moved.eq(0),
                self.slverr.eq(0),
                self.decerr.eq(0),
            ]
        return m
