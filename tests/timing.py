"""When the streams of a recording moved: the cycles that docstrings state, as tests see them."""

from __future__ import annotations

from blocks import Recording

__all__ = ["moved"]


def moved(recording: Recording, port: str) -> list[int]:
    """Return the cycles, counted from 0, in which the stream `port` handed something over."""
    cycles = []
    for cycle, (inputs, outputs) in enumerate(recording.rows):
        seen = dict(zip(recording.inputs, inputs, strict=True))
        seen |= dict(zip(recording.outputs, outputs, strict=True))
        if seen[f"{port}__valid"] and seen[f"{port}__ready"]:
            cycles.append(cycle)
    return cycles
