"""Windows of a convolution, read column by column from lines that lie in a ring of banks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Window
from bbnn.schedule import map_lines
from hdl.gather import Gather, WindowWord
from hdl.ring import Ring
from hdl.widths import index_bits, within

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["WindowReader"]


class WindowReader(wiring.Component):
    """Read each map's windows `passes` times: position by position, in each G channels at a time.

    A word takes K cycles, a column each. Where one word holds all channels, the columns that a
    window shares with the one before it are kept, and only the first of a row takes K cycles, the
    others `stride`. Elements outside the map are 0, and not driven.

    Parameters
    ----------
    window : Window
    ring : Ring
    element_bits, together, pass_bits : int
    masked, exits : bool
        As in ``hdl.lines.LineBuffer``.

    Members
    -------
    held : In(range(ring.lines + 1))
        Complete lines in the ring, counted from the first that was not freed.
    freed : Out(range(lines of a map + 1))
        Lines that are no longer needed from the next cycle on.
    passes : In(pass_bits)
    enable : Out(1)
        The banks answer in the next cycle.
    addresses : Out(ArrayLayout(address_bits, K))
    words : In(ArrayLayout(G * element_bits, K))
    o : Out(stream.Signature(WindowWord))
    flush, issued
        As in ``hdl.lines.LineBuffer``.
    """

    held: Signal
    freed: Signal
    passes: Signal
    enable: Signal
    addresses: data.View
    words: data.View
    o: stream.Interface
    flush: Signal
    issued: Signal

    def __init__(
        self,
        window: Window,
        ring: Ring,
        *,
        element_bits: int,
        together: int,
        masked: bool,
        pass_bits: int,
        exits: bool = False,
    ) -> None:
        self.window = window
        self.ring = ring
        self.element_bits = element_bits
        self.together = together
        self.masked = masked
        self.exits = exits
        self.groups = -(-window.channels // together)
        word = WindowWord(window.taps * together, element_bits, masked=masked)
        super().__init__(
            {
                "held": In(range(ring.lines + 1)),
                "freed": Out(range((map_lines(window) if exits else window.kernel) + 1)),
                "passes": In(pass_bits),
                "enable": Out(1),
                "addresses": Out(data.ArrayLayout(ring.address_bits, ring.banks)),
                "words": In(data.ArrayLayout(together * element_bits, ring.banks)),
                "o": Out(stream.Signature(word)),
                **({"flush": In(1), "issued": Out(1)} if exits else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        window, ring = self.window, self.ring
        kernel, stride = window.kernel, window.stride

        # The walk: columns of a window, channel groups, positions, rows of positions, passes.
        shared = kernel - stride if self.groups == 1 else 0
        tap = Signal(index_bits(kernel))
        group = Signal(index_bits(self.groups))
        x = Signal(index_bits(window.out_width))
        y = Signal(index_bits(window.out_height))
        passed = Signal.like(self.passes)
        reads = Signal()
        ends_word = Signal()
        ends_position = Signal()
        ends_row = Signal()
        last_row = Signal()
        last_pass = Signal()
        m.d.comb += [
            ends_word.eq(tap == kernel - 1),
            ends_position.eq(ends_word & (group == self.groups - 1)),
            ends_row.eq(ends_position & (x == window.out_width - 1)),
            last_row.eq(y == window.out_height - 1),
            last_pass.eq(passed == self.passes - 1),
        ]
        # Column of the map, its padding counted, and its word in a line, negative in the padding.
        column = Signal(range(window.width + 2 * window.padding + 1))
        start = -window.padding * self.groups
        end = (window.width + window.padding) * self.groups
        place = Signal(signed(1 + max(index_bits(-start + 1), index_bits(end))), init=start)
        with m.If(reads):
            m.d.sync += [tap.eq(tap + 1), column.eq(column + 1), place.eq(place + self.groups)]
            with m.If(ends_word):
                back = (kernel - 1) * self.groups
                m.d.sync += [tap.eq(0), group.eq(group + 1)]
                m.d.sync += [column.eq(column - (kernel - 1)), place.eq(place - back + 1)]
            with m.If(ends_position):
                on = shared + stride - kernel + 1
                m.d.sync += [tap.eq(shared), group.eq(0), x.eq(x + 1)]
                m.d.sync += column.eq(column + on)
                m.d.sync += place.eq(place + on * self.groups - (self.groups - 1))
            with m.If(ends_row):
                m.d.sync += [tap.eq(0), x.eq(0), column.eq(0), place.eq(start)]
                m.d.sync += y.eq(Mux(last_row, 0, y + 1))
                with m.If(last_row):
                    m.d.sync += passed.eq(Mux(last_pass, 0, passed + 1))

        # The first line of the window: its place in the ring, its row in the map with padding, and
        # how many lines before it are kept for the next pass.
        bank, slot = Signal(index_bits(kernel)), Signal(ring.address_bits)
        first_bank, first_slot = Signal.like(bank), Signal.like(slot)
        top = Signal(range(map_lines(window)))
        kept = Signal(range(ring.lines + 1))
        with m.If(reads & ends_row):
            of_row, of_map = ring.later(bank, slot, stride), ring.later(bank, slot, kernel)
            m.d.sync += [bank.eq(of_row[0]), slot.eq(of_row[1]), top.eq(top + stride)]
            with m.If(last_row):
                m.d.sync += [bank.eq(first_bank), slot.eq(first_slot), top.eq(0), kept.eq(0)]
                with m.If(last_pass):
                    m.d.sync += [bank.eq(of_map[0]), slot.eq(of_map[1])]
                    m.d.sync += [first_bank.eq(of_map[0]), first_slot.eq(of_map[1])]
                    m.d.comb += self.freed.eq(kernel)
            with m.Elif(last_pass):
                m.d.comb += self.freed.eq(stride)
            with m.Else():
                m.d.sync += kept.eq(kept + stride)
        if self.exits:
            lines = map_lines(window)
            next_map = ring.later(first_bank, first_slot, lines)
            m.d.comb += self.issued.eq(reads & ends_row & last_row & last_pass)
            with m.If(self.flush):
                m.d.sync += [signal.eq(signal.init) for signal in (tap, group, x, y, passed)]
                m.d.sync += [column.eq(0), place.eq(start), top.eq(0), kept.eq(0)]
                m.d.sync += [bank.eq(next_map[0]), slot.eq(next_map[1])]
                m.d.sync += [first_bank.eq(next_map[0]), first_slot.eq(next_map[1])]
                # In the last pass each row has freed its lines.
                m.d.comb += self.freed.eq(lines - Mux(last_pass, top, 0))
        for number in range(ring.banks):
            in_slot = slot
            if number < ring.banks - 1:
                in_slot = Mux(bank > number, ring.following(slot), slot)
            m.d.comb += self.addresses[number].eq((in_slot + place)[: ring.address_bits])
        m.d.comb += reads.eq(self.enable & (self.held >= kept + kernel))

        gather = Gather(
            kernel=kernel,
            element_bits=self.element_bits,
            together=self.together,
            missing=self.groups * self.together - window.channels,
            masked=self.masked,
        )
        m.submodules.gather = ResetInserter(self.flush)(gather) if self.exits else gather
        wiring.connect(m, gather.o, wiring.flipped(self.o))
        columns, rows = (
            range(window.padding, window.padding + size) for size in (window.width, window.height)
        )
        inside_x = within(column, range(window.width + 2 * window.padding), columns)
        tops = map_lines(window) - kernel + 1
        inside_y = (within(top + ky, range(ky, tops + ky), rows) for ky in range(kernel))
        m.d.comb += [
            self.enable.eq(gather.enable),
            gather.words.eq(self.words),
            gather.column.valid.eq(reads),
            gather.column.ends.eq(ends_word),
            gather.column.short.eq(group == self.groups - 1),
            gather.column.bank.eq(bank),
            gather.column.inside.eq(Cat(line & inside_x for line in inside_y)),
        ]
        return m
