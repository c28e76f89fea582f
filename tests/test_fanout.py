"""Drivers are copied until none drives too much, and the netlist computes what it did."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.fanout import CONTROL, OUTPUTS, spread
from boards.placeable import make_placeable


def cell(kind: str, inputs: dict[str, Any], **outputs: Any) -> dict[str, Any]:
    directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    connections = {port: [bit] for port, bit in {**inputs, **outputs}.items()}
    return {"type": kind, "port_directions": directions, "connections": connections}


@st.composite
def netlists(draw: st.DrawFn) -> dict[str, Any]:
    """Return a flat module of registers, LUTs and a buffer, with few nets that drive much."""
    registers, luts = draw(st.integers(2, 60)), draw(st.integers(0, 60))
    bits = range(2, 3 + registers + luts)
    source = st.sampled_from([*bits[:4], *bits, "0", "1"])
    cells = {"buffer": cell("BUFG", {"I": "0"}, O=bits[0])}
    for k in range(registers):
        pins = {port: draw(source) for port in ("D", "CE", "R")}
        cells[f"ff{k}"] = cell("FDRE", {"C": bits[0], **pins}, Q=bits[1 + k])
    for k in range(luts):
        inputs = {f"I{i}": draw(source) for i in range(2)}
        cells[f"lut{k}"] = cell("LUT2", inputs, O=bits[1 + registers + k])
    names = {
        f"word[{bit}]": {"hide_name": bit % 2, "bits": [bit], "attributes": {}} for bit in bits
    }
    return {"cells": cells, "netnames": names}


def loads(module: dict[str, Any]) -> dict[int, list[str]]:
    """Return the ports that every bit drives."""
    found: dict[int, list[str]] = {}
    for each in module["cells"].values():
        for port, (bit,) in each["connections"].items():
            if each["port_directions"][port] == "input" and isinstance(bit, int):
                found.setdefault(bit, []).append(port)
    return found


def merged(module: dict[str, Any]) -> dict[str, Any]:
    """Return the cells of a module, with each copy taken for what it is a copy of."""
    cells = copy.deepcopy(module["cells"])
    originals = {
        each["connections"][OUTPUTS[each["type"]]][0]: name.split("$copy$")[0]
        for name, each in cells.items()
        if "$copy$" in name
    }
    for each in cells.values():
        for bits in each["connections"].values():
            if bits[0] in originals:
                original = cells[originals[bits[0]]]
                bits[0] = original["connections"][OUTPUTS[original["type"]]][0]
    for name in [name for name in cells if "$copy$" in name]:
        assert cells[name] == cells[name.split("$copy$")[0]]
        del cells[name]
    return cells


@given(netlists(), st.integers(8, 12))
def test_nothing_drives_too_much_and_all_is_as_before(module: dict[str, Any], limit: int) -> None:
    before = copy.deepcopy(module)
    made = spread(module, limit)
    assert len(module["cells"]) == len(before["cells"]) + made
    assert merged(module) == before["cells"]
    clock = before["cells"]["buffer"]["connections"]["O"][0]
    for bit, ports in loads(module).items():
        assert bit == clock or len(ports) <= limit
    for name, each in module["cells"].items():
        if "$copy$" in name:
            ports = loads(module)[each["connections"][OUTPUTS[each["type"]]][0]]
            assert len({port in CONTROL for port in ports}) == 1
    assert spread(module, limit) == 0


def test_neighbours_share_a_copy(tmp_path: Path) -> None:
    """Ten registers, in a mixed order: those of one word stay together, numbers as numbers."""
    order = [7, 10, 2, 9, 4, 1, 6, 3, 8, 5]
    cells = {f"ff{k}": cell("FDRE", {"D": "0", "CE": 2}, Q=10 + k) for k in order}
    cells["stall"] = cell("LUT2", {"I0": "0", "I1": "1"}, O=2)
    names = {f"sum_{k}": {"hide_name": 0, "bits": [10 + k], "attributes": {}} for k in order}
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps({"modules": {"top": {"cells": cells, "netnames": names}}}))
    assert make_placeable(path, "top", 5) == {"FDRE", "LUT2"}
    made = json.loads(path.read_text())["modules"]["top"]["cells"]
    drivers = [made[f"ff{k}"]["connections"]["CE"][0] for k in range(1, 11)]
    assert drivers == [2] * 5 + [21] * 5
    assert [each.name for each in tmp_path.iterdir()] == ["netlist.json"]


def test_a_wrong_copy_is_noticed() -> None:
    cells = {f"ff{k}": cell("FDRE", {"D": "0", "CE": 2}, Q=10 + k) for k in range(10)}
    cells["stall"] = cell("LUT2", {"I0": "0", "I1": "1"}, O=2)
    module = {"cells": cells, "netnames": {"stall": {"hide_name": 0, "bits": [2]}}}
    module["netnames"] |= {f"q{k}": {"hide_name": 0, "bits": [10 + k]} for k in range(10)}
    assert spread(module, 5) == 1
    cells["stall$copy$20"]["connections"]["I1"] = ["0"]
    with pytest.raises(AssertionError):
        merged(module)
