"""Quantised neurons: a scale, an offset, a shift and two limits, by search or by product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import Layer, Quantised
from bbnn.description.checks import Integers
from bbnn.schedule import neurons
from hdl.columns import ColumnSums
from hdl.constants import affine, by_lane, table

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["QuantisedNeurons", "estimated_luts", "levels"]

Method = Literal["search", "product"]


class QuantisedNeurons(wiring.Component):
    """Make ``clip((scale * y + offset) >> shift, 0, 2**bits - 1)``, without a multiplier.

    One chunk a cycle. Two ways lead there, and the cheaper by `estimated_luts` is built:

    search : like a converter by successive approximation. As the result never falls where y rises,
        it is at least k from some sum on; bit after bit, a comparison with such a `levels` finds
        it. ``bits + 1`` cycles of latency.
    product : the formula as it stands. Four cycles of latency.

    What the last chunk of a vector holds beyond the vector is 0.

    Parameters
    ----------
    layer : Layer
        With a `Quantised` neuron.
    method : "search" or "product"
        The cheaper, if None.

    Members
    -------
    i : In(stream.Signature(ColumnSums(layer)))
    o : Out(stream.Signature(neurons(layer) * bits))
        The elements side by side, the first column lowest.
    """

    i: stream.Interface
    o: stream.Interface
    latency: int

    def __init__(self, layer: Layer, *, method: Method | None = None) -> None:
        assert isinstance(layer.neuron, Quantised)
        self.layer = layer
        estimates = estimated_luts(layer)
        self.method: Method = method or min(estimates, key=lambda key: estimates[key])
        self.latency = layer.neuron.bits + 1 if self.method == "search" else 4
        self._neuron = layer.neuron
        super().__init__(
            {
                "i": In(stream.Signature(ColumnSums(layer))),
                "o": Out(stream.Signature(neurons(layer) * layer.neuron.bits)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        moves = Signal()
        valid = Signal(self.latency)
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(moves),
            self.o.valid.eq(valid[-1]),
        ]
        with m.If(moves):
            m.d.sync += valid.eq(valid << 1 | self.i.valid)
        build = self._search if self.method == "search" else self._multiply
        m.d.comb += self.o.payload.eq(Cat(build(m, moves)))
        return m

    def _search(self, m: Module, moves: Value) -> list[Value]:
        """Find the result's bits from the highest on, one a cycle."""
        bits, together = self._neuron.bits, neurons(self.layer)
        reach = self.layer.reach
        width = signed(bits_for(reach + 1) + 1)
        of_lanes = [
            by_lane(column, together, reach + 1) for column in levels(self._neuron, reach).T
        ]
        sums = Signal(ColumnSums(self.layer))
        with m.If(moves):
            m.d.sync += sums.eq(self.i.payload)
        found: list[Value] = [Cat()] * together
        for number in range(bits):
            # The bits found select one of 2**number comparisons, the one that halves what is left.
            halves = of_lanes[2 ** (bits - 1 - number) - 1 :: 2 ** (bits - number)]
            next_sums = Signal.like(sums, name=f"sums_{number}")
            with m.If(moves):
                m.d.sync += next_sums.eq(sums)
            for lane in range(together):
                by_chunk = zip(*(half[lane] for half in halves), strict=True)
                entries = [entry for of_chunk in by_chunk for entry in of_chunk]
                level = Signal(width, name=f"level_{number}_{lane}")
                known = Signal(number + 1, name=f"known_{number}_{lane}")
                m.d.comb += level.eq(table(Cat(found[lane], sums.chunk), entries, width))
                with m.If(moves):
                    m.d.sync += known.eq(Cat(sums.y[lane] >= level, found[lane]))
                found[lane] = known
            sums = next_sums
        return found

    def _multiply(self, m: Module, moves: Value) -> list[Value]:
        """Scale, offset, shift and clip."""
        neuron, together = self._neuron, neurons(self.layer)
        scales = by_lane(neuron.scale.astype(np.int64), together, 0)
        offsets = by_lane(neuron.offset.astype(np.int64), together, 0)
        clipped: list[Value] = []
        for lane in range(together):
            y, chunk = self.i.p.y[lane], self.i.p.chunk
            constants = scales[lane], offsets[lane], self.layer.reach
            scaled = affine(m, moves, y, chunk, *constants, suffix=f"_{lane}")
            whole = Signal.like(scaled, name=f"whole_{lane}")
            limit = Signal(neuron.bits, name=f"limit_{lane}")
            clip = Signal(neuron.bits, name=f"clip_{lane}")
            m.d.comb += [
                whole.eq(scaled >> neuron.shift),
                limit.eq(Mux(whole < 0, 0, 2**neuron.bits - 1)),
            ]
            with m.If(moves):
                m.d.sync += clip.eq(Mux(whole >> neuron.bits == 0, whole, limit))
            clipped.append(clip)
        return clipped


def levels(neuron: Quantised, reach: int) -> Integers:
    """Return for each column and k = 1.. the least sum whose result is at least k.

    int64, shape (columns, 2**bits - 1); -reach where all are, reach + 1 where none is.
    """
    k = np.arange(1, 2**neuron.bits, dtype=np.int64)
    scale, offset = (part.astype(np.int64)[:, None] for part in (neuron.scale, neuron.offset))
    missing = (k << neuron.shift) - offset
    least = -(-missing // np.maximum(scale, 1))
    constant = np.where(missing <= 0, -reach, reach + 1)
    return np.clip(np.where(scale > 0, least, constant), -reach, reach + 1)


def estimated_luts(layer: Layer) -> dict[Method, int]:
    """Return the LUTs of 6 inputs that one neuron takes by either method, roughly.

    One LUT compares two bits, or holds 64 bits of a table. The product, with its offset and limits,
    takes for each bit of the scale a sum that is half gated, as wide as y and what it grows by.
    Against synthesis (`tests/test_hdl_quantised.py`) this is right within a third.
    """
    neuron = layer.neuron
    assert isinstance(neuron, Quantised)
    chunks = -(-layer.columns // neurons(layer))
    width = bits_for(layer.reach) + 1
    scale = bits_for(int(neuron.scale.max()))
    offset = bits_for(int(np.abs(neuron.offset.astype(np.int64)).max())) + 1
    search = neuron.bits * width / 2 + (2**neuron.bits - 1) * chunks * width / 64
    product = scale * (1.5 * width + scale) + chunks * (scale + offset) / 64
    return {"search": round(search), "product": round(product)}
