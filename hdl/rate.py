"""Rate encoding: a grey value as a train of spikes, evenly spaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.widths import index_bits

if TYPE_CHECKING:
    from amaranth.build import Platform
    from amaranth.hdl import Value

__all__ = ["RateEncoder"]


class RateEncoder(wiring.Component):
    """Give the spikes of step s: ``floor(((s+1)*p + 128) / 256) - floor((s*p + 128) / 256)``.

    Of ``s*p + 128`` only the low byte counts: p makes it overflow, or not. No latency.

    Parameters
    ----------
    together : int
        Grey values of a word.
    words, steps : int
        Words of a step, steps of a member. The image comes again for every step.

    Members
    -------
    i : In(stream.Signature(together * 8))
    o : Out(stream.Signature(together))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, together: int, words: int, steps: int) -> None:
        self.together = together
        self.words = words
        self.steps = steps
        super().__init__(
            {
                "i": In(stream.Signature(together * 8)),
                "o": Out(stream.Signature(together)),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        word = Signal(index_bits(self.words))
        step = Signal(index_bits(self.steps))
        greys = (self.i.payload.word_select(n, 8) for n in range(self.together))
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.eq(Cat(self._spike(grey, step) for grey in greys)),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += word.eq(word + 1)
            with m.If(word == self.words - 1):
                m.d.sync += [word.eq(0), step.eq(Mux(step == self.steps - 1, 0, step + 1))]
        return m

    def _spike(self, grey: Value, step: Signal) -> Value:
        phase: Value = Const(128, 8)
        for k in range(len(step)):
            phase = (phase + Mux(step[k], grey << k, 0))[:8]
        return (phase + grey)[8]
