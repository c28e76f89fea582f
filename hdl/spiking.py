"""Integrate-and-fire neurons: membranes in a memory, a few of them changed per cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from amaranth.hdl import Module, Mux, Shape, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import Layer, Spiking
from bbnn.schedule import neurons
from hdl.columns import ColumnSums
from hdl.constants import by_lane, later, looked_up
from hdl.widths import index_bits
from hdl.write_back import WriteBack

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["SpikingNeurons", "largest_potential"]


class SpikingNeurons(wiring.Component):
    """Integrate, compare, and subtract the threshold where it is reached: a spike.

    One chunk a cycle, whatever the layer's size; three cycles of latency. The chunks of a member
    are counted: `steps` times a map, of which each chunk has a word of membranes of its own. In the
    first step these begin at `start`. What the last chunk of a vector holds beyond it is 0.

    Parameters
    ----------
    layer : Layer
        With a `Spiking` neuron.
    steps : int
        Time steps of a member.

    Members
    -------
    i : In(stream.Signature(ColumnSums(layer)))
    o : Out(stream.Signature(neurons(layer)))
        Bit n is the spike of column n of the chunk.
    """

    latency = 3

    i: stream.Interface
    o: stream.Interface

    def __init__(self, layer: Layer, *, steps: int) -> None:
        assert isinstance(layer.neuron, Spiking)
        self.layer = layer
        self.steps = steps
        self._neuron = layer.neuron
        self._largest = largest_potential(layer, steps)
        super().__init__(
            {
                "i": In(stream.Signature(ColumnSums(layer))),
                "o": Out(stream.Signature(neurons(layer))),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        layer, together = self.layer, neurons(self.layer)
        moves = Signal()
        valid = Signal(2)
        sums = Signal(ColumnSums(layer))
        m.d.comb += [moves.eq(~self.o.valid | self.o.ready), self.i.ready.eq(moves)]
        with m.If(moves):
            m.d.sync += [
                sums.eq(self.i.payload),
                valid.eq(valid << 1 | self.i.valid),
                self.o.valid.eq(valid[1]),
            ]

        # Where the chunk's membranes lie, and whether they begin anew.
        words = layer.positions * -(-layer.columns // together)
        address = Signal(index_bits(words))
        step = Signal(index_bits(self.steps))
        begins = Signal()
        with m.If(moves):
            m.d.sync += begins.eq(step == 0)
            with m.If(valid[0]):
                m.d.sync += address.eq(address + 1)
                with m.If(address == words - 1):
                    m.d.sync += [
                        address.eq(0),
                        step.eq(Mux(step == self.steps - 1, 0, step + 1)),
                    ]
        membrane = signed(bits_for(self._largest) + 1)
        m.submodules.membranes = membranes = WriteBack(
            data.ArrayLayout(membrane, together), depth=words, repeats=words == 1
        )
        m.d.comb += [
            membranes.enable.eq(moves),
            membranes.address.eq(address),
            membranes.write.eq(valid[1]),
        ]

        for lane in range(together):
            start, kept, spent = self._charges(m, moves, lane, sums.y[lane])
            before = Signal(membrane, name=f"before_{lane}")
            rest = Signal.like(spent, name=f"rest_{lane}")
            m.d.comb += [
                before.eq(Mux(begins, start, membranes.value[lane])),
                rest.eq(before + spent),
                membranes.changed[lane].eq(Mux(rest >= 0, rest, before + kept)),
            ]
            with m.If(moves):
                m.d.sync += self.o.payload[lane].eq(rest >= 0)
        return m

    def _charges(self, m: Module, moves: Value, lane: int, y: Value) -> tuple[Value, Value, Value]:
        """Return how a neuron's membrane starts, and what is added to it without and with a spike.

        They come with the membrane, so that one addition is all that lies between its reading and
        its writing: both outcomes are added up, and the sign of the second one chooses.
        """
        neuron, together = self._neuron, neurons(self.layer)
        # No membrane comes so far: beyond the last column nothing fires.
        never = self._largest + 1
        start, bias, threshold = (
            by_lane(values.astype(np.int64), together, beyond)[lane]
            for values, beyond in ((neuron.start, 0), (neuron.bias, 0), (neuron.thresholds, never))
        )
        less = [b - min(t, never) for b, t in zip(bias, threshold, strict=True)]

        def registered(entries: list[int], shape: Shape, name: str) -> Value:
            return looked_up(m, moves, self.i.p.chunk, entries, shape, f"{name}_{lane}")

        membrane, wider = (signed(bits_for(self._largest) + extra) for extra in (1, 2))
        charge = y << neuron.fraction_bits
        kept = Signal(membrane, name=f"kept_{lane}")
        spent = Signal(wider, name=f"spent_{lane}")
        with m.If(moves):
            m.d.sync += [
                kept.eq(charge + registered(bias, membrane, "bias")),
                spent.eq(charge + registered(less, wider, "less")),
            ]
        first = registered(start, membrane, "first")
        return later(m, moves, first, membrane, f"start_{lane}"), kept, spent


def largest_potential(layer: Layer, steps: int) -> int:
    """Return what no membrane's absolute value exceeds within a member."""
    neuron = layer.neuron
    assert isinstance(neuron, Spiking)
    bias, start = (np.abs(part.astype(np.int64)) for part in (neuron.bias, neuron.start))
    return int((start + steps * ((layer.reach << neuron.fraction_bits) + bias)).max())
