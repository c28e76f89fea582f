"""From a board design to a bitstream for Lattice's ECP5, with programs that come from PyPI alone.

Yosys maps, nextpnr places and routes, Project Trellis' ``ecppack`` makes the file. Then
``ecpunpack`` must find in the file, for every block RAM, the words that Yosys' netlist gave it. All
that a step reads and writes lies in one folder, logs included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bbnn.tools import environment, find, version
from boards.built import Result, Use
from boards.fit import TooLargeError
from boards.parts import Part
from boards.process import run
from boards.steps import Steps
from boards.synthesis import HEADING

__all__ = ["PART", "STEPS", "build", "require_fit", "require_words", "words_of_cell"]

Progress = Callable[[int, str], None]
"""Called with the number of steps done and what is being done now."""

STEPS = ("synthesize", "place and route", "pack the bitstream")
PART = Part("LFE5U-85F-6CABGA381", lut=83_640, ff=83_640, bram36=104, dsp=156)
"""As nextpnr's database has it; a block RAM is 18 kilobits (Lattice FPGA-DS-02012, table 1.1)."""
SCRIPT = """\
read_verilog {name}.v
synth_ecp5 -top {name}
delete t:$scopeinfo
tee -o cells.json stat -json
write_json {name}.json
"""
# A memory of 16 words of 4 bits is two LUT pairs, and one pair more that writes them.
CELLS = {
    "LUT": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
    "FF": {"TRELLIS_FF": 1},
    "BRAM18": {"DP16KD": 1},
    "DSP": {"MULT18X18D": 1},
}
"""Rows of the table of resources: the cells of Yosys that take them, and how many."""
BELS = {"LUT": "TRELLIS_COMB", "FF": "TRELLIS_FF", "BRAM18": "DP16KD", "DSP": "MULT18X18D"}
"""The same rows by nextpnr's names of them."""
SECTION = re.compile(r"^\.bram_init \d+\n((?:[0-9a-f ]+\n)+)", re.MULTILINE)
"""What a block RAM holds, in Trellis' text of a configuration."""


def build(
    name: str,
    clock_mhz: float,
    folder: Path,
    seed: int | None = None,
    progress: Progress = lambda done, what: None,
) -> Result:
    """Make ``NAME.bit`` of ``NAME.v`` and ``NAME.lpf`` in `folder`; do only what is left to do.

    seed : of nextpnr's placement, its own if None.
    Raise `InputError` if a tool is missing or refuses, naming its log; `TooLargeError` if the
    design needs more of a resource than the part has.
    """
    flow = _Flow(name, folder, progress)
    flow.synthesize()
    require_fit(name, json.loads((folder / "cells.json").read_text()))
    flow.place_and_route(clock_mhz, seed)
    block_rams = flow.pack()
    report = json.loads((folder / "nextpnr.json").read_text())
    fmax = [clock["achieved"] for clock in report["fmax"].values()]
    return Result(
        bitstream=folder / f"{name}.bit",
        part=PART.name,
        clock_mhz=clock_mhz,
        fmax_mhz=round(min(fmax), 2) if fmax else None,
        use=tuple(
            Use(row, report["utilization"][bel]["used"], report["utilization"][bel]["available"])
            for row, bel in BELS.items()
        ),
        bits=None,
        block_rams=block_rams,
        tools=flow.versions,
    )


def require_fit(name: str, stat: Mapping[str, Any]) -> None:
    """Raise `TooLargeError` for the first resource of which Yosys' `stat` has more than the part.

    Yosys counts before nextpnr packs, so that a design at the edge may be refused by nextpnr still.
    """
    cells = stat["design"]["num_cells_by_type"]
    available = {"LUT": PART.lut, "FF": PART.ff, "BRAM18": PART.bram18, "DSP": PART.dsp}
    for row, kinds in CELLS.items():
        used = sum(each * cells.get(kind, 0) for kind, each in kinds.items())
        if used > available[row]:
            raise TooLargeError(row, name, PART.name, used, available[row])


class _Flow:
    def __init__(self, name: str, folder: Path, progress: Progress) -> None:
        self.name, self.folder, self.progress = name, folder, progress
        self.steps = Steps(folder)
        self.versions = {tool: version(tool) for tool in ("yosys", "nextpnr-ecp5")}

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.name}.{suffix}"

    def synthesize(self) -> None:
        script = SCRIPT.format(name=self.name)

        def action() -> None:
            (self.folder / "synthesis.ys").write_text(script)
            command = [find("yosys"), "-q", "-l", "synthesis.log", "-s", "synthesis.ys"]
            run(command, self.folder, "synthesis.log", environment(), self._tell_pass)

        self.progress(0, STEPS[0])
        outputs = [f"{self.name}.json", "cells.json"]
        self.steps.step(STEPS[0], [self.file("v")], outputs, action, [script, self.versions])

    def place_and_route(self, clock_mhz: float, seed: int | None) -> None:
        options = {
            "--package": "CABGA381",
            "--speed": "6",
            "--json": f"{self.name}.json",
            "--lpf": f"{self.name}.lpf",
            "--freq": str(clock_mhz),
            "--textcfg": f"{self.name}.config",
            "--report": "nextpnr.json",
            "--log": "nextpnr.log",
        }
        if seed is not None:
            options["--seed"] = str(seed)
        named = [each for pair in options.items() for each in pair]
        # Whether the estimate is good enough is for the caller to judge.
        command = [find("nextpnr-ecp5"), "--85k", *named, "--timing-allow-fail", "--quiet"]
        self.progress(1, STEPS[1])
        self.steps.step(
            STEPS[1],
            [self.file("json"), self.file("lpf")],
            [f"{self.name}.config", "nextpnr.json"],
            lambda: run(command, self.folder, "nextpnr.log", environment(), self._tell_info),
            [named, self.versions],
        )

    def pack(self) -> int:
        """Write the file unless it is there; return how many block RAMs were read back from it."""
        counts = self.folder / "readback.json"

        def action() -> None:
            beside, back = f"{self.name}.bit.part", f"{self.name}.back.config"
            pack = ["--compress", "--input", f"{self.name}.config", "--bit", beside]
            self._call("ecppack", *pack)
            self._call("ecpunpack", "--input", beside, "--textcfg", back)
            cells = json.loads(self.file("json").read_text())["modules"][self.name]["cells"]
            count = require_words(self.folder / back, cells.values())
            counts.write_text(json.dumps({"block_rams": count}) + "\n")
            (self.folder / beside).replace(self.file("bit"))

        self.progress(2, STEPS[2])
        inputs = [self.file("config"), self.file("json"), Path(__file__)]
        self.steps.step(STEPS[2], inputs, [f"{self.name}.bit", counts.name], action, self.versions)
        return int(json.loads(counts.read_text())["block_rams"])

    def _call(self, tool: str, *arguments: str) -> None:
        command = [find(tool), *arguments]
        run(command, self.folder, f"{tool}.log", environment(), lambda line: None)

    def _tell_pass(self, line: str) -> None:
        if heading := HEADING.fullmatch(line):
            self.progress(0, f"Yosys: {heading[1]}")

    def _tell_info(self, line: str) -> None:
        if line.startswith("Info: ") and line.endswith(("..", "...")):
            self.progress(1, f"nextpnr: {line.removeprefix('Info: ').rstrip('. ')}")


def require_words(config: Path, cells: Iterable[Mapping[str, Any]]) -> int:
    """Hold the block RAMs in a configuration against those of a netlist; return their number."""
    expected = [words_of_cell(cell) for cell in cells if cell["type"] == "DP16KD"]
    found = [
        [int(word, 16) for word in match[1].split()]
        for match in SECTION.finditer(config.read_text())
    ]
    # One that holds zeros alone may have no section.
    if sorted(filter(any, found)) != sorted(filter(any, expected)):
        raise RuntimeError(f"{config} does not hold the words of the netlist's block RAMs")
    return len(expected)


def words_of_cell(cell: Mapping[str, Any]) -> list[int]:
    """Return what a block RAM of Yosys' netlist holds: 2048 words of 9 bits.

    Each of its 64 parameters is 16 times 18 bits with 2 bits behind them.
    """
    words: list[int] = []
    for index in range(64):
        text = cell["parameters"].get(f"INITVAL_{index:02X}", "0")
        value = int(text.replace("x", "0"), 2)
        for pair in range(16):
            both = value >> 20 * pair
            words += [both & 0x1FF, both >> 9 & 0x1FF]
    return words
