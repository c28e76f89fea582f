"""Block RAM contents come back from the bits of a configuration, each from its own place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boards.toolchain.database import FRAME_SHIFT, Database
from boards.toolchain.frames import assemble
from boards.toolchain.memory import Memory, differences, memories

PART = "xc7z010clg400-1"
FRAME_BITS = 320
"""Bits of a block RAM in each of its frames."""
KINDS = {"INIT": 0x40, "INITP": 0x08}


def features() -> list[str]:
    """Return a database's lines for a block RAM: its bits one after another, in this order."""
    names = [
        f"BRAM_L.RAMB18_Y{half}.{kind}_{number:02X}[{bit:03d}]"
        for half in (0, 1)
        for kind, count in KINDS.items()
        for number in range(count)
        for bit in range(256)
    ]
    return [f"{name} {i // FRAME_BITS:02d}_{i % FRAME_BITS:02d}\n" for i, name in enumerate(names)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    grid = {
        f"BRAM_L_X6Y{5 * i}": {
            "type": "BRAM_L",
            "grid_x": 19,
            "grid_y": 155 - 5 * i,
            "bits": {"BLOCK_RAM": {"baseaddr": f"{0xC20000:#x}", "offset": 10 * i}},
        }
        for i in range(3)
    }
    files = {
        "mapping/devices.yaml": '"xc7z010":\n  fabric: "xc7z010"\n',
        "xc7z010/tilegrid.json": json.dumps(grid),
        f"{PART}/required_features.fasm": "",
        "segbits_bram_l.block_ram.db": "".join(features()),
    }
    folder = tmp_path_factory.mktemp("database")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Database(folder, PART)


def routed(**places: str) -> dict[str, Any]:
    """Return nextpnr's netlist with block RAMs at `places`, and something else."""
    cells: dict[str, Any] = {
        name: {
            "type": f"{bel.rpartition('.')[2]}_{bel.rpartition('.')[2]}",
            "attributes": {"NEXTPNR_BEL": bel},
        }
        for name, bel in places.items()
    }
    cells["lut"] = {"type": "SLICE_LUTX", "attributes": {"NEXTPNR_BEL": "X1Y1/SLICE_X0Y0.A6LUT"}}
    return {"modules": {"top": {"cells": cells}}}


def cell(data: int, parity: int) -> dict[str, Any]:
    """Return the parameters that Yosys gives a cell with such contents."""
    parameters = {"READ_WIDTH_A": f"{9:032b}"}
    for kind, value in (("INIT", data), ("INITP", parity)):
        count = -(-value.bit_length() // 256)
        for i in range(count):
            parameters[f"{kind}_{i:02X}"] = f"{value >> 256 * i & 2**256 - 1:0256b}"
    return {"parameters": parameters}


def test_contents(database: Database, tmp_path: Path, rng: np.random.Generator) -> None:
    low, odd = (int.from_bytes(rng.bytes(2048)) for _ in range(2))
    high_parity = int.from_bytes(rng.bytes(256))
    lines = []
    for tile, half, kind, value in (
        ("BRAM_L_X6Y0", 0, "INIT", low),
        ("BRAM_L_X6Y0", 1, "INITP", high_parity),
        ("BRAM_L_X6Y10", 0, "INIT", low),
        ("BRAM_L_X6Y10", 1, "INIT", odd),
    ):
        for i in range(KINDS[kind]):
            part = value >> 256 * i & 2**256 - 1
            lines.append(f"{tile}.RAMB18_Y{half}.{kind}_{i:02X}[255:0] = 256'h{part:064x}\n")
    (tmp_path / "a.fasm").write_text("".join(lines))
    bits = assemble(database, tmp_path / "a.fasm")
    netlist = routed(
        lower="X19Y155/RAMB18_X0Y0.RAMB18E1",
        upper="X19Y155/RAMB18_X0Y1.RAMB18E1",
        empty="X19Y150/RAMB36_X0Y0.RAMB36E1",
        whole="X19Y145/RAMB36_X0Y0.RAMB36E1",
    )
    found = {memory.name: memory for memory in memories(database, bits, netlist)}
    interleaved = sum(
        (low >> i & 1) << 2 * i | (odd >> i & 1) << 2 * i + 1 for i in range(16 * 1024)
    )
    assert found == {
        "lower": Memory("lower", low, 0),
        "upper": Memory("upper", 0, high_parity),
        "empty": Memory("empty", 0, 0),
        "whole": Memory("whole", interleaved, 0),
    }
    assert differences(found["whole"], cell(interleaved, 0)) == 0
    assert differences(found["upper"], cell(0, high_parity)) == 0
    assert differences(found["upper"], cell(0, high_parity ^ 5 << 700)) == 2
    assert differences(found["empty"], cell(1 << 32767, 0)) == 1
    # One bit more in the configuration is one wrong bit of one memory.
    changed = bits ^ {(0xC20000 << FRAME_SHIFT) + 32 * 20 + 7}
    again = {memory.name: memory for memory in memories(database, changed, netlist)}
    assert differences(again["whole"], cell(interleaved, 0)) == 1
    assert again["lower"] == found["lower"]


def test_undefined_contents_may_be_either() -> None:
    unknown = {"parameters": {"INIT_00": "x" * 254 + "1x"}}
    assert differences(Memory("a", 0b10, 0), unknown) == 0
    assert differences(Memory("a", 0b11, 0), unknown) == 0
    assert differences(Memory("a", 0b01, 0), unknown) == 1
