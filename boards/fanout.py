"""Copies of whatever drives too many pins, which nextpnr does not make by itself.

A stall reaches every register of a layer, and an address every bit of its code memory: nets of
thousands of pins, all over the part. Where such a net goes on into control logic too, its delay is
the design's. So, before place and route, a LUT or flip-flop that drives more than `LIMIT` pins is
copied, and each copy drives as many of them as lie near each other by name. Pins for enable and
reset never share a copy with pins for logic. What the netlist computes stays the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, NamedTuple

__all__ = ["LIMIT", "spread"]

LIMIT = 256
"""Pins that one output may drive."""
OUTPUTS = {**{f"LUT{k}": "O" for k in range(1, 7)}, "FDRE": "Q", "FDSE": "Q"}
"""Cells that are copied, and their outputs."""
CONTROL = {"CE", "R", "S"}
REACH = 4
"""How many cells further the name of a register is looked for."""

Cells = dict[str, dict[str, Any]]


class Pin(NamedTuple):
    """An input: a bit of a port of a cell, by its position."""

    cell: str
    port: str
    position: int


def spread(module: dict[str, Any], limit: int = LIMIT) -> int:
    """Copy drivers in a flat module of Yosys' JSON until none drives too much; return how many.

    limit : at least 8, more pins than a cell has, or copies would need copies without end. Clocks,
    and what cells outside `OUTPUTS` drive, stay as they are.
    """
    cells: Cells = module["cells"]
    free = 1 + max(bit for net in module["netnames"].values() for bit in _wires(net["bits"]))
    made = 0
    while True:
        drivers, pins = _connections(cells)
        crowded = [bit for bit in drivers if len(pins[bit]) > limit]
        if not crowded:
            return made
        names = _names(module)
        for bit in crowded:
            near = sorted(pins[bit], key=lambda pin: _place(cells, names, pins, pin))
            control = [pin for pin in near if pin.port in CONTROL]
            logic = [pin for pin in near if pin.port not in CONTROL]
            groups = [*_groups(control, limit), *_groups(logic, limit)]
            for group in groups[1:]:
                _copy(module, drivers[bit], free, group)
                free += 1
                made += 1


def _wires(bits: list[Any]) -> list[int]:
    """Return the bits that are not constants."""
    return [bit for bit in bits if isinstance(bit, int)]


def _connections(cells: Cells) -> tuple[dict[int, str], dict[int, list[Pin]]]:
    """Return which cell that can be copied drives a bit, and which pins each bit drives."""
    drivers: dict[int, str] = {}
    pins: dict[int, list[Pin]] = defaultdict(list)
    for name, cell in cells.items():
        output = OUTPUTS.get(cell["type"])
        for port, bits in cell["connections"].items():
            if port == output:
                drivers |= dict.fromkeys(_wires(bits), name)
            elif cell["port_directions"][port] == "input":
                for position, bit in enumerate(bits):
                    if isinstance(bit, int):
                        pins[bit].append(Pin(name, port, position))
    return drivers, pins


def _names(module: dict[str, Any]) -> dict[int, str]:
    """Return the names of bits that the design gave, the shortest of each."""
    named = [
        (name, net["bits"]) for name, net in module["netnames"].items() if not net["hide_name"]
    ]
    names: dict[int, str] = {}
    for name, bits in sorted(named, key=lambda each: -len(each[0])):
        names |= {bit: f"{name}.{index}" for index, bit in enumerate(bits)}
    return names


def _place(
    cells: Cells, names: dict[int, str], pins: dict[int, list[Pin]], pin: Pin
) -> list[tuple[int, str]]:
    """Return what sorts pins by the register that they lead to: its name, numbers as numbers."""
    cell = pin.cell
    found = ""
    for _ in range(REACH):
        outputs = [
            bit
            for port, bits in cells[cell]["connections"].items()
            if cells[cell]["port_directions"][port] == "output"
            for bit in _wires(bits)
        ]
        found = next((names[bit] for bit in outputs if bit in names), "")
        further = [pins[bit][0].cell for bit in outputs if pins[bit]]
        if found or not further:
            break
        cell = further[0]
    parts = re.split(r"(\d+)", found)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _groups(pins: list[Pin], limit: int) -> list[list[Pin]]:
    """Return the pins in groups of nearly one size, at most `limit`."""
    count = -(-len(pins) // limit)
    return [pins[len(pins) * k // count : len(pins) * (k + 1) // count] for k in range(count)]


def _copy(module: dict[str, Any], driver: str, bit: int, pins: list[Pin]) -> None:
    """Let a copy of `driver`, whose output is `bit`, drive `pins`."""
    cells: Cells = module["cells"]
    original = cells[driver]
    connections = {port: [*bits] for port, bits in original["connections"].items()}
    connections[OUTPUTS[original["type"]]] = [bit]
    # The name is the bit's, so that no two copies share one.
    cells[f"{driver}$copy${bit}"] = {**original, "connections": connections}
    module["netnames"][f"$copy${bit}"] = {"hide_name": 1, "bits": [bit], "attributes": {}}
    for pin in pins:
        cells[pin.cell]["connections"][pin.port][pin.position] = bit
