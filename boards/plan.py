"""The Verilog of a whole board design, with its pins and clocks: what every toolchain starts from.

Amaranth's platform writes the files of its flow for the vendor's tools. The open tools read the
same Verilog and the same XDC. (Its templates for the open ones, called Xray, would do without block
RAM, clock constraints, resumption and progress.)
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from amaranth.lib import wiring

from boards.platforms import Board
from boards.zynq import Zynq

__all__ = ["SUFFIXES", "write_plan"]

SUFFIXES = ("v", "xdc", "tcl")
"""Design, constraints, and Vivado's script."""

QUOTED = re.compile(r'(?<=^set_property )(\w+ )"(\w+)" ', re.MULTILINE)


def write_plan(
    component: wiring.Component, board: Board, frequency: float, name: str, folder: Path
) -> None:
    """Write ``NAME.v``, ``NAME.xdc`` and ``NAME.tcl`` of `component` on `board` to `folder`.

    frequency : of the component's clock, in Hz. A file that would be the same is not touched.
    """
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    files = board.platform(toolchain="Vivado").prepare(Zynq(component, frequency), name).files
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in SUFFIXES:
        path, text = folder / f"{name}.{suffix}", files[f"{name}.{suffix}"]
        assert isinstance(text, str)
        if suffix == "xdc":
            # nextpnr takes the quotes for part of the value, and then knows no such standard.
            text = QUOTED.sub(r"\1\2 ", text)
        if not path.is_file() or path.read_text() != text:
            beside = path.with_name(f"{path.name}.part")
            beside.write_text(text)
            beside.replace(path)
