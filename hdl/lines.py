"""The line buffer: a map comes pixel by pixel, every position's window leaves word by word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Window
from bbnn.schedule import lines_held, map_lines
from hdl.gather import WindowWord
from hdl.repack import Repack
from hdl.ring import Ring
from hdl.widths import index_bits, within
from hdl.windows import WindowReader

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["LineBuffer"]


class LineBuffer(wiring.Component):
    """Keep the lines of maps while windows pass over them; give the windows in raster order.

    Lines lie in a ring of K banks, neighbours in different banks, so that a column of a window is
    read in one cycle, for G channels at a time (``hdl.windows``). Lines of padding take a place in
    the ring and a cycle to be counted, but are never written: what lies outside the map is told by
    its coordinates. Lines below the last window are taken and dropped.

    A pixel is taken in ``channels / piece`` cycles (``hdl.repack``); while the ring is full,
    nothing is. A row of positions is read as soon as its K lines are there: its first word is
    offered K + 2 cycles after the last of them was completed. It frees `stride` lines with the last
    column that it reads, the last row of a map frees all that are left. Where maps are read several
    times, only the last pass frees lines, and two whole maps fit (``bbnn.schedule.lines_held``).

    Parameters
    ----------
    window : Window
    element_bits, chunk : int
        Bits of an element; elements of an input chunk.
    together : int
        Channels of a word, G.
    pad : int
        Element of the channels that the last group of a position lacks.
    masked : bool
        Say of every row whether it is driven.
    replays : bool
        Whether maps are read several times.
    exits : bool
        Whether a map that is replayed may be given up before its last pass.
    pass_bits : int
        Bits of `passes`.

    Members
    -------
    i : In(stream.Signature(chunk * element_bits))
        Pixel after pixel, in each channel after channel; each begins with a fresh chunk.
    o : Out(stream.Signature(WindowWord))
        Position after position, in each channel group after channel group.
    passes : In(pass_bits)
        How often each map is read, at least 1; constant. Absent unless maps are replayed.
    flush : In(1)
        Give up the map that is being read, all of which has come.
    issued : Out(1)
        The last pass of a map is over, in this cycle. Both absent unless it exits.
    """

    i: stream.Interface
    o: stream.Interface
    passes: Signal
    flush: Signal
    issued: Signal

    def __init__(
        self,
        window: Window,
        *,
        element_bits: int,
        chunk: int,
        together: int,
        pad: int = 0,
        masked: bool = False,
        replays: bool = False,
        exits: bool = False,
        pass_bits: int = 16,
    ) -> None:
        self.window = window
        self.element_bits = element_bits
        self.chunk = chunk
        self.together = together
        self.pad = pad
        self.masked = masked
        self.replays = replays
        self.exits = exits
        self.pass_bits = pass_bits
        groups = -(-window.channels // together)
        self.ring = Ring(
            banks=window.kernel,
            lines=lines_held(window, replays=replays),
            line_words=window.width * groups,
        )
        word = WindowWord(window.taps * together, element_bits, masked=masked)
        super().__init__(
            {
                "i": In(stream.Signature(chunk * element_bits)),
                "o": Out(stream.Signature(word)),
                **({"passes": In(pass_bits)} if replays else {}),
                **({"flush": In(1), "issued": Out(1)} if exits else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        m.submodules.reader = reader = WindowReader(
            self.window,
            self.ring,
            element_bits=self.element_bits,
            together=self.together,
            masked=self.masked,
            exits=self.exits,
            pass_bits=self.pass_bits,
        )
        wiring.connect(m, reader.o, wiring.flipped(self.o))
        m.d.comb += reader.passes.eq(self.passes if self.replays else 1)
        if self.exits:
            m.d.comb += [reader.flush.eq(self.flush), self.issued.eq(reader.issued)]

        writes = []
        for number in range(self.ring.banks):
            bank = memory.Memory(
                shape=self.together * self.element_bits, depth=self.ring.depth, init=[]
            )
            m.submodules[f"bank_{number}"] = bank
            writes.append(bank.write_port())
            read = bank.read_port()
            m.d.comb += [
                read.addr.eq(reader.addresses[number]),
                read.en.eq(reader.enable),
                reader.words[number].eq(read.data),
            ]

        # Lines that are complete, and not freed.
        held = Signal(range(self.ring.lines + 1))
        completes = Signal()
        self._fill(m, writes, held, completes)
        m.d.comb += reader.held.eq(held)
        m.d.sync += held.eq(held + completes - reader.freed)
        return m

    def _fill(
        self, m: Module, ports: list[memory.WritePort], held: Signal, completes: Signal
    ) -> None:
        """Write the lines, padding among them, that any window covers; drop the others."""
        window, ring = self.window, self.ring
        m.submodules.repack = repack = Repack(
            element_bits=self.element_bits,
            chunk=self.chunk,
            word=self.together,
            length=window.channels,
            pad=self.pad,
        )
        wiring.connect(m, wiring.flipped(self.i), repack.i)
        covered, below = map_lines(window), window.padding + window.height
        lines = max(covered, below)
        line = Signal(index_bits(lines))
        place = Signal(index_bits(ring.line_words))
        bank = Signal(index_bits(ring.banks))
        slot = Signal(ring.address_bits)
        real = Signal()
        kept = Signal()
        goes_on = Signal()
        written = Signal()
        ends_line = Signal()
        m.d.comb += [
            real.eq(within(line, range(lines), range(window.padding, below))),
            kept.eq(within(line, range(lines), range(covered))),
            goes_on.eq(~kept | (held != ring.lines)),
            repack.o.ready.eq(goes_on & real),
            written.eq(repack.o.valid & repack.o.ready),
            ends_line.eq(Mux(real, written & (place == ring.line_words - 1), goes_on)),
            completes.eq(ends_line & kept),
        ]
        for number, port in enumerate(ports):
            m.d.comb += [
                port.addr.eq(slot + place),
                port.data.eq(repack.o.payload),
                port.en.eq(written & kept & (bank == number)),
            ]
        with m.If(written):
            m.d.sync += place.eq(place + 1)
        with m.If(ends_line):
            m.d.sync += [place.eq(0), line.eq(Mux(line == lines - 1, 0, line + 1))]
        with m.If(completes):
            later_bank, later_slot = ring.later(bank, slot, 1)
            m.d.sync += [bank.eq(later_bank), slot.eq(later_slot)]
