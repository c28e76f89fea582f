"""The random source: a leap-forward LFSR.

Source of the taps and the order of bits: `bbnn.lfsr`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.lfsr import TAPS

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["LFSR", "leap_masks"]


def leap_masks(width: int, count: int) -> list[int]:
    """Return, for each of the first `count` bits, which bits of the state it is the xor of."""
    masks = [1 << i for i in range(width)]
    for n in range(width, count):
        mask = 0
        for tap in TAPS[width]:
            mask ^= masks[n - tap]
        masks.append(mask)
    return masks[:count]


class LFSR(wiring.Component):
    """Give the next `step` bits of the sequence in every cycle.

    The state is the window of the next `width` bits. `load` puts `seed` there and wins over
    `advance`, which moves the window on by `step`; both act at the clock edge.

    Parameters
    ----------
    width : int
        Bits of state, a key of `bbnn.lfsr.TAPS`.
    step : int
        Bits per cycle, 1..width.

    Members
    -------
    seed : In(width)
    load : In(1)
    advance : In(1)
    bits : Out(step)
        The next bits, the first one lowest; valid one cycle after `load`.
    """

    seed: Signal
    load: Signal
    advance: Signal
    bits: Signal

    def __init__(self, *, width: int, step: int) -> None:
        self.width = width
        self.step = step
        super().__init__({"seed": In(width), "load": In(1), "advance": In(1), "bits": Out(step)})

    def elaborate(self, platform: Platform | None) -> Module:
        m = Module()
        state = Signal(self.width)
        leapt = Signal(self.width)
        masks = leap_masks(self.width, self.width + self.step)[self.step :]
        m.d.comb += [
            leapt.eq(Cat((state & Const(mask, self.width)).xor() for mask in masks)),
            self.bits.eq(state[: self.step]),
        ]
        with m.If(self.load):
            m.d.sync += state.eq(self.seed)
        with m.Elif(self.advance):
            m.d.sync += state.eq(leapt)
        return m
