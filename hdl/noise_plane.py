"""The noise plane: the few random bits from which every lane of a layer makes its word.

Contract: docs/numbers.md. Bits are drawn in the order of rows, then columns, and only read
afterwards, so that a member sees one weight per synapse however often the crossbar is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Layer, Ensemble
from bbnn.schedule import noise_step
from hdl.lfsr import LFSR
from hdl.noise_memory import NoiseMemory
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["NoisePlane"]


class NoisePlane(wiring.Component):
    """Draw, hold and deliver the row and column bits of one layer, two fillings deep.

    One filling is drawn while the other is read; drawing takes ``noise_bits / step + 1`` cycles.
    After reset the LFSR starts from `seed`; with ``reseed = image`` it does so again for every
    image.

    Parameters
    ----------
    layer : Layer
        Geometry: rows, columns, lanes, K and b.
    ensemble : Ensemble
        `reseed` and `stratified`.
    lfsr_width : int
        Bits of the LFSR.

    Members
    -------
    seed : In(lfsr_width)
        Constant out of reset and not 0.
    members : In(16)
        T; constant out of reset and not 0.
    valid : Out(1)
        The bits of the next member can be read.
    done : In(1)
        The reader asks for its last word in this cycle: one member is over.
    enable : In(1)
        Read in this cycle; otherwise the data stay.
    row_group : In(range(row_groups))
    column_group : In(range(column_groups))
    row_noise : Out(lanes_in * K)
        Bits of the rows of `row_group`, row s at s*K, one cycle later, rotated so that lane p takes
        positions ``(p*b + t) mod K``.
    column_noise : Out(b * lanes_out)
        Bits of the columns of `column_group`, one cycle later, bit t of all columns at t*lanes_out;
        a stratified member's word is already in them.
    """

    seed: Signal
    members: Signal
    valid: Signal
    done: Signal
    enable: Signal
    row_group: Signal
    column_group: Signal
    row_noise: Signal
    column_noise: Signal

    def __init__(self, layer: Layer, ensemble: Ensemble, lfsr_width: int) -> None:
        assert layer.noise is not None
        self.layer = layer
        self.ensemble = ensemble
        self.lfsr_width = lfsr_width
        self.row_bits = layer.noise.row_bits
        super().__init__(
            {
                "seed": In(lfsr_width),
                "members": In(16),
                "valid": Out(1),
                "done": In(1),
                "enable": In(1),
                "row_group": In(index_bits(layer.row_groups)),
                "column_group": In(index_bits(layer.column_groups)),
                "row_noise": Out(layer.folding.lanes_in * self.row_bits),
                "column_noise": Out(layer.folding.lanes_out * layer.probability_bits),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        layer = self.layer
        b = layer.probability_bits
        step = noise_step(layer, self.lfsr_width)
        m.submodules.lfsr = lfsr = LFSR(width=self.lfsr_width, step=step)
        m.submodules.rows = rows = NoiseMemory(
            step=step,
            word=layer.folding.lanes_in * self.row_bits,
            length=layer.rows * self.row_bits,
        )
        m.submodules.columns = columns = NoiseMemory(
            step=step, word=layer.folding.lanes_out * b, length=layer.columns * b
        )
        full = Signal(2)
        write_half = Signal()
        read_half = Signal()
        m.d.comb += self.valid.eq(full.bit_select(read_half, 1))
        for side in (rows, columns):
            m.d.comb += [
                side.bits.eq(lfsr.bits),
                side.write_half.eq(write_half),
                side.read_half.eq(read_half),
                side.enable.eq(self.enable),
            ]

        # Drawing: the bits of the rows, then those of the columns.
        started = Signal()
        draw = Signal()
        drawn = Signal(index_bits(layer.noise_bits // step))
        last_draw = Signal()
        restart = Signal()
        m.d.sync += started.eq(1)
        m.d.comb += [
            draw.eq(started & ~full.bit_select(write_half, 1) & ~columns.filled),
            last_draw.eq(drawn == layer.noise_bits // step - 1),
            lfsr.seed.eq(self.seed),
            lfsr.load.eq(~started | (draw & last_draw & restart)),
            lfsr.advance.eq(draw),
            columns.draw.eq(draw & (drawn >= layer.rows * self.row_bits // step)),
            rows.draw.eq(draw & ~columns.draw),
        ]
        with m.If(draw):
            m.d.sync += drawn.eq(Mux(last_draw, 0, drawn + 1))
        with m.If(columns.filled):
            m.d.sync += full.bit_select(write_half, 1).eq(1)
            m.d.sync += write_half.eq(~write_half)
        if self.ensemble.reseed == "image":
            filling = Signal(16)
            held = b if self.ensemble.stratified else 0
            m.d.comb += restart.eq(filling == (self.members - 1)[:16] >> held)
            with m.If(draw & last_draw):
                m.d.sync += filling.eq(Mux(restart, 0, filling + 1))

        # Reading: a filling is over after its member, or after its group of stratified members.
        member = Signal(16)
        last_member = Signal()
        ends_filling = Signal()
        m.d.comb += [
            last_member.eq(member == self.members - 1),
            ends_filling.eq(last_member | member[:b].all() if self.ensemble.stratified else 1),
            rows.group.eq(self.row_group),
            columns.group.eq(self.column_group),
        ]
        with m.If(self.done):
            m.d.sync += member.eq(Mux(last_member, 0, member + 1))
            with m.If(ends_filling):
                m.d.sync += full.bit_select(read_half, 1).eq(0)
                m.d.sync += read_half.eq(~read_half)
        m.d.comb += [
            self.row_noise.eq(self._rotated(m, rows.data)),
            self.column_noise.eq(self._stratified(m, columns.data, member)),
        ]
        return m

    def _rotated(self, m: Module, data: Value) -> Value:
        """Turn each row's K bits so that lane 0 of the column group finds its first bit lowest."""
        k, lanes_out = self.row_bits, self.layer.folding.lanes_out
        turns = [
            group * lanes_out * self.layer.probability_bits % k
            for group in range(self.layer.column_groups)
        ]
        if not any(turns):
            return data
        turned = Signal.like(data)
        group = Signal.like(self.column_group)
        with m.If(self.enable):
            m.d.sync += group.eq(self.column_group)
        with m.Switch(group):
            for number, turn in enumerate(turns):
                with m.Case(number):
                    words = (data.word_select(i, k) for i in range(self.layer.folding.lanes_in))
                    m.d.comb += turned.eq(Cat(word.rotate_right(turn) for word in words))
        return turned

    def _stratified(self, m: Module, data: Value, member: Signal) -> Value:
        """Sort the bits by plane, and put the stratified member's bit-reversed number into them."""
        b, lanes_out = self.layer.probability_bits, self.layer.folding.lanes_out
        planes = [Cat(data[lane * b + bit] for lane in range(lanes_out)) for bit in range(b)]
        if not self.ensemble.stratified:
            return Cat(planes)
        number = Signal(b)
        with m.If(self.enable):
            m.d.sync += number.eq(member[:b])
        return Cat(plane ^ number[b - 1 - t].replicate(lanes_out) for t, plane in enumerate(planes))
