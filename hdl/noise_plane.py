"""The noise plane: the few random bits from which every lane of a layer makes its word.

Contract: docs/numbers.md. Bits are drawn in the order of rows, columns, maps, and only read
afterwards, so that a member sees one weight per synapse however often the crossbar is read.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Ensemble, Layer
from bbnn.schedule import noise_step, noise_words
from hdl.lfsr import LFSR
from hdl.noise_memory import NoiseMemory
from hdl.noise_words import by_plane, kept_maps, rotated
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["NoisePlane"]


class NoisePlane(wiring.Component):
    """Draw, hold and deliver the row, column and map bits of one layer, two fillings deep.

    One filling is drawn while the other is read; drawing takes ``noise_bits / step + 1`` cycles.
    After reset the LFSR starts from `seed`; with ``reseed = image`` it does so again for every
    image.

    Parameters
    ----------
    layer : Layer
        Geometry: rows, columns, maps, lanes, K and b; dropout.
    ensemble : Ensemble
        `reseed` and `stratified`.
    lfsr_width, vectors, member_bits : int
        Bits of the LFSR; how often a member reads the crossbar; bits of `members`.

    Members
    -------
    seed : In(lfsr_width)
        Constant out of reset and not 0.
    members : In(member_bits)
        Members of an image; constant out of reset and not 0.
    test, take : In(1)
        With `test`, constant out of reset, nothing is filled, and `take` alone draws `bits`.
    bits : Out(step)
        The next bits of the stream, the first one lowest.
    valid : Out(1)
        The bits of the next member can be read.
    done : In(1)
        The reader asks for the last word of a vector in this cycle.
    enable : In(1)
        Read in this cycle; otherwise the data stay.
    row_group : In(range(row_groups))
    column_group : In(range(column_groups))
    row_noise : Out(lanes_in * K)
        Bits of the rows of `row_group`, row s at s*K, one cycle later, rotated so that lane p takes
        positions ``(p*b + t) mod K``. Absent if b is 0.
    column_noise : Out(b * lanes_out)
        Bits of the columns of `column_group`, one cycle later, bit t of all columns at t*lanes_out;
        a stratified member's word is already in them. Absent if b is 0.
    kept : Out(maps of a row group)
        Which input maps of `row_group` are not dropped, one cycle later; 0 beyond the last map.
        Absent without dropout.
    live : Out(row_groups)
        Row groups of which some map is not dropped. Absent unless zeros are skipped, too.
    """

    seed: Signal
    members: Signal
    test: Signal
    take: Signal
    bits: Signal
    valid: Signal
    done: Signal
    enable: Signal
    row_group: Signal
    column_group: Signal
    row_noise: Signal
    column_noise: Signal
    kept: Signal
    live: Signal

    def __init__(
        self,
        layer: Layer,
        ensemble: Ensemble,
        lfsr_width: int,
        vectors: int = 1,
        member_bits: int = 16,
    ) -> None:
        assert layer.noise is not None
        self.layer = layer
        self.ensemble = ensemble
        self.lfsr_width = lfsr_width
        self.vectors = vectors
        lanes = layer.folding
        noise = {
            "row_noise": Out(lanes.lanes_in * layer.noise.row_bits),
            "column_noise": Out(lanes.lanes_out * layer.probability_bits),
        }
        live = layer.dropout is not None and layer.folding.skip_zeros
        super().__init__(
            {
                "seed": In(lfsr_width),
                "members": In(member_bits),
                "test": In(1),
                "take": In(1),
                "bits": Out(noise_step(layer, lfsr_width)),
                "valid": Out(1),
                "done": In(1),
                "enable": In(1),
                "row_group": In(index_bits(layer.row_groups)),
                "column_group": In(index_bits(layer.column_groups)),
                **(noise if layer.probability_bits else {}),
                **({"kept": Out(lanes.lanes_in // layer.taps)} if layer.dropout else {}),
                **({"live": Out(layer.row_groups)} if live else {}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        layer = self.layer
        b = layer.probability_bits
        step = noise_step(layer, self.lfsr_width)
        m.submodules.lfsr = lfsr = LFSR(width=self.lfsr_width, step=step)
        sides = {
            name: NoiseMemory(step=step, word=word, length=length)
            for name, (word, length) in noise_words(layer).items()
        }
        full = Signal(2)
        write_half = Signal()
        read_half = Signal()
        m.d.comb += self.valid.eq(full.bit_select(read_half, 1))
        for name, side in sides.items():
            m.submodules[name] = side
            m.d.comb += [
                side.bits.eq(lfsr.bits),
                side.write_half.eq(write_half),
                side.read_half.eq(read_half),
                side.enable.eq(self.enable),
                side.group.eq(self.column_group if name == "columns" else self.row_group),
            ]

        # Drawing: one side after the other.
        started = Signal()
        room = Signal()
        draw = Signal()
        drawn = Signal(index_bits(layer.noise_bits // step))
        last_draw = Signal()
        restart = Signal()
        filled = [*sides.values()][-1].filled
        m.d.sync += started.eq(1)
        m.d.comb += [
            room.eq(~full.bit_select(write_half, 1) & ~filled),
            draw.eq(started & Mux(self.test, self.take, room)),
            self.bits.eq(lfsr.bits),
            last_draw.eq(drawn == layer.noise_bits // step - 1),
            lfsr.seed.eq(self.seed),
            lfsr.load.eq(~started | (draw & last_draw & restart & ~self.test)),
            lfsr.advance.eq(draw),
        ]
        ends = [*accumulate(side.length // step for side in sides.values())]
        for side, start, end in zip(sides.values(), [0, *ends], ends, strict=False):
            begun = drawn >= start if start else 1
            begun = begun & (drawn < end if end != ends[-1] else 1)
            m.d.comb += side.draw.eq(draw & ~self.test & begun)
        with m.If(draw):
            m.d.sync += drawn.eq(Mux(last_draw, 0, drawn + 1))
        with m.If(filled):
            m.d.sync += full.bit_select(write_half, 1).eq(1)
            m.d.sync += write_half.eq(~write_half)
        # A register, which is right when the first bits are drawn.
        last_number = Signal.like(self.members)
        m.d.sync += last_number.eq(self.members - 1)
        if self.ensemble.reseed == "image":
            filling = Signal.like(self.members)
            held = b if self.ensemble.stratified else 0
            m.d.comb += restart.eq(filling == last_number >> held)
            with m.If(draw & last_draw):
                m.d.sync += filling.eq(Mux(restart, 0, filling + 1))

        # Reading: a filling is over after its member, or after its group of stratified members.
        member = Signal.like(self.members)
        ends_member = Signal()
        last_member = Signal()
        ends_filling = Signal()
        m.d.comb += [
            ends_member.eq(self._counted(m)),
            last_member.eq(member == last_number),
            ends_filling.eq(last_member | member[:b].all() if self.ensemble.stratified else 1),
        ]
        with m.If(ends_member):
            m.d.sync += member.eq(Mux(last_member, 0, member + 1))
            with m.If(ends_filling):
                m.d.sync += full.bit_select(read_half, 1).eq(0)
                m.d.sync += read_half.eq(~read_half)
        if b:
            stratum = member[:b] if self.ensemble.stratified else None
            turned = rotated(m, layer, sides["rows"].data, self.column_group, self.enable)
            sampled = by_plane(m, layer, sides["columns"].data, stratum, self.enable)
            m.d.comb += [self.row_noise.eq(turned), self.column_noise.eq(sampled)]
        if layer.dropout:
            maps = sides["maps"]
            m.d.comb += self.kept.eq(kept_maps(layer.dropout, maps.data))
            if layer.folding.skip_zeros:
                lives = Signal(data.ArrayLayout(layer.row_groups, 2))
                some = kept_maps(layer.dropout, maps.word_data).any()
                with m.If(maps.written):
                    m.d.sync += lives[write_half].bit_select(maps.target, 1).eq(some)
                m.d.comb += self.live.eq(lives[read_half])
        return m

    def _counted(self, m: Module) -> Value:
        """Say whether a member's last vector ends."""
        if self.vectors == 1:
            return self.done
        vector, last = Signal(range(self.vectors)), Signal()
        m.d.comb += last.eq(vector == self.vectors - 1)
        with m.If(self.done):
            m.d.sync += vector.eq(Mux(last, 0, vector + 1))
        return self.done & last
