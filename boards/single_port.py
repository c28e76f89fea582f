"""Memories of one port, four to a slice: nextpnr stops at the cell that Yosys uses for one bit.

That is RAM64X1S, whose output nextpnr's packer connects twice. A RAM64M is the same four LUTs, each
with an address to read at; where all of them are the address to write at, it is four memories of
one port. What the netlist computes, and how many LUTs it takes, stay the same.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

__all__ = ["join"]

SINGLE, QUAD = "RAM64X1S", "RAM64M"
ADDRESS = [f"A{bit}" for bit in range(6)]
LUTS = "DCBA"
"""Of a slice, that first whose address is the one to write at."""


def join(module: dict[str, Any]) -> int:
    """Replace all `SINGLE` in a flat module of Yosys' JSON; return how many `QUAD` that takes."""
    cells = module["cells"]
    alike: dict[str, list[str]] = defaultdict(list)
    for name, cell in cells.items():
        if cell["type"] == SINGLE:
            shared = [cell["connections"][port] for port in (*ADDRESS, "WCLK", "WE")]
            inverted = cell["parameters"].get("IS_WCLK_INVERTED")
            alike[str((shared, inverted))].append(name)
    made = 0
    for names in alike.values():
        for start in range(0, len(names), len(LUTS)):
            group = names[start : start + len(LUTS)]
            quad = _quad([cells.pop(name) for name in group])
            cells[group[0]] = quad
            made += 1
    return made


def _quad(singles: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the cell that takes the place of up to four that share all but their data."""
    first = singles[0]
    address = [bit for port in ADDRESS for bit in first["connections"][port]]
    inputs = {port: first["connections"][port] for port in ("WCLK", "WE")}
    inputs |= {f"ADDR{lut}": [*address] for lut in LUTS}
    outputs = {}
    parameters = {key: value for key, value in first["parameters"].items() if key != "INIT"}
    for lut, single in zip(LUTS, singles, strict=False):
        inputs[f"DI{lut}"] = single["connections"]["D"]
        outputs[f"DO{lut}"] = single["connections"]["O"]
        parameters[f"INIT_{lut}"] = single["parameters"]["INIT"]
    return {
        **first,
        "type": QUAD,
        "parameters": parameters,
        "port_directions": dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output"),
        "connections": inputs | outputs,
    }
