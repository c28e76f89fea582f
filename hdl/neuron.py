"""The two kinds of neuron: a hidden one compares with a threshold, an output one makes a logit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from amaranth.hdl import Array, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import Layer, Logits, Threshold
from bbnn.schedule import neurons
from hdl.columns import ColumnSums

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["LogitNeuron", "ThresholdNeurons", "logit_width"]


class ThresholdNeurons(wiring.Component):
    """Say for each column whether ``y >= threshold``. One chunk a cycle, two cycles of latency.

    What the last chunk of a vector holds beyond the vector is +1.

    Parameters
    ----------
    layer : Layer
        With a `Threshold` neuron.

    Members
    -------
    i : In(stream.Signature(ColumnSums(layer)))
    o : Out(stream.Signature(neurons(layer)))
        Bit n is column n of the chunk: 1 for +1, 0 for -1.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        super().__init__(
            {
                "i": In(stream.Signature(ColumnSums(layer))),
                "o": Out(stream.Signature(neurons(layer))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        assert isinstance(self.layer.neuron, Threshold)
        together = neurons(self.layer)
        chunks = -(-self.layer.columns // together)
        # The lowest threshold always fires: what is beyond the last column reads +1.
        padded = np.full(chunks * together, -self.layer.reach)
        padded[: self.layer.columns] = self.layer.neuron.thresholds

        moves = Signal()
        sums = Signal(ColumnSums(self.layer))
        sums_valid = Signal()
        m.d.comb += [moves.eq(~self.o.valid | self.o.ready), self.i.ready.eq(moves)]
        width = signed(bits_for(self.layer.reach + 1) + 1)
        for lane in range(together):
            threshold = Signal(width, name=f"threshold_{lane}")
            of_lane = padded[lane::together].tolist()
            m.d.comb += threshold.eq(_table(self.i.p.chunk, of_lane, width))
            held = Signal.like(threshold)
            with m.If(moves):
                m.d.sync += held.eq(threshold)
                m.d.sync += self.o.payload[lane].eq(sums.y[lane] >= held)
        with m.If(moves):
            m.d.sync += [
                sums.eq(self.i.payload),
                sums_valid.eq(self.i.valid),
                self.o.valid.eq(sums_valid),
            ]
        return m


class LogitNeuron(wiring.Component):
    """Make ``scale * y + offset``, without a multiplier. One column a cycle, three of latency.

    Parameters
    ----------
    layer : Layer
        With a `Logits` neuron.

    Members
    -------
    i : In(stream.Signature(ColumnSums(layer)))
    o : Out(stream.Signature(signed(logit_width(layer))))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        super().__init__(
            {
                "i": In(stream.Signature(ColumnSums(layer))),
                "o": Out(stream.Signature(signed(logit_width(layer)))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        neuron = self.layer.neuron
        assert isinstance(neuron, Logits)
        moves = Signal()
        m.d.comb += [moves.eq(~self.o.valid | self.o.ready), self.i.ready.eq(moves)]

        scales, offsets = neuron.scale.tolist(), neuron.offset.tolist()
        scale = Signal(bits_for(max(scales)))
        first_offset = Signal(signed(max(map(bits_for, offsets)) + 1))
        offset = Signal.like(first_offset)
        y = Signal.like(self.i.p.y[0])
        product = Signal(signed(len(y) + len(scale)))
        valid = Signal(2)
        with m.If(moves):
            m.d.sync += [
                scale.eq(_table(self.i.p.chunk, scales, scale.shape())),
                first_offset.eq(_table(self.i.p.chunk, offsets, first_offset.shape())),
                y.eq(self.i.p.y[0]),
                product.eq(_product(y, scale)),
                offset.eq(first_offset),
                self.o.payload.eq(product + offset),
                valid.eq(valid << 1 | self.i.valid),
                self.o.valid.eq(valid[1]),
            ]
        return m


def logit_width(layer: Layer) -> int:
    """Return the bits that hold every logit of `layer`, sign included."""
    neuron = layer.neuron
    assert isinstance(neuron, Logits)
    scale = neuron.scale.astype(np.int64)
    limit = int((scale * layer.reach + np.abs(neuron.offset.astype(np.int64))).max())
    return bits_for(limit) + 1


def _table(index: Value, entries: list[int], shape: object) -> Value:
    """A table of constants, read without a clock."""
    return Array(Const(entry, shape) for entry in entries)[index]  # type: ignore[arg-type]


def _product(y: Value, scale: Value) -> Value:
    """``y * scale`` as a sum of shifted copies, which no tool turns into a DSP block."""
    terms: list[Value] = [Mux(scale[bit], y, 0) << bit for bit in range(len(scale))]
    while len(terms) > 1:
        unpaired = terms[-1:] if len(terms) % 2 else []
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + unpaired
    return terms[0]
