"""The code words that a netlist's block RAMs hold, for tests of bitstreams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bbnn.description import Layer
from boards.toolchain.memory import Memory

__all__ = ["code_memory", "code_words_in"]


def code_memory(layer: Layer) -> str:
    """Return what the names of the block RAMs that hold the codes of `layer` contain."""
    return f".{layer.name}.crossbar.codes$"


def code_words_in(
    layer: Layer, module: Mapping[str, Any], memories: Iterable[Memory]
) -> tuple[list[int], int]:
    """Return the code words of `layer` that `memories` hold, and the bits of a word found there.

    Which bit of a word an output of a block RAM is, say the names of nets in `module`, Yosys'
    netlist; words lie one behind the other, a parity bit for every eight of data (Xilinx UG473,
    table 1-9).
    """
    depth = layer.row_groups * layer.column_groups
    ours = [memory for memory in memories if code_memory(layer) in memory.name]
    outputs = {memory.name: _outputs(module["cells"][memory.name]) for memory in ours}
    place = _places(layer, module, {net for nets in outputs.values() for net, _, _ in nets})
    words, found = [0] * depth, 0
    for memory in ours:
        width = _width(module["cells"][memory.name])
        for net, parity, bit in outputs[memory.name]:
            if net not in place:
                continue
            found += 1
            value, step = (
                (memory.parity, width // 9) if parity else (memory.data, _data_bits(width))
            )
            for address in range(depth):
                words[address] |= (value >> address * step + bit & 1) << place[net]
    return words, found


def _data_bits(width: int) -> int:
    """Return the bits of a port without those of parity, which the narrow ones do not have."""
    return width - width // 9


def _width(cell: Mapping[str, Any]) -> int:
    width = int(cell["parameters"]["READ_WIDTH_A"], 2)
    assert width in (1, 2, 4, 9, 18, 36, 72), width
    return width


def _outputs(cell: Mapping[str, Any]) -> list[tuple[int, bool, int]]:
    """Return nets at the outputs of a block RAM: the net, whether it is a parity bit, which bit."""
    ports, width = cell["connections"], _width(cell)
    wide = width == (72 if cell["type"].startswith("RAMB36") else 36)
    data = ports["DOADO"] + (ports["DOBDO"] if wide else [])
    parity = ports["DOPADOP"] + (ports["DOPBDOP"] if wide else [])
    return [
        *((net, False, bit) for bit, net in enumerate(data[: _data_bits(width)])),
        *((net, True, bit) for bit, net in enumerate(parity[: width // 9])),
    ]


def _places(layer: Layer, module: Mapping[str, Any], outputs: set[int]) -> dict[int, int]:
    """Return which bit of a code word each net in `outputs` is: that of the read port's data."""
    size = layer.folding.lanes_in * (layer.probability_bits + 1) * layer.folding.lanes_out
    path = code_memory(layer).removesuffix("codes$")
    (nets,) = {
        tuple(net["bits"])
        for name, net in module["netnames"].items()
        if path in name and len(net["bits"]) == size and outputs & set(net["bits"])
    }
    return {net: bit for bit, net in enumerate(nets) if net in outputs}
