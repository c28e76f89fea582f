"""The crossbar of one layer: reads it group by group and sums what the lanes count."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import Layer
from bbnn.schedule import CODE_BEAT, LUT_ROM_DEPTH, code_memories, vectors_held
from hdl.code_stream import CodeStream
from hdl.codes import code_contents
from hdl.lanes import Lanes
from hdl.macro import Macro
from hdl.popcount import column_counts
from hdl.walk import RowWalk
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["Crossbar", "Sums"]


class Sums(data.StructLayout):
    """The sums of one group of columns, before the neurons.

    With A = `agreeing[p]` (the weighted count of lanes at +1) and B = `driven` (the weighted count
    of driven rows; absent for signs that are not masked, where it is the number of rows),
    ``y = 2 * A - B``. Where sums are reused, y is of the rows that were read, and `certain` says
    that these were the ones that are not sampled. Where codes are streamed, `turns` says that the
    next sums are of the next column group.
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
        if layer.streamed:
            fields["turns"] = 1
        super().__init__(fields)  # type: ignore[arg-type]


class Crossbar(wiring.Component):
    """Walk through column groups, in each through planes, in each through row groups.

    Where codes are streamed, a column group is met by all vectors that are held before the next one
    comes: column groups, vectors, planes, row groups.

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
        The last address of a vector goes out in this cycle; where codes are streamed, the last for
        this column group.
    codes : In(stream.Signature(64))
        As in ``hdl.code_stream.CodeStream``.
    vectors : In
        How many are held, at least 1; constant. Both absent unless codes are streamed.
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
    codes: stream.Interface
    vectors: Signal
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
        streamed = {
            "codes": In(stream.Signature(CODE_BEAT)),
            "vectors": In(bits_for(vectors_held(layer))),
        }
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
                **(streamed if layer.streamed else {}),
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
        last = wants & walk.last & last_plane
        over = last if layer.streamed else last & last_column_group
        turns = self._last_vector(m, last & moves) if layer.streamed else None
        m.d.comb += [
            self.enable.eq(moves),
            walk.go.eq(issues),
            self.row_group.eq(walk.row_group),
            self.vector_address.eq(plane_base + walk.row_group),
            last_plane.eq(self.plane == layer.drive.bits - 1),
            last_column_group.eq(self.column_group == layer.column_groups - 1),
            issues.eq(wants & moves),
            self.done.eq(over & moves),
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
                m.d.sync += [self.plane.eq(0), plane_base.eq(0)]
                with nullcontext() if turns is None else m.If(turns):
                    m.d.sync += self.column_group.eq(self.column_group + 1)
                    m.d.sync += code_base.eq(code_base + layer.row_groups)
                    with m.If(last_column_group):
                        m.d.sync += [self.column_group.eq(0), code_base.eq(0)]
        if layer.folding.skip_zeros or layer.folding.reuse:
            m.d.comb += code_address.eq(code_base + walk.row_group)
        elif not layer.streamed:
            # A register: the sum and the memory's many address lines in one cycle are a long path.
            with m.If(issues):
                m.d.sync += code_address.eq(code_address + 1)
                with m.If(walk.last & ~last_plane):
                    m.d.sync += code_address.eq(code_base)
                with m.Elif(walk.last & last_column_group):
                    m.d.sync += code_address.eq(0)

        # Codes, or a macro's weights, and marks arrive together with the drive and the noise.
        read_marks = Signal(_Marks(layer))
        if turns is not None:
            m.submodules.code_stream = codes = CodeStream(
                word=code_memories(layer)[0][0],
                row_groups=layer.row_groups,
                column_groups=layer.column_groups,
            )
            wiring.connect(m, wiring.flipped(self.codes), codes.i)
            m.d.comb += [
                codes.row_group.eq(self.row_group),
                codes.enable.eq(moves),
                codes.swap.eq(self.done & turns),
                wants.eq(self.valid & codes.ready),
            ]
            words: Value = codes.data
        elif self.macro_vectors is None:
            m.d.comb += wants.eq(self.valid)
            words = self._read_codes(m, moves, code_address, last & moves, last_column_group)
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
            if turns is not None:
                m.d.sync += read_marks.turns.eq(turns)

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
            if turns is not None:
                m.d.sync += self.o.p.turns.eq(marks.turns)
        for count, total in counted:
            addend = Signal.like(count)
            before = Signal.like(total)
            m.d.comb += before.eq(Mux(marks.clears, 0, Mux(marks.doubles, total << 1, total)))
            with m.If(moves):
                m.d.sync += addend.eq(count)
                with m.If(marks.valid):
                    m.d.sync += total.eq(addend + before)
        return m

    def _last_vector(self, m: Module, ends_group: Value) -> Value:
        """Say whether the vector that is read is the last one that is held."""
        vector = Signal.like(self.vectors)
        last = Signal()
        m.d.comb += last.eq(vector == self.vectors - 1)
        with m.If(ends_group):
            m.d.sync += vector.eq(Mux(last, 0, vector + 1))
        return last

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
        fields = ["valid", "clears", "doubles", "ends"]
        fields += ["certain"] * layer.folding.reuse + ["turns"] * layer.streamed
        super().__init__(dict.fromkeys(fields, 1))
