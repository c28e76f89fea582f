"""The crossbar of one layer: reads it group by group and sums what the lanes count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import Layer
from bbnn.schedule import LUT_ROM_DEPTH, code_memories
from hdl.lanes import Lanes
from hdl.macro import Macro
from hdl.popcount import column_counts
from hdl.walk import RowWalk
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Crossbar", "Sums", "code_contents", "code_words"]


def code_words(layer: Layer) -> list[int]:
    """Return the code memory: a word per column group and row group, row groups inside.

    Row s, code bit k, lane p is bit ``(s*(b + 1) + k) * lanes_out + p`` (``hdl.lanes``); rows and
    columns beyond the layer's have code 0. Of a layer that samples only some rows, it holds the
    highest bit of all codes, as if b were 0.
    """
    b = layer.probability_bits
    planes = range(b + 1) if layer.sampled is None else range(b, b + 1)
    return _words(layer, planes, layer.row_groups)


def code_contents(layer: Layer) -> dict[str, list[int]]:
    """Return what the code memories hold, by their names, as ``bbnn.schedule.code_memories``."""
    codes = {"codes": code_words(layer)}
    return codes if layer.sampled is None else {**codes, "fractions": fraction_words(layer)}


def fraction_words(layer: Layer) -> list[int]:
    """Return the b low bits of the sampled row groups' codes, in the same order; then a word of 0.

    Rows that are not sampled find this word: their codes are 0 or 2**b.
    """
    return [*_words(layer, range(layer.probability_bits), layer.sampled_groups), 0]


def _words(layer: Layer, planes: range, row_groups: int) -> list[int]:
    """Return these bits of the codes of the first row groups."""
    lanes_in, lanes_out = layer.folding.lanes_in, layer.folding.lanes_out
    order = layer.row_order[: row_groups * lanes_in]
    padded = np.zeros((len(order), layer.column_groups * lanes_out), np.uint16)
    padded[order >= 0, : layer.columns] = layer.codes[order[order >= 0]]
    bits = padded[..., None] >> np.array(planes, np.uint16) & 1
    grouped = bits.reshape(row_groups, lanes_in, layer.column_groups, lanes_out, len(planes))
    ordered = grouped.transpose(2, 0, 1, 4, 3).astype(np.uint8)
    rows = ordered.reshape(layer.column_groups * row_groups, -1)
    packed = np.packbits(rows, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


class Sums(data.StructLayout):
    """The sums of one group of columns, before the neurons.

    With A = `agreeing[p]` (the weighted count of lanes at +1) and B = `driven` (the weighted count
    of driven rows; absent for signs that are not masked, where it is the number of rows),
    ``y = 2 * A - B``. Where sums are reused, y is of the rows that were read, and `certain` says
    that these were the ones that are not sampled.
    """

    def __init__(self, layer: Layer) -> None:
        width = bits_for(layer.reach)
        fields: dict[str, data.ArrayLayout | object] = {
            "agreeing": data.ArrayLayout(unsigned(width), layer.folding.lanes_out)
        }
        if layer.drive.kind == "unsigned" or layer.masked:
            fields["driven"] = unsigned(width)
        if layer.folding.reuse:
            fields["certain"] = 1
        super().__init__(fields)  # type: ignore[arg-type]


class Crossbar(wiring.Component):
    """Walk through column groups, in each through planes, in each through row groups.

    Of row groups all are read, or only the live ones (``hdl.walk``); where sums are reused, those
    with sampled rows, or the others.

    A layer that samples only some rows has a memory of one bit a code for all row groups, and
    another one for the codes' other bits for those with sampled rows.

    One group of rows and columns a cycle: addresses go out, memories answer in the next cycle, what
    the lanes say is registered, then their counts, and these are accumulated (``acc = 2 * acc`` at
    each new plane). A column group's sums are offered four cycles after its last address; while
    nobody takes them, everything stands still.

    Parameters
    ----------
    layer : Layer
    macro_vectors : int or None
        The weights are those of a macro (``hdl.macro``), which a member reads for so many vectors.
        If None, they are sampled here, from codes and noise.

    Members
    -------
    valid : In(1)
        Vector and noise are there; stays until `done`.
    done : Out(1)
        The last address of a vector goes out in this cycle.
    enable : Out(1)
        The memories answer in the next cycle.
    plane : Out(range(planes))
    live : In(row_groups)
        Row groups of which some row is driven in `plane`. Absent unless zeros are skipped.
    certain : In(1)
        Read the row groups without sampled rows, with no need for noise; stays until `done`. Absent
        unless sums are reused.
    vector_address : Out(range(planes * row_groups))
    row_group : Out(range(row_groups))
    column_group : Out(range(column_groups))
    drive : In(lanes_in)
        Word at `vector_address`.
    driven : In(lanes_in)
        Its rows that do not carry 0; absent unless the layer is masked.
    row_noise, column_noise : In(...)
        Words at `row_group` and `column_group` (``hdl.noise_plane``); absent where b is 0 and with
        a macro.
    o : Out(stream.Signature(Sums(layer)))
    """

    valid: Signal
    done: Signal
    enable: Signal
    plane: Signal
    live: Signal
    certain: Signal
    vector_address: Signal
    row_group: Signal
    column_group: Signal
    drive: Signal
    driven: Signal
    row_noise: Signal
    column_noise: Signal
    o: stream.Interface

    def __init__(self, layer: Layer, macro_vectors: int | None = None) -> None:
        self.layer = layer
        self.macro_vectors = macro_vectors
        self.sampled_bits = layer.probability_bits if macro_vectors is None else 0
        lanes_in, lanes_out = layer.folding.lanes_in, layer.folding.lanes_out
        masked = {"driven": In(lanes_in)} if layer.masked else {}
        live = {"live": In(layer.row_groups)} if layer.folding.skip_zeros else {}
        certain = {"certain": In(1)} if layer.folding.reuse else {}
        noise = {}
        if layer.noise is not None and self.sampled_bits:
            noise = {
                "row_noise": In(lanes_in * layer.noise.row_bits),
                "column_noise": In(lanes_out * self.sampled_bits),
            }
        super().__init__(
            {
                "valid": In(1),
                "done": Out(1),
                "enable": Out(1),
                "plane": Out(index_bits(layer.drive.bits)),
                **live,
                **certain,
                "vector_address": Out(index_bits(layer.drive.bits * layer.row_groups)),
                "row_group": Out(index_bits(layer.row_groups)),
                "column_group": Out(index_bits(layer.column_groups)),
                "drive": In(lanes_in),
                **masked,
                **noise,
                "o": Out(stream.Signature(Sums(layer))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        layer = self.layer
        lanes_out = layer.folding.lanes_out

        # Addresses. All but `moves` comes early, so it is left to the end of every product.
        moves = Signal()
        wants = Signal()
        issues = Signal()
        plane_base = Signal(len(self.vector_address))
        code_base = Signal(index_bits(layer.row_groups * layer.column_groups))
        code_address = Signal.like(code_base)
        m.submodules.walk = walk = RowWalk(
            layer.row_groups,
            skips=layer.folding.skip_zeros,
            parts=layer.sampled_groups if layer.folding.reuse else None,
        )
        last_plane = Signal()
        last_column_group = Signal()
        m.d.comb += [
            self.enable.eq(moves),
            walk.go.eq(issues),
            self.row_group.eq(walk.row_group),
            self.vector_address.eq(plane_base + walk.row_group),
            last_plane.eq(self.plane == layer.drive.bits - 1),
            last_column_group.eq(self.column_group == layer.column_groups - 1),
            issues.eq(wants & moves),
            self.done.eq((wants & walk.last & last_plane & last_column_group) & moves),
        ]
        if layer.folding.skip_zeros:
            m.d.comb += walk.live.eq(self.live)
        if layer.folding.reuse:
            m.d.comb += walk.second.eq(self.certain)
        with m.If(issues & walk.last):
            m.d.sync += [
                self.plane.eq(self.plane + 1),
                plane_base.eq(plane_base + layer.row_groups),
            ]
            with m.If(last_plane):
                m.d.sync += [
                    self.plane.eq(0),
                    plane_base.eq(0),
                    self.column_group.eq(self.column_group + 1),
                    code_base.eq(code_base + layer.row_groups),
                ]
                with m.If(last_column_group):
                    m.d.sync += [self.column_group.eq(0), code_base.eq(0)]
        if layer.folding.skip_zeros or layer.folding.reuse:
            m.d.comb += code_address.eq(code_base + walk.row_group)
        else:
            # A register: the sum and the memory's many address lines in one cycle are a long path.
            with m.If(issues):
                m.d.sync += code_address.eq(code_address + 1)
                with m.If(walk.last & ~last_plane):
                    m.d.sync += code_address.eq(code_base)
                with m.Elif(walk.last & last_column_group):
                    m.d.sync += code_address.eq(0)

        # Codes, or a macro's weights, and marks arrive together with the drive and the noise.
        read_marks = Signal(_Marks(layer))
        if self.macro_vectors is None:
            m.d.comb += wants.eq(self.valid)
            ends_group = issues & walk.last & last_plane
            words = self._read_codes(m, moves, code_address, ends_group, last_column_group)
        else:
            m.submodules.macro = macro = Macro(layer, self.macro_vectors)
            m.d.comb += [
                macro.row_group.eq(self.row_group),
                macro.column_group.eq(self.column_group),
                macro.read.eq(issues),
                macro.done.eq(self.done),
                wants.eq(self.valid & macro.ready),
            ]
            words = macro.weights
        with m.If(moves):
            m.d.sync += [
                read_marks.valid.eq(issues),
                read_marks.clears.eq(walk.first & (self.plane == 0)),
                read_marks.doubles.eq(walk.first),
                read_marks.ends.eq(walk.last & last_plane),
            ]
            if layer.folding.reuse:
                m.d.sync += read_marks.certain.eq(self.certain)

        # Lanes.
        m.submodules.lanes = lanes = Lanes(
            lanes_in=layer.folding.lanes_in,
            lanes_out=lanes_out,
            probability_bits=self.sampled_bits,
            row_bits=layer.noise.row_bits if layer.noise and self.sampled_bits else 0,
            drive_kind="masked" if layer.masked else layer.drive.kind,
            registered=True,
        )
        m.d.comb += [
            lanes.enable.eq(moves),
            lanes.drive.eq(self.drive),
            lanes.codes.eq(words),
        ]
        if layer.masked:
            m.d.comb += lanes.driven.eq(self.driven)
        if self.sampled_bits:
            m.d.comb += [
                lanes.row_noise.eq(self.row_noise),
                lanes.column_noise.eq(self.column_noise),
            ]
        counted = [(lanes.counts[p], self.o.p.agreeing[p]) for p in range(lanes_out)]
        if "driven" in Sums(layer).members:
            rows = Signal(layer.folding.lanes_in)
            with m.If(moves):
                m.d.sync += rows.eq(self.driven if layer.masked else self.drive)
            ones = Signal(range(layer.folding.lanes_in + 1))
            m.d.comb += ones.eq(column_counts(m, [list(rows)])[0])
            counted.append((ones, self.o.p.driven))

        # Accumulation.
        lane_marks = Signal(_Marks(layer))
        marks = Signal(_Marks(layer))
        m.d.comb += moves.eq(~(self.o.valid & ~self.o.ready))
        with m.If(moves):
            m.d.sync += [lane_marks.eq(read_marks), marks.eq(lane_marks)]
            m.d.sync += [self.o.valid.eq(marks.valid & marks.ends)]
            if layer.folding.reuse:
                m.d.sync += self.o.p.certain.eq(marks.certain)
        for count, total in counted:
            addend = Signal.like(count)
            before = Signal.like(total)
            m.d.comb += before.eq(Mux(marks.clears, 0, Mux(marks.doubles, total << 1, total)))
            with m.If(moves):
                m.d.sync += addend.eq(count)
                with m.If(marks.valid):
                    m.d.sync += total.eq(addend + before)
        return m

    def _read_codes(
        self, m: Module, moves: Signal, address: Signal, ends_group: Value, ends_vector: Value
    ) -> Value:
        """Return the codes of the group that is read, a cycle later, as lanes take them."""
        layer = self.layer
        ports = []
        contents = code_contents(layer).items()
        for (name, words), (width, depth) in zip(contents, code_memories(layer), strict=True):
            m.submodules[name] = codes = memory.Memory(
                shape=width,
                depth=max(2, depth),
                init=words,
                attrs={"ram_style": "block"} if depth > LUT_ROM_DEPTH else {},
            )
            ports.append(codes.read_port())
            m.d.comb += ports[-1].en.eq(moves)
        m.d.comb += ports[0].addr.eq(address)
        if layer.sampled is None:
            return ports[0].data
        top, rest = ports
        return self._with_fractions(m, top, rest, ends_group, ends_vector)

    def _with_fractions(
        self, m: Module, top: Any, rest: Any, ends_group: Value, ends_vector: Value
    ) -> Value:
        """Read the codes' other bits beside their highest, and return them as lanes take codes."""
        layer = self.layer
        base, none = Signal.like(rest.addr), layer.sampled_groups * layer.column_groups
        sampled = self.row_group < layer.sampled_groups
        m.d.comb += rest.addr.eq(Mux(sampled, base + self.row_group, none))
        with m.If(ends_group):
            m.d.sync += base.eq(Mux(ends_vector, 0, base + layer.sampled_groups))
        columns = layer.folding.lanes_out
        parts = []
        for row in range(layer.folding.lanes_in):
            parts.append(rest.data.word_select(row, columns * layer.probability_bits))
            parts.append(top.data.word_select(row, columns))
        return Cat(parts)


class _Marks(data.StructLayout):
    """What a cycle's counts mean to the accumulators."""

    def __init__(self, layer: Layer) -> None:
        certain = {"certain": 1} if layer.folding.reuse else {}
        super().__init__({"valid": 1, "clears": 1, "doubles": 1, "ends": 1, **certain})
