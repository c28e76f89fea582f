"""The Verilog of a whole board design, with its pins and clocks: what open toolchains start from.

Amaranth's platform writes the files of its flow for the vendor's tools, and the open tools read
the Verilog and the XDC or LPF of these. (Its templates for the open ones, called Xray, would do
without block RAM, clock constraints, resumption and progress.) Vivado starts from
`boards.vivado.files`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from bbnn.description import Network
from boards.platforms import Board
from boards.platforms.board import Family
from boards.shell import Shell
from boards.uart import UartShell
from boards.uart.protocol import BAUD, SILENCE
from boards.ulx3s import Ulx3s
from boards.zynq import Zynq

__all__ = ["SOURCE", "shell_on", "write_changed", "write_plan"]

SUFFIXES: dict[Family, tuple[str, ...]] = {"zynq": ("v", "xdc"), "ecp5": ("v", "lpf")}
"""Design and constraints."""
VENDOR: dict[Family, str] = {"zynq": "Vivado", "ecp5": "Diamond"}
TOPS: dict[Family, type[Zynq] | type[Ulx3s]] = {"zynq": Zynq, "ecp5": Ulx3s}

SOURCE = re.compile(r'^ *\(\* src = "[^"]*" \*\)\n', re.MULTILINE)
"""Where in whose folder a memory was written down: nothing that a design may depend on."""
QUOTED = re.compile(r'(?<=^set_property )(\w+ )"(\w+)" ', re.MULTILINE)


def shell_on(board: Board, network: Network) -> Shell | UartShell:
    """Return what stands around the core of `network` on `board`."""
    if board.family == "zynq":
        return Shell(network)
    frequency = 1e6 * board.clock_mhz
    return UartShell(network, round(frequency / BAUD), round(frequency * SILENCE))


def write_plan(
    component: wiring.Component, board: Board, frequency: float, name: str, folder: Path
) -> None:
    """Write ``NAME.v`` of `component` on `board`, and what else is in `SUFFIXES`, to `folder`.

    frequency : of the component's clock, in Hz. A file that would be the same is not touched.
    """
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    vendor: dict[str, Any] = {"toolchain": VENDOR[board.family]}
    platform: Any = board.platform(**vendor)
    files = platform.prepare(TOPS[board.family](component, frequency), name).files
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in SUFFIXES[board.family]:
        path, text = folder / f"{name}.{suffix}", files[f"{name}.{suffix}"]
        assert isinstance(text, str)
        if suffix == "v":
            text = SOURCE.sub("", text)
        if suffix == "xdc":
            # nextpnr takes the quotes for part of the value, and then knows no such standard.
            text = QUOTED.sub(r"\1\2 ", text)
        write_changed(path, text)


def write_changed(path: Path, text: str) -> None:
    """Write `text` to `path` whole or not at all; do not touch the file if it says so already."""
    if not path.is_file() or path.read_text() != text:
        beside = path.with_name(f"{path.name}.part")
        beside.write_text(text)
        beside.replace(path)
