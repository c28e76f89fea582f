"""One side of a noise plane: the random words of the rows, or those of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.repack import Repack
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["NoiseMemory"]


class NoiseMemory(wiring.Component):
    """Gather random bits into words of one group of lanes and keep two fillings of them.

    Parameters
    ----------
    step : int
        Bits that arrive per cycle; divides every word and the last one too.
    word, length : int
        Bits of a word, and of a whole filling (whose last word may be shorter).

    Members
    -------
    bits : In(step)
    draw : In(1)
        Take `bits` in this cycle.
    filled : Out(1)
        The last word of a filling is written in this cycle, one after its last `draw`; no `draw`
        may come with it.
    write_half, read_half : In(1)
        Which filling is written and which is read.
    enable : In(1)
        Read in this cycle; otherwise `data` stays.
    group : In(range(words))
    data : Out(word)
        Word number `group`, one cycle later.
    written, target, word_data : Out
        Whether a word is written in this cycle, its number and the word.
    """

    bits: Signal
    draw: Signal
    filled: Signal
    write_half: Signal
    read_half: Signal
    enable: Signal
    group: Signal
    data: Signal
    written: Signal
    target: Signal
    word_data: Signal

    def __init__(self, *, step: int, word: int, length: int) -> None:
        self.step = step
        self.word = word
        self.length = length
        self.words = -(-length // word)
        super().__init__(
            {
                "bits": In(step),
                "draw": In(1),
                "filled": Out(1),
                "write_half": In(1),
                "read_half": In(1),
                "enable": In(1),
                "group": In(index_bits(self.words)),
                "data": Out(word),
                "written": Out(1),
                "target": Out(index_bits(self.words)),
                "word_data": Out(word),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        m.submodules.repack = repack = Repack(
            element_bits=1, chunk=self.step, word=self.word, length=self.length
        )
        m.submodules.memory = store = memory.Memory(
            shape=self.word, depth=2 ** (len(self.group) + 1), init=[]
        )
        write, read = store.write_port(), store.read_port()
        # Known a cycle before, since drawing waits for it.
        last = Signal(init=self.words == 1)
        following = Signal.like(self.target)
        m.d.comb += [
            repack.i.payload.eq(self.bits),
            repack.i.valid.eq(self.draw),
            repack.o.ready.eq(1),
            self.written.eq(repack.o.valid),
            self.word_data.eq(repack.o.payload),
            write.addr.eq(Cat(self.target, self.write_half)),
            write.data.eq(self.word_data),
            write.en.eq(self.written),
            following.eq(Mux(last, 0, self.target + 1)),
            self.filled.eq(self.written & last),
            read.addr.eq(Cat(self.group, self.read_half)),
            read.en.eq(self.enable),
            self.data.eq(read.data),
        ]
        with m.If(self.written):
            m.d.sync += [self.target.eq(following), last.eq(following == self.words - 1)]
        return m
