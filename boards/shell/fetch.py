"""Images from memory to the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.shell.axi3 import Axi3Half
from boards.shell.burst import BURST, BYTES, WORDS
from boards.shell.read_ahead import read_ahead
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
    fails : Out(1)
        One comes in this cycle: `go` must be low in the next one.
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
    fails: Signal
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
                "fails": Out(1),
                "bus": Out(Axi3Half("r", 8 * BYTES, 6)),
                "o": Out(Axi4Stream()),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        place, beats = Signal(29), Signal(30)
        leaves, left = Signal(), Signal()
        m.d.sync += left.eq(leaves)
        ahead = read_ahead(m, self, DEPTH, place, beats, left)
        buffer = ahead.buffer
        m.d.comb += self.fails.eq(self.bus.rvalid & self.bus.rresp[1])

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
            self.busy.eq((ahead.under_way != 0) | (self.go & some)),
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
                upper.eq(0),
                self.moved.eq(0),
            ]
        return m
