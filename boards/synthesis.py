"""Synthesize Verilog for a part with Yosys, and count what it takes.

The design is synthesized out of context: no pads, no clock buffers. Yosys is the WebAssembly build
that installs with this project. It has a /tmp of its own, hence relative paths; and its search for
shift registers exhausts the stack of WebAssembly on long delay lines, hence `-nosrl`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bbnn.errors import require
from bbnn.tools import environment, find
from boards.parts import Part, part_named
from boards.process import run

__all__ = ["Resources", "Row", "synthesize"]

Progress = Callable[[str], None]
"""Called with the name of a Yosys pass when it starts."""

SCRIPT = """\
read_verilog {source}
# Map for area, and without the restructuring that is the default: the generator writes the
# structure that it wants, six-bit counters above all, and restructuring does not find it again.
# Sweeping would take the lowest sum of a counter, at the end of its carry chain, for an inverter of
# its lowest bit; a table that the counter addresses then needs more inputs than a LUT has.
scratchpad -set abc9.script +&if,{{W}},{{D}},{{R}},-a,-v;,&mfs
synth_xilinx {options} -run begin:prepare
# A LUT is a LUT: by default two small ones would count less than one of six inputs.
setattr -mod -set abc9_lut 5 =LUT1 =LUT2 =LUT3 =LUT4 =LUT5 =LUT6
synth_xilinx {options} -run prepare:
delete t:$scopeinfo
tee -o cells.json stat -json -tech xilinx
"""
OPTIONS = "-family xc7 -flatten -abc9 -noiopad -noclkbuf -nosrl -top {top}"
HEADING = re.compile(r"\d+\.\d+\. Executing (.+?)(?: pass\b.*)?\.?")
"""A pass that the script's commands call; those that passes call in turn are too many."""

CELLS = {
    **{f"LUT{inputs}": ("lut", 1) for inputs in range(1, 7)},
    "INV": ("lut", 1),
    # A mux between neighbouring LUTs, part of their slice.
    "MUXF7": ("lut", 0),
    "MUXF8": ("lut", 0),
    # Memory in LUTs: so many of them, for one write port and one to four read ports.
    "RAM32M": ("lutram", 4),
    "RAM64M": ("lutram", 4),
    "RAM64X1S": ("lutram", 1),
    "RAM128X1S": ("lutram", 2),
    "RAM256X1S": ("lutram", 4),
    "RAM64X1D": ("lutram", 2),
    "RAM128X1D": ("lutram", 4),
    **{f"FD{kind}E": ("ff", 1) for kind in "RSCP"},
    **{f"FD{kind}E_1": ("ff", 1) for kind in "RSCP"},
    "CARRY4": ("carry4", 1),
    "RAMB36E1": ("bram36", 1),
    "RAMB18E1": ("bram18", 1),
    "DSP48E1": ("dsp", 1),
    # A black box (hdl/crossbar_macro.v): no FPGA has it, and what is around it is counted.
    "crossbar_macro": ("macro", 1),
}
"""Every cell that may come out: the resource it takes, and how many."""


class Row(NamedTuple):
    """A line of the table of resources."""

    name: str
    used: int
    available: int

    @property
    def share(self) -> float:
        """Part of the available ones that is used."""
        return self.used / self.available


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a design takes of a part.

    lut : LUTs as logic; lutram : LUTs as memory. bram36, bram18 : whole and half block RAMs.
    macro : crossbars that are black boxes, not counted in the rest.
    cells : number of cells by type.
    """

    part: Part
    cells: Mapping[str, int]
    lut: int = 0
    lutram: int = 0
    ff: int = 0
    carry4: int = 0
    bram36: int = 0
    bram18: int = 0
    dsp: int = 0
    macro: int = 0

    @property
    def rows(self) -> list[Row]:
        """The table of resources; the first row has all LUTs, the second those of memories."""
        return [
            Row("LUT", self.lut + self.lutram, self.part.lut),
            Row("LUT as memory", self.lutram, self.part.lut),
            Row("FF", self.ff, self.part.ff),
            Row("CARRY4", self.carry4, self.part.carry4),
            Row("BRAM36", self.bram36, self.part.bram36),
            Row("BRAM18", self.bram18, self.part.bram18),
            Row("DSP", self.dsp, self.part.dsp),
        ]

    def require_no_dsp(self) -> None:
        """Raise `InputError` if the design took a DSP slice: no layer may need a multiplier."""
        require(self.dsp == 0, "DSP slices in use", "0", self.dsp)

    def as_json(self) -> dict[str, Any]:
        """Return the table and the cells for `--json` and for ``resources.json``."""
        rows = [{**row._asdict(), "share": round(row.share, 6)} for row in self.rows]
        return {"part": self.part.name, "resources": rows, "cells": dict(self.cells)}


def synthesize(
    verilog: Path, top: str, part: str, folder: Path, progress: Progress | None = None
) -> Resources:
    """Synthesize module `top` of `verilog` for `part` and return what it takes.

    `folder` gets Yosys' script, its log, its count of cells, and ``resources.json``. Raises
    `InputError` if the part is unknown, Yosys is missing, or it refuses the design.
    """
    chosen = part_named(part)
    yosys = find("yosys")
    require(verilog.is_file(), str(verilog), "a Verilog file", "missing")
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(os.path.relpath(verilog, folder)).as_posix()
    script = SCRIPT.format(source=source, options=OPTIONS.format(top=top))
    (folder / "synthesis.ys").write_text(script)
    (folder / "resources.json").unlink(missing_ok=True)

    def tell(line: str) -> None:
        heading = HEADING.fullmatch(line)
        if heading and progress:
            progress(heading[1])

    # Without -q, this build stops writing to stdout when ABC9 starts.
    command = [yosys, "-q", "-l", "synthesis.log", "-s", "synthesis.ys"]
    run(command, folder, "synthesis.log", environment(), tell)
    stat = json.loads((folder / "cells.json").read_text())
    resources = count(stat["design"].get("num_cells_by_type", {}), chosen)
    beside = folder / "resources.json.part"
    beside.write_text(json.dumps(resources.as_json(), indent=2) + "\n")
    beside.replace(folder / "resources.json")
    return resources


def count(cells: Mapping[str, int], part: Part) -> Resources:
    """Return what `cells`, numbers by type, take of `part`; every type must be known."""
    totals: dict[str, int] = {}
    for kind, number in cells.items():
        if kind not in CELLS:
            raise RuntimeError(f"Yosys used {kind}, whose resources are unknown")
        resource, each = CELLS[kind]
        totals[resource] = totals.get(resource, 0) + each * number
    return Resources(part=part, cells=cells, **totals)
