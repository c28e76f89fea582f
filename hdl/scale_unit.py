"""The one stochastic unit of MC Scale-Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bbnn.description import Ensemble, ScaleDropout
from hdl.lfsr import LFSR
from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["ScaleUnit"]

AHEAD = 32
"""Decisions that wait for a layer, since the last layer works on members long after the first.

So many fit into the least distributed memory.
"""


class ScaleUnit(wiring.Component):
    """Decide for every member, and in it for one layer after the other, whether the scale drops.

    A decision a cycle while there is room; a word of the LFSR is compared with the code.

    Parameters
    ----------
    dropout : ScaleDropout
    ensemble : Ensemble
        `reseed`.
    lfsr_width, layers : int
        Bits of the LFSR; layers that choose between two banks of thresholds.

    Members
    -------
    seed : In(lfsr_width)
    members : In(16)
        T; both are constant out of reset and not 0.
    test, take : In(1)
        With `test`, constant out of reset, nothing is decided, and `take` alone draws `bits`.
    bits : Out(dropout.bits)
        The next word of the stream.
    o : Out(stream.Signature(1)).array(layers)
        Each layer's decisions, one a member.
    """

    seed: Signal
    members: Signal
    test: Signal
    take: Signal
    bits: Signal
    o: Any

    def __init__(
        self, dropout: ScaleDropout, ensemble: Ensemble, *, lfsr_width: int, layers: int
    ) -> None:
        self.dropout = dropout
        self.ensemble = ensemble
        self.lfsr_width = lfsr_width
        self.layers = layers
        super().__init__(
            {
                "seed": In(lfsr_width),
                "members": In(16),
                "test": In(1),
                "take": In(1),
                "bits": Out(dropout.bits),
                "o": Out(stream.Signature(1)).array(layers),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        m.submodules.lfsr = lfsr = LFSR(width=self.lfsr_width, step=self.dropout.bits)
        started = Signal()
        draw = Signal()
        layer = Signal(index_bits(self.layers))
        member = Signal(16)
        last_layer = Signal()
        last_member = Signal()
        room = []
        for number in range(self.layers):
            queue = fifo.SyncFIFO(width=1, depth=AHEAD)
            m.submodules[f"queue_{number}"] = queue
            wiring.connect(m, queue.r_stream, wiring.flipped(self.o[number]))  # type: ignore[arg-type]
            m.d.comb += [
                queue.w_data.eq(lfsr.bits < self.dropout.code),
                queue.w_en.eq(draw & ~self.test & (layer == number)),
            ]
            room.append(queue.w_rdy)
        restarts = last_layer & last_member & ~self.test if self.ensemble.reseed == "image" else 0
        m.d.sync += started.eq(1)
        m.d.comb += [
            draw.eq(started & Mux(self.test, self.take, Array(room)[layer])),
            self.bits.eq(lfsr.bits),
            last_layer.eq(layer == self.layers - 1),
            last_member.eq(member == self.members - 1),
            lfsr.seed.eq(self.seed),
            lfsr.load.eq(~started | (draw & restarts)),
            lfsr.advance.eq(draw),
        ]
        with m.If(draw):
            m.d.sync += layer.eq(Mux(last_layer, 0, layer + 1))
            with m.If(last_layer):
                m.d.sync += member.eq(Mux(last_member, 0, member + 1))
        return m
