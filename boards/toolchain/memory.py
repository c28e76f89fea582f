"""The contents of the block RAMs, decoded from the bits of a bitstream.

Where each block RAM lies is taken from nextpnr's netlist after routing, not from the FASM that the
bits were made of. A RAMB36E1 is two halves: its even bits lie in the lower one, its odd bits in the
upper one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any, NamedTuple

from boards.toolchain.database import Database

__all__ = ["Memory", "differences", "memories"]

BEL = re.compile(r"X(?P<x>\d+)Y(?P<y>\d+)/RAMB(?P<size>18|36)_X\d+Y(?P<site>\d+)\.")
INIT_BITS = 256
"""Bits of each parameter INIT_xx and INITP_xx."""
HALF = {"INIT": 64, "INITP": 8}
"""Such parameters of half a block RAM: 16 kilobits of data, 2 of parity."""


class Memory(NamedTuple):
    """One block RAM. name : of its cell. data, parity : bit i is bit i of INIT, of INITP."""

    name: str
    data: int
    parity: int


def memories(database: Database, bits: Set[int], routed: Mapping[str, Any]) -> Iterator[Memory]:
    """Yield what `bits` say of every block RAM in nextpnr's netlist `routed`, as JSON has it."""
    tiles = {(tile["grid_x"], tile["grid_y"]): name for name, tile in database.grid.items()}
    for name, cell in _cells(routed):
        place = BEL.match(cell["attributes"]["NEXTPNR_BEL"])
        assert place, cell["attributes"]["NEXTPNR_BEL"]
        tile = database.tile(tiles[int(place["x"]), int(place["y"])])
        halves = (0, 1) if place["size"] == "36" else (int(place["site"]) % 2,)
        found = []
        for kind, count in HALF.items():
            parts = [_half(tile, half, kind, count, bits) for half in halves]
            found.append(_interleave(*parts) if len(parts) == 2 else _number(parts[0]))
        yield Memory(name, *found)


def differences(found: Memory, cell: Mapping[str, Any]) -> int:
    """Return the bits of a block RAM that differ from the parameters of its cell in Yosys' JSON."""
    wrong = 0
    for kind, value in (("INIT", found.data), ("INITP", found.parity)):
        for name, digits in cell["parameters"].items():
            if match := re.fullmatch(rf"{kind}_([0-9A-F]{{2}})", name):
                there = value >> INIT_BITS * int(match[1], 16)
                for place, digit in enumerate(reversed(digits)):
                    # An x may become either.
                    wrong += digit in "01" and there >> place & 1 != int(digit)
    return wrong


def _cells(routed: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    (top,) = routed["modules"].values()
    for name, cell in top["cells"].items():
        if cell["type"].startswith(("RAMB18E1", "RAMB36E1")):
            yield name, cell


def _half(tile: Any, half: int, kind: str, count: int, bits: Set[int]) -> list[bool]:
    """Return the bits of half a block RAM, the lowest address first."""
    found = []
    for index in range(count):
        for place in range(INIT_BITS):
            feature = tile.bits(f"RAMB18_Y{half}.{kind}_{index:02X}", place)
            assert feature is not None
            found.append(feature.ones[0] in bits)
    return found


def _interleave(even: list[bool], odd: list[bool]) -> int:
    return _number([bit for pair in zip(even, odd, strict=True) for bit in pair])


def _number(bits: list[bool]) -> int:
    return int("".join("01"[bit] for bit in reversed(bits)), 2)
