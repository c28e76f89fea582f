"""Codes as the hardware holds them: the words of code memories, and the beats of a code stream."""

from __future__ import annotations

import numpy as np

from bbnn.description import Layer
from bbnn.schedule import CODE_BEAT

__all__ = ["code_beats", "code_contents", "code_words"]


def code_words(layer: Layer) -> list[int]:
    """Return the code memory: a word per column group and row group, row groups inside.

    Row s, code bit k, lane p is bit ``(s*(b + 1) + k) * lanes_out + p`` (``hdl.lanes``); rows and
    columns beyond the layer's have code 0. Of a layer that samples only some rows, it holds the
    highest bit of all codes, as if b were 0.
    """
    b = layer.probability_bits
    planes = range(b + 1) if layer.sampled is None else range(b, b + 1)
    return _words(layer, planes, layer.row_groups)


def code_contents(layer: Layer) -> dict[str, list[int]]:
    """Return what the code memories hold, by their names, as ``bbnn.schedule.code_memories``."""
    codes = {"codes": code_words(layer)}
    return codes if layer.sampled is None else {**codes, "fractions": fraction_words(layer)}


def fraction_words(layer: Layer) -> list[int]:
    """Return the b low bits of the sampled row groups' codes, in the same order; then a word of 0.

    Rows that are not sampled find this word: their codes are 0 or 2**b.
    """
    return [*_words(layer, range(layer.probability_bits), layer.sampled_groups), 0]


def _words(layer: Layer, planes: range, row_groups: int) -> list[int]:
    """Return these bits of the codes of the first row groups."""
    lanes_in, lanes_out = layer.folding.lanes_in, layer.folding.lanes_out
    order = layer.row_order[: row_groups * lanes_in]
    padded = np.zeros((len(order), layer.column_groups * lanes_out), np.uint16)
    padded[order >= 0, : layer.columns] = layer.codes[order[order >= 0]]
    bits = padded[..., None] >> np.array(planes, np.uint16) & 1
    grouped = bits.reshape(row_groups, lanes_in, layer.column_groups, lanes_out, len(planes))
    ordered = grouped.transpose(2, 0, 1, 4, 3).astype(np.uint8)
    rows = ordered.reshape(layer.column_groups * row_groups, -1)
    packed = np.packbits(rows, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def code_beats(layer: Layer) -> list[int]:
    """Return one round of the stream of codes: its words side by side, in beats of 64 bits.

    The last beat is padded with 0.
    """
    width = layer.folding.lanes_in * layer.folding.lanes_out * (layer.probability_bits + 1)
    beats, waiting, bits = [], 0, 0
    for word in code_words(layer):
        waiting |= word << bits
        bits += width
        while bits >= CODE_BEAT:
            beats.append(waiting % (1 << CODE_BEAT))
            waiting >>= CODE_BEAT
            bits -= CODE_BEAT
    return [*beats, waiting] if bits else beats
