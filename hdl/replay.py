"""The replay buffer: where a layer's input vector waits while its crossbar reads it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description.checks import Integers
from hdl.repack import Repack
from hdl.sorter import Sorter
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["ReplayBuffer"]


class ReplayBuffer(wiring.Component):
    """Store vectors as bit planes of words and offer each of them `passes` times.

    Two vectors fit, so that one is filled while the other is read. A word holds one bit of
    `word` neighbouring elements; words lie plane after plane, most significant plane first, so a
    reader that counts 0, 1, 2 ... sees what the crossbar wants.

    Filling takes ``length / piece`` cycles for the pieces (`hdl.repack`) and, for each word, one
    more for every plane but the first, in which nothing is taken. The first word is written one
    cycle after its last piece came.

    With `vectors` there is room for two sets of so many. A set is offered when it is whole, vector
    after vector, and one pass of it is over with its last vector.

    Parameters
    ----------
    element_bits, chunk, length : int
        Bits of an element (the planes), elements of an input chunk and of a vector.
    word : int
        Elements read per cycle, the crossbar's `lanes_in`.
    pad : int
        Element that fills a vector's last word.
    pass_bits : int
        Bits of `passes`.
    tells : bool
        Say of words whether they are 0.
    first : integers, shape (length,), or None
        Sort the elements: words hold those with a 1 before all others (``hdl.sorter``). Filling
        takes `word` cycles a word then.
    exits : bool
        Whether a vector may be given up before its last pass.
    vectors : int
        The most vectors of a set.

    Members
    -------
    i : In(stream.Signature(chunk * element_bits))
    passes : In(pass_bits)
        How often a vector is read, at least 1; constant while vectors are in the buffer.
    count : In(range(vectors + 1))
        Vectors of a set, at least 1; constant. Absent where there is one.
    valid : Out(1)
        A whole vector can be read.
    done : In(1)
        The reader asks for its last word in this cycle: one pass of the vector is over.
    enable : In(1)
        Read in this cycle; otherwise `word_data` stays.
    first_pass : Out(1)
        No pass of the vector that can be read is over.
    address : In(range(planes * groups))
    word_data : Out(word)
        The word at `address`, one cycle later.
    plane : In(range(planes))
    live : Out(groups)
        Which words of `plane` are not 0. Both absent unless it tells.
    flush : In(1)
        Give up the vector that is being read.
    issued : Out(1)
        The last pass of a vector is over, in this cycle. Both absent unless it exits.
    """

    i: stream.Interface
    passes: Signal
    count: Signal
    valid: Signal
    done: Signal
    enable: Signal
    address: Signal
    first_pass: Signal
    word_data: Signal
    plane: Signal
    live: Signal
    flush: Signal
    issued: Signal

    def __init__(
        self,
        *,
        element_bits: int,
        chunk: int,
        length: int,
        word: int,
        pad: int = 0,
        pass_bits: int = 16,
        tells: bool = False,
        first: Integers | None = None,
        exits: bool = False,
        vectors: int = 1,
    ) -> None:
        self.element_bits = element_bits
        self.chunk = chunk
        self.length = length
        self.word = word
        self.pad = pad
        self.tells = tells
        self.vectors = vectors
        self._gather: Repack | Sorter
        if first is None:
            self._gather = Repack(
                element_bits=element_bits, chunk=chunk, word=word, length=length, pad=pad
            )
            self.groups = -(-length // word)
        else:
            self._gather = Sorter(
                element_bits=element_bits, chunk=chunk, word=word, first=first, pad=pad
            )
            self.groups = self._gather.words
        self.words = element_bits * self.groups
        self.exits = exits
        asked = {"plane": In(index_bits(element_bits)), "live": Out(self.groups)}
        super().__init__(
            {
                "i": In(stream.Signature(chunk * element_bits)),
                "passes": In(pass_bits),
                **({"count": In(bits_for(vectors))} if vectors > 1 else {}),
                "valid": Out(1),
                "done": In(1),
                "enable": In(1),
                "address": In(index_bits(self.words)),
                "first_pass": Out(1),
                "word_data": Out(word),
                **(asked if tells else {}),
                **({"flush": In(1), "issued": Out(1)} if exits else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        m.submodules.repack = repack = self._gather
        wiring.connect(m, wiring.flipped(self.i), repack.i)

        places = index_bits(self.vectors * self.words)
        m.submodules.memory = store = memory.Memory(
            shape=self.word, depth=2 ** (places + 1), init=[]
        )
        write, read = store.write_port(), store.read_port()

        # Which half is written and which is read; a half is full from its last word to its last
        # pass.
        write_half = Signal()
        read_half = Signal()
        full = Signal(2)
        m.d.comb += self.valid.eq(full.bit_select(read_half, 1))

        group = Signal(index_bits(self.groups))
        plane = Signal(index_bits(self.element_bits))
        write_address = Signal(len(self.address))
        # Sorted words know their place, and `write_address` begins at 0 with every one.
        sorts = isinstance(self._gather, Sorter)
        place = write_address
        if isinstance(self._gather, Sorter):
            place = (write_address + self._gather.target)[: len(place)]
        ends_vector = repack.o.ready & (group == self.groups - 1)
        write_place, ends_set = self._in_set(m, place, ends_vector)
        planes = [
            Cat(repack.o.payload[i * self.element_bits + bit] for i in range(self.word))
            for bit in reversed(range(self.element_bits))
        ]
        m.d.comb += [
            write.addr.eq(Cat(write_place, write_half)),
            write.en.eq(repack.o.valid & ~full.bit_select(write_half, 1)),
            repack.o.ready.eq(write.en & (plane == self.element_bits - 1)),
        ]
        with m.Switch(plane):
            for number, bits in enumerate(planes):
                with m.Case(number):
                    m.d.comb += write.data.eq(bits)
        with m.If(write.en):
            m.d.sync += [plane.eq(plane + 1), write_address.eq(write_address + self.groups)]
        with m.If(repack.o.ready):
            m.d.sync += [plane.eq(0), group.eq(group + 1)]
            m.d.sync += write_address.eq(0 if sorts else group + 1)
            with m.If(group == self.groups - 1):
                m.d.sync += [group.eq(0), write_address.eq(0)]
                with nullcontext() if self.vectors == 1 else m.If(ends_set):
                    m.d.sync += write_half.eq(~write_half)
                    m.d.sync += full.bit_select(write_half, 1).eq(1)

        if self.tells:
            # A bit a word, beside the memory, since those of a plane are looked at together.
            lives = Signal(data.ArrayLayout(data.ArrayLayout(self.groups, self.element_bits), 2))
            with m.If(write.en):
                m.d.sync += lives[write_half][plane].bit_select(group, 1).eq(write.data.any())
            m.d.comb += self.live.eq(lives[read_half][self.plane])

        read_place, ends_pass = self._in_set(m, self.address, self.done)
        m.d.comb += [
            read.addr.eq(Cat(read_place, read_half)),
            read.en.eq(self.enable),
            self.word_data.eq(read.data),
        ]
        passed = Signal.like(self.passes)
        m.d.comb += self.first_pass.eq(passed == 0)
        issued = Signal()
        m.d.comb += issued.eq(ends_pass & (passed == self.passes - 1))
        over = issued | self.flush if self.exits else issued
        if self.exits:
            m.d.comb += self.issued.eq(issued)
        with m.If(ends_pass):
            m.d.sync += passed.eq(passed + 1)
        with m.If(over):
            m.d.sync += [passed.eq(0), read_half.eq(~read_half)]
            m.d.sync += full.bit_select(read_half, 1).eq(0)
        return m

    def _in_set(self, m: Module, place: Value, ends_vector: Value) -> tuple[Value, Value]:
        """Return a vector's `place` in its set, and whether the set's last vector ends."""
        if self.vectors == 1:
            return place, ends_vector
        places = index_bits(self.vectors * self.words)
        first = Signal(places)
        vector = Signal(index_bits(self.vectors))
        last = Signal()
        m.d.comb += last.eq(vector == self.count - 1)
        with m.If(ends_vector):
            m.d.sync += first.eq(Mux(last, 0, first + self.words))
            m.d.sync += vector.eq(Mux(last, 0, vector + 1))
        return (first + place)[:places], ends_vector & last
