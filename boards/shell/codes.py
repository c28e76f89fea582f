"""Codes from memory to the core: one layer's, read ahead, over and over; and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Network
from boards.shell.axi3 import DECERR, INCR, SLVERR, Axi3Half
from boards.shell.burst import BURST, BYTES, NORMAL_UNCACHED, next_burst
from hdl.axi import Axi4Stream
from hdl.codes import code_beats

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["CodeFetch", "code_bytes", "code_places"]

DEPTH = 4 * BURST
"""Beats of the buffer: some bursts are under way while one goes out of it."""


def code_places(network: Network) -> dict[str, tuple[int, int]]:
    """Return by layer the first beat and the beats of its codes, which begin whole bursts."""
    places, first = {}, 0
    for layer in network.layers:
        if layer.streamed:
            beats = len(code_beats(layer))
            places[layer.name] = first, beats
            first += -(-beats // BURST) * BURST
    return places


def code_bytes(network: Network) -> bytes:
    """Return the codes of all streamed layers as they lie in memory."""
    content = bytearray()
    for layer in network.layers:
        if layer.streamed:
            content += b"".join(beat.to_bytes(BYTES, "little") for beat in code_beats(layer))
            content += bytes(-len(content) % (BURST * BYTES))
    return bytes(content)


class CodeFetch(wiring.Component):
    """Read the same beats of memory in bursts, over and over, and hand them on.

    Like ``boards.shell.fetch.Fetch``, but that there is no end: it asks as long as its buffer has
    room for a burst.

    Parameters
    ----------
    first, beats : int
        The first beat from the address on, and how many there are.
    number : int
        Its id on the bus.

    Members
    -------
    start : In(1)
        Begin at the first beat, and forget errors; not while busy.
    go : In(1)
        Move data. Rises after `start`.
    address : In(32)
        A multiple of 8.
    busy : Out(1)
        A burst is under way.
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
    busy: Signal
    slverr: Signal
    decerr: Signal
    bus: Any
    o: Any

    def __init__(self, *, first: int, beats: int, number: int) -> None:
        self.first = first
        self.beats = beats
        self.number = number
        super().__init__(
            {
                "start": In(1),
                "go": In(1),
                "address": In(32),
                "busy": Out(1),
                "slverr": Out(1),
                "decerr": Out(1),
                "bus": Out(Axi3Half("r", 8 * BYTES, 6)),
                "o": Out(Axi4Stream(8 * BYTES, last=False)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        bus = self.bus
        buffer = fifo.SyncFIFO(width=8 * BYTES, depth=DEPTH)
        m.submodules.buffer = ResetInserter(~self.go)(buffer)

        # Bursts: where the next one begins, what is under way, what has a place in the buffer.
        place = Signal(29)
        beats = Signal(range(self.beats + 1))
        under_way = Signal(range(DEPTH + 1))
        reserved = Signal(range(DEPTH + 1))
        asks = Signal()
        comes = Signal()
        leaves = Signal()
        length, known = next_burst(m, place, beats, asks | self.start)
        begin = [place.eq(self.address[3:] + self.first), beats.eq(self.beats)]
        m.d.comb += [
            asks.eq(self.go & known & ~bus.arvalid & (reserved <= DEPTH - BURST)),
            comes.eq(bus.rvalid & bus.rready),
            bus.rready.eq(1),
            bus.arid.eq(self.number),
            bus.arsize.eq(3),
            bus.arburst.eq(INCR),
            bus.arcache.eq(NORMAL_UNCACHED),
            self.busy.eq(under_way != 0),
        ]
        with m.If(bus.arready):
            m.d.sync += bus.arvalid.eq(0)
        with m.If(asks):
            m.d.sync += [bus.arvalid.eq(1), bus.araddr.eq(place << 3), bus.arlen.eq(length - 1)]
            m.d.sync += [place.eq(place + length), beats.eq(beats - length)]
            with m.If(beats == length):
                m.d.sync += begin
        m.d.sync += [
            under_way.eq(under_way + Mux(asks, length, 0) - comes),
            reserved.eq(reserved + Mux(asks, length, 0) - leaves),
        ]

        # Data, and what memory says of it.
        m.d.comb += [
            buffer.w_data.eq(bus.rdata),
            buffer.w_en.eq(comes),
            self.o.tvalid.eq(self.go & buffer.r_rdy),
            self.o.tdata.eq(buffer.r_data),
            leaves.eq(self.o.tvalid & self.o.tready),
            buffer.r_en.eq(leaves),
        ]
        with m.If(comes):
            m.d.sync += [
                self.slverr.eq(self.slverr | (bus.rresp == SLVERR)),
                self.decerr.eq(self.decerr | (bus.rresp == DECERR)),
            ]
        with m.If(self.start):
            m.d.sync += [*begin, reserved.eq(0), self.slverr.eq(0), self.decerr.eq(0)]
        return m
