"""What reads memory ahead of who takes it: bursts are asked for as long as a buffer has room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import fifo

from boards.shell.axi3 import DECERR, INCR, SLVERR
from boards.shell.burst import BURST, BYTES, NORMAL_UNCACHED, next_burst

if TYPE_CHECKING:
    from amaranth.hdl import Value

__all__ = ["ReadAhead", "read_ahead"]


class ReadAhead(NamedTuple):
    """buffer : of beats, empty without `go`. asks : for a burst of `length` beats, in this cycle.

    under_way : beats that were asked for and have not come.
    """

    buffer: Any
    asks: Signal
    length: Signal
    under_way: Signal


def read_ahead(
    m: Module, engine: Any, depth: int, place: Signal, beats: Signal, left: Value
) -> ReadAhead:
    """Ask for the `beats` at `place`, both of which go on, as long as `depth` has room for a burst.

    So read data is always taken. engine : has `start`, `go`, `bus`, `slverr` and `decerr`, of which
    the last two are set here and cleared with `start`. left : a beat has gone out of the buffer.
    The caller sets `place` and `beats` with `start`.
    """
    bus = engine.bus
    buffer = fifo.SyncFIFO(width=8 * BYTES, depth=depth)
    m.submodules.buffer = ResetInserter(~engine.go)(buffer)
    under_way = Signal(range(depth + 1))
    # What has a place in the buffer, come or not.
    reserved = Signal(range(depth + 1))
    asks, comes = Signal(), Signal()
    length, known = next_burst(m, place, beats, asks | engine.start)
    m.d.comb += [
        asks.eq(engine.go & known & ~bus.arvalid & (reserved <= depth - BURST)),
        comes.eq(bus.rvalid & bus.rready),
        bus.rready.eq(1),
        bus.arsize.eq(3),
        bus.arburst.eq(INCR),
        bus.arcache.eq(NORMAL_UNCACHED),
        buffer.w_data.eq(bus.rdata),
        # A word that came with an error never comes out: `go` falls in the next cycle.
        buffer.w_en.eq(comes),
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
        under_way.eq(under_way + Mux(asks, length, 0) - comes),
        reserved.eq(reserved + Mux(asks, length, 0) - left),
    ]
    with m.If(comes):
        m.d.sync += [
            engine.slverr.eq(engine.slverr | (bus.rresp == SLVERR)),
            engine.decerr.eq(engine.decerr | (bus.rresp == DECERR)),
        ]
    with m.If(engine.start):
        m.d.sync += [reserved.eq(0), engine.slverr.eq(0), engine.decerr.eq(0)]
    return ReadAhead(buffer, asks, length, under_way)
