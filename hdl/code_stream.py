"""The code memory of a layer whose codes come from memory: one column group's words and the next's.

Contract: docs/streaming.md.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.schedule import CODE_BEAT, LUT_ROM_DEPTH
from hdl.repack import Repack
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["CodeStream"]


class CodeStream(wiring.Component):
    """Fill one half from a stream of 64 bits while the other is read.

    A word is written piece by piece, of ``gcd(64, word)`` bits, one a cycle. A half is ready in the
    cycle after its last piece was taken.

    Parameters
    ----------
    word : int
        Bits of a word.
    row_groups, column_groups : int
        Words of a half, and how often one is filled before the stream begins again.

    Members
    -------
    i : In(stream.Signature(64))
        ``hdl.codes.code_beats``, over and over.
    ready : Out(1)
        The half that is read is whole; no word is asked for before.
    enable : In(1)
        Read in this cycle; otherwise `data` stays.
    row_group : In(range(row_groups))
    data : Out(word)
        The word of `row_group`, one cycle later.
    swap : In(1)
        The half's last word is asked for in this cycle: the halves change places.
    """

    i: stream.Interface
    ready: Signal
    enable: Signal
    row_group: Signal
    data: Signal
    swap: Signal

    def __init__(self, *, word: int, row_groups: int, column_groups: int) -> None:
        self.word = word
        self.row_groups = row_groups
        self.column_groups = column_groups
        super().__init__(
            {
                "i": In(stream.Signature(CODE_BEAT)),
                "ready": Out(1),
                "enable": In(1),
                "row_group": In(index_bits(row_groups)),
                "data": Out(word),
                "swap": In(1),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        piece = gcd(CODE_BEAT, self.word)
        pieces = self.word // piece
        m.submodules.cut = cut = Repack(
            element_bits=1,
            chunk=CODE_BEAT,
            word=piece,
            length=self.word * self.row_groups * self.column_groups,
        )
        wiring.connect(m, wiring.flipped(self.i), cut.i)

        depth = 2 ** (len(self.row_group) + 1)
        m.submodules.codes = codes = memory.Memory(
            shape=self.word,
            depth=depth,
            init=[],
            attrs={"ram_style": "block"} if depth > LUT_ROM_DEPTH else {},
        )
        write, read = codes.write_port(granularity=piece), codes.read_port()
        write_half = Signal()
        read_half = Signal()
        full = Signal(2)
        slot = Signal(index_bits(pieces))
        row_group = Signal.like(self.row_group)
        written = Signal()
        m.d.comb += [
            cut.o.ready.eq(~full.bit_select(write_half, 1)),
            written.eq(cut.o.valid & cut.o.ready),
            write.addr.eq(Cat(row_group, write_half)),
            write.data.eq(cut.o.payload.replicate(pieces)),
            write.en.eq(written << slot),
            self.ready.eq(full.bit_select(read_half, 1)),
            read.addr.eq(Cat(self.row_group, read_half)),
            read.en.eq(self.enable),
            self.data.eq(read.data),
        ]
        with m.If(written):
            m.d.sync += slot.eq(slot + 1)
            with m.If(slot == pieces - 1):
                m.d.sync += [slot.eq(0), row_group.eq(row_group + 1)]
                with m.If(row_group == self.row_groups - 1):
                    m.d.sync += [row_group.eq(0), write_half.eq(~write_half)]
                    m.d.sync += full.bit_select(write_half, 1).eq(1)
        with m.If(self.swap):
            m.d.sync += [read_half.eq(~read_half), full.bit_select(read_half, 1).eq(0)]
        return m
