"""How the DMA cuts its bytes into bursts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Mux, Signal

if TYPE_CHECKING:
    from amaranth.hdl import Value

__all__ = ["BURST", "BYTES", "NORMAL_UNCACHED", "WORDS", "next_burst"]

BYTES = 8
"""Of a beat."""
WORDS = 2
"""Of 32 bits, of a beat."""
BURST = 16
"""Beats of the longest burst of AXI3."""
NORMAL_UNCACHED = 0b0011
"""AxCACHE: bufferable and modifiable, never in a cache."""


def next_burst(m: Module, place: Value, beats: Value, changes: Value) -> tuple[Signal, Signal]:
    """Return the beats of the burst at `place`, with `beats` left to move, and if they are known.

    `place` counts beats. The burst ends where a multiple of 128 bytes does, and so never crosses
    one of 4096. changes : both change with the next clock edge; the length is known two cycles
    later, since its path would be the longest of all.
    """
    length = Signal(range(BURST + 1))
    aligned = Signal.like(length)
    known = Signal()
    m.d.comb += aligned.eq(BURST - place[:4])
    m.d.sync += [
        length.eq(Mux(beats < aligned, beats, aligned)),
        known.eq((beats != 0) & ~changes),
    ]
    return length, known
