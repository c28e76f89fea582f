"""Hidden neurons of +-1 networks: comparators with thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bbnn.description import Layer, Threshold
from bbnn.schedule import neurons
from hdl.columns import ColumnSums
from hdl.constants import by_lane, table

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["ThresholdNeurons"]


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
    dropped : In(1)
        Compare with the second bank of thresholds. It is read in the cycle in which a chunk is
        taken (``i.valid & i.ready``) and in no other, and counts for this chunk alone: keep it
        from the first to the last chunk of a member. Absent without a second bank.
    """

    latency = 2

    i: stream.Interface
    o: stream.Interface
    dropped: Signal

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        assert isinstance(layer.neuron, Threshold)
        self._neuron = layer.neuron
        super().__init__(
            {
                "i": In(stream.Signature(ColumnSums(layer))),
                "o": Out(stream.Signature(neurons(layer))),
                **({} if layer.neuron.dropped is None else {"dropped": In(1)}),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        reach, together = self.layer.reach, neurons(self.layer)
        # The lowest threshold always fires: what is beyond the last column reads +1.
        banks = [by_lane(self._neuron.thresholds, together, -reach)]
        if self._neuron.dropped is not None:
            banks.append(by_lane(self._neuron.dropped, together, -reach))

        moves = Signal()
        sums = Signal(ColumnSums(self.layer))
        sums_valid = Signal()
        m.d.comb += [moves.eq(~self.o.valid | self.o.ready), self.i.ready.eq(moves)]
        width = signed(bits_for(reach + 1) + 1)
        for lane in range(together):
            threshold = Signal(width, name=f"threshold_{lane}")
            kept, *dropped = (table(self.i.p.chunk, bank[lane], width) for bank in banks)
            m.d.comb += threshold.eq(Mux(self.dropped, dropped[0], kept) if dropped else kept)
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
