"""Output neurons: make logits of the sums, in a spiking network of their sums over all steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import Layer, Logits
from bbnn.schedule import neurons
from hdl.columns import ColumnSums
from hdl.constants import affine, later, scaled
from hdl.correction import Constants, constant_shapes
from hdl.widths import index_bits
from hdl.write_back import WriteBack

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["LogitNeuron", "StepSums", "logit_width"]


class LogitNeuron(wiring.Component):
    """Make ``scale * y + offset``, without a multiplier. One column a cycle, three of latency.

    Where there are steps, y is the sum over them: only the last gives logits, two cycles later.

    Parameters
    ----------
    layer : Layer
        With a `Logits` neuron.
    steps : int
        Time steps of a member.

    Members
    -------
    i : In(stream.Signature(ColumnSums(layer)))
    o : Out(stream.Signature(signed(logit_width(layer, steps))))
    constants : Out(Constants(layer, steps))
        Scale and offset; absent unless they are registers.
    """

    i: stream.Interface
    o: stream.Interface
    constants: Any

    def __init__(self, layer: Layer, *, steps: int = 1) -> None:
        self.layer = layer
        self.steps = steps
        self.latency = 3 if steps == 1 else 3 + StepSums.latency
        assert isinstance(layer.neuron, Logits)
        registers = {"constants": Out(Constants(layer, steps))} if layer.neuron.registers else {}
        super().__init__(
            {
                "i": In(stream.Signature(ColumnSums(layer))),
                "o": Out(stream.Signature(signed(logit_width(layer, steps)))),
                **registers,
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        neuron = self.layer.neuron
        assert isinstance(neuron, Logits)
        source = self.i
        if self.steps > 1:
            m.submodules.sums = sums = StepSums(self.layer, steps=self.steps)
            wiring.connect(m, wiring.flipped(self.i), sums.i)
            source = sums.o

        moves = Signal()
        m.d.comb += [moves.eq(~self.o.valid | self.o.ready), source.ready.eq(moves)]
        reach = self.layer.reach * self.steps
        y, chunk = source.p.y[0], source.p.chunk
        if neuron.registers:
            m.d.comb += self.constants.column.eq(chunk)
            scale, offset = (
                later(m, moves, getattr(self.constants, name), shape, name)
                for name, shape in constant_shapes(self.layer, self.steps).items()
            )
            logit = scaled(m, moves, y, scale, offset, neuron.largest(reach))
        else:
            scales, offsets = neuron.scale.tolist(), neuron.offset.tolist()
            logit = affine(m, moves, y, chunk, scales, offsets, reach)
        m.d.comb += self.o.payload.eq(logit)
        valid = Signal(2)
        with m.If(moves):
            m.d.sync += [valid.eq(valid << 1 | source.valid), self.o.valid.eq(valid[1])]
        return m


class StepSums(wiring.Component):
    """Add up each column's sums over `steps` steps. One column a cycle, two of latency.

    Parameters
    ----------
    layer : Layer
        With a `Logits` neuron: chunks of one column.
    steps : int
        At least 2.

    Members
    -------
    i : In(stream.Signature(ColumnSums(layer)))
    o : Out(stream.Signature(ColumnSums(layer, steps)))
        The columns of every last step.
    """

    latency = 2

    i: stream.Interface
    o: stream.Interface

    def __init__(self, layer: Layer, *, steps: int) -> None:
        assert neurons(layer) == 1
        self.layer = layer
        self.steps = steps
        super().__init__(
            {
                "i": In(stream.Signature(ColumnSums(layer))),
                "o": Out(stream.Signature(ColumnSums(layer, steps))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        columns = self.layer.columns
        step = Signal(index_bits(self.steps))
        sums = Signal(ColumnSums(self.layer))
        valid = Signal()
        total = Signal.like(self.o.p.y[0])
        moves = Signal()
        m.submodules.totals = totals = WriteBack(total.shape(), depth=columns, repeats=columns == 1)
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(moves),
            totals.enable.eq(moves),
            totals.address.eq(self.i.p.chunk),
            total.eq(Mux(step == 0, 0, totals.value) + sums.y[0]),
            totals.write.eq(valid),
            totals.changed.eq(total),
        ]
        with m.If(moves):
            m.d.sync += [
                sums.eq(self.i.payload),
                valid.eq(self.i.valid),
                self.o.valid.eq(valid & (step == self.steps - 1)),
                self.o.p.y[0].eq(total),
                self.o.p.chunk.eq(sums.chunk),
            ]
            with m.If(valid & (sums.chunk == columns - 1)):
                m.d.sync += step.eq(Mux(step == self.steps - 1, 0, step + 1))
        return m


def logit_width(layer: Layer, steps: int = 1) -> int:
    """Return the bits that hold every logit of `layer` after so many steps, sign included."""
    neuron = layer.neuron
    assert isinstance(neuron, Logits)
    return bits_for(neuron.largest(layer.reach * steps)) + 1
