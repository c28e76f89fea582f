"""How the DMA cuts its bytes into bursts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, Mux, Signal

if TYPE_CHECKING:
    from amaranth.hdl import Value

__all__ = ["BURST", "BYTES", "NORMAL_UNCACHED", "WORDS", "burst_length"]

BYTES = 8
"""Of a beat."""
WORDS = 2
"""Of 32 bits, of a beat."""
BURST = 16
"""Beats of the longest burst of AXI3."""
NORMAL_UNCACHED = 0b0011
"""AxCACHE: bufferable and modifiable, never in a cache."""


def burst_length(m: Module, place: Value, beats: Value) -> Signal:
    """Return the beats of the burst at `place`, which counts beats, with `beats` left to move.

    It ends where a multiple of 128 bytes does, and so never crosses one of 4096.
    """
    length = Signal(range(BURST + 1))
    aligned = Signal.like(length)
    m.d.comb += [
        aligned.eq(BURST - place[:4]),
        length.eq(Mux(beats < aligned, beats, aligned)),
    ]
    return length
