"""Shortcuts past layers: outputs wait until those of a later layer come, and are added to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.repack import Repack

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Fork", "Shortcut"]


class Fork(wiring.Component):
    """Give each payload to all readers, to each of them once and when it is ready.

    Parameters
    ----------
    width, ways : int

    Members
    -------
    i : In(stream.Signature(width))
    o : Out(stream.Signature(width)).array(ways)
    """

    i: stream.Interface
    o: list[stream.Interface]

    def __init__(self, width: int, ways: int) -> None:
        self.ways = ways
        signature = stream.Signature(width)
        super().__init__({"i": In(signature), "o": Out(signature).array(ways)})

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        given = Signal(self.ways)
        taken = Signal(self.ways)
        m.d.comb += self.i.ready.eq(taken.all())
        for way in range(self.ways):
            m.d.comb += [
                self.o[way].payload.eq(self.i.payload),
                self.o[way].valid.eq(self.i.valid & ~given[way]),
                taken[way].eq(given[way] | self.o[way].ready),
            ]
        with m.If(self.i.valid):
            m.d.sync += given.eq(taken)
            with m.If(self.i.ready):
                m.d.sync += given.eq(0)
        return m


class Shortcut(wiring.Component):
    """Keep a layer's outputs and add them, one to one, to those of a later layer. No latency there.

    They are kept in chunks of the later layer; where chunks differ, a piece of them moves in a
    cycle (``hdl.repack``). With room for a map nothing stands still for ever, however shortcuts
    overlap: what is older than the oldest map on its way has left, so that all of this one can be
    kept, and layers need no more than it to put it out.

    Parameters
    ----------
    early_bits, late_bits, bits : int
        Bits of an element of the earlier layer, of the later one, and of the sum.
    early_chunk, late_chunk : int
        Elements of a chunk.
    channels : int
        Elements of a position; a chunk holds those of one only.
    depth : int
        Chunks that are kept.

    Members
    -------
    early : In(stream.Signature(early_chunk * early_bits))
    late : In(stream.Signature(late_chunk * late_bits))
    o : Out(stream.Signature(late_chunk * bits))
    """

    early: stream.Interface
    late: stream.Interface
    o: stream.Interface

    def __init__(
        self,
        *,
        early_bits: int,
        late_bits: int,
        bits: int,
        early_chunk: int,
        late_chunk: int,
        channels: int,
        depth: int,
    ) -> None:
        self.early_bits = early_bits
        self.late_bits = late_bits
        self.bits = bits
        self.early_chunk = early_chunk
        self.late_chunk = late_chunk
        self.channels = channels
        self.depth = depth
        super().__init__(
            {
                "early": In(stream.Signature(early_chunk * early_bits)),
                "late": In(stream.Signature(late_chunk * late_bits)),
                "o": Out(stream.Signature(late_chunk * bits)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        # One word more than asked for, as a memory has at least two.
        m.submodules.kept = kept = fifo.SyncFIFOBuffered(
            width=self.late_chunk * self.early_bits, depth=self.depth + 1
        )
        if self.early_chunk == self.late_chunk:
            wiring.connect(m, wiring.flipped(self.early), kept.w_stream)  # type: ignore[arg-type]
        else:
            m.submodules.repack = repack = Repack(
                element_bits=self.early_bits,
                chunk=self.early_chunk,
                word=self.late_chunk,
                length=self.channels,
            )
            wiring.connect(m, wiring.flipped(self.early), repack.i)
            wiring.connect(m, repack.o, kept.w_stream)  # type: ignore[arg-type]
        for number in range(self.late_chunk):
            early = kept.r_data.word_select(number, self.early_bits)
            late = self.late.payload.word_select(number, self.late_bits)
            m.d.comb += self.o.payload.word_select(number, self.bits).eq(early + late)
        m.d.comb += [
            self.o.valid.eq(self.late.valid & kept.r_rdy),
            self.late.ready.eq(self.o.ready & kept.r_rdy),
            kept.r_en.eq(self.o.ready & self.late.valid),
        ]
        return m
