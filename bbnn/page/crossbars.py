"""The network as a chain of crossbars, to scale, with the weights that are not fixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.description import Layer, Network
from bbnn.page.pixels import shades

ACCENT = (217, 82, 44)
"""Of the pictures, which cannot follow the style sheet: it shows on light and on dark."""
MOST_TILES = 800
"""Along the rows of a crossbar; weights share a tile in larger ones."""
WIDE, NARROW = 1040, 340
"""Pixels of a line, and of one on a telephone."""
LABEL, GAP, MOST_PIXELS = 124, 20, 3.0
"""Pixels of what is said of a crossbar, between two of them, and of a weight at the most."""


def crossbars(network: Network, told: dict[str, Any]) -> dict[str, Any]:
    """Return the chain: pixels of a weight, wide and narrow, and what to say of each crossbar.

    told : the JSON of `bbnn info`. A crossbar lies: its rows from left to right, its columns
    downwards.
    """
    rows = [layer.rows for layer in network.layers]
    return {
        "tallest": max(layer.columns for layer in network.layers),
        "wide": round(_unit(rows), 4),
        "narrow": round(min(MOST_PIXELS, NARROW / max(rows)), 4),
        "layers": [
            _crossbar(layer, of) for layer, of in zip(network.layers, told["layers"], strict=True)
        ],
    }


def _unit(rows: list[int]) -> float:
    """Return the pixels of a weight with which all crossbars stand side by side.

    Each is as wide as what is said of it, at the least. Where there are too many, the longest takes
    half of a line.
    """
    low, high = 0.0, MOST_PIXELS
    for _ in range(40):
        middle = (low + high) / 2
        fits = sum(max(LABEL, middle * each) + GAP for each in rows) - GAP <= WIDE
        low, high = (middle, high) if fits else (low, middle)
    return low or min(MOST_PIXELS, WIDE / 2 / max(rows))


def _crossbar(layer: Layer, told: dict[str, Any]) -> dict[str, Any]:
    codes = told["codes"]
    share = codes["stochastic"] / sum(codes.values())
    picture = shades(tiles(layer), ACCENT) if share else None
    return {**told, "share": share, "picture": picture, "drawn_by": _chance(layer, share)}


def _chance(layer: Layer, share: float) -> str:
    """Return what chance there is in a layer, in a few words."""
    chances = [f"{100 * share:.1f} % by chance"] if share else []
    if layer.dropout is not None:
        chances.append("maps dropped")
    if getattr(layer.neuron, "dropped", None) is not None:
        chances.append("scale dropped")
    return ", ".join(chances) or "fixed"


def tiles(layer: Layer) -> NDArray[np.float64]:
    """Return the share of stochastic weights in each tile, shape (columns, rows) of tiles.

    Of tiles of more than one weight it is the square root, so that few weights in many are seen.
    """
    sampled = (layer.codes > 0) & (layer.codes < 2**layer.probability_bits)
    drawn: NDArray[np.float64] = sampled.T.astype(float)
    side = -(-layer.rows // MOST_TILES)
    if side == 1:
        return drawn
    columns, rows = drawn.shape
    padded = np.pad(drawn, ((0, -columns % side), (0, -rows % side)))
    blocks = padded.reshape(padded.shape[0] // side, side, -1, side)
    shares: NDArray[np.float64] = np.sqrt(blocks.mean(axis=(1, 3)))
    return shares
