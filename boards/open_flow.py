"""From a board design to a bitstream with open tools.

Yosys maps, nextpnr places and routes, ``boards.toolchain.frames`` assembles the configuration, and
Project X-Ray's ``xc7frames2bit`` wraps it. Then ``bitread`` must find the very same bits in the
file. All that a step reads and writes lies in one folder, logs included.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

from bbnn.tools import environment, find, version
from boards import synthesis
from boards.built import Result, uses
from boards.fit import require_fit
from boards.placeable import SOURCES, make_placeable
from boards.process import run
from boards.steps import Steps
from boards.toolchain.database import Database
from boards.toolchain.frames import assemble, frames_text
from boards.toolchain.memory import differences, memories
from boards.toolchain.programs import PACKAGES, Toolchain
from boards.toolchain.readback import read_back

__all__ = ["STEPS", "build"]

Progress = Callable[[int, str], None]
"""Called with the number of steps done and what is being done now."""

STEPS = ("synthesize", "place and route", "assemble frames", "write the bitstream")
OPTIONS = "-family xc7 -flatten -abc9 -nosrl -top {name}"
SAVE = "write_json {name}.json\n"
CODE = tuple(sorted((Path(__file__).parent / "toolchain").glob("*.py")))
"""What writes the frames; where it changes, they are written again."""


def build(
    name: str,
    part: str,
    clock_mhz: float,
    folder: Path,
    toolchain: Toolchain,
    seed: int | None = None,
    progress: Progress = lambda done, what: None,
) -> Result:
    """Make ``NAME.bit`` of ``NAME.v`` and ``NAME.xdc`` in `folder`; do only what is left to do.

    seed : of nextpnr's placement, its own if None.
    Raise `InputError` if a tool is missing or refuses, naming its log: a design that is too large,
    above all.
    """
    find("yosys")
    database = Database(toolchain.database, part)
    flow = _Flow(name, part, folder, toolchain, database, progress)
    flow.synthesize()
    require_fit(name, part, json.loads((folder / "cells.json").read_text()))
    flow.place_and_route(clock_mhz, seed)
    flow.assemble()
    found = flow.bitstream()
    report = json.loads((folder / "nextpnr.json").read_text())
    fmax = [clock["achieved"] for clock in report["fmax"].values()]
    asked = [clock["constraint"] for clock in report["fmax"].values()]
    if not all(math.isclose(each, clock_mhz, rel_tol=1e-3) for each in asked):
        raise RuntimeError(f"nextpnr did not find the constraint of {clock_mhz} MHz, but {asked}")
    return Result(
        bitstream=folder / f"{name}.bit",
        part=part,
        clock_mhz=clock_mhz,
        fmax_mhz=round(min(fmax), 2) if fmax else None,
        use=uses(report),
        bits=found["bits"],
        block_rams=found["block_rams"],
        tools=flow.versions,
    )


class _Flow:
    def __init__(
        self,
        name: str,
        part: str,
        folder: Path,
        toolchain: Toolchain,
        database: Database,
        progress: Progress,
    ) -> None:
        self.name, self.part, self.folder = name, part, folder
        self.toolchain, self.database = toolchain, database
        self.progress = progress
        self.steps = Steps(folder)
        installed = {package: toolchain.versions.get(package, "unknown") for package in PACKAGES}
        self.versions = {"yosys": version("yosys"), **installed}

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.name}.{suffix}"

    def synthesize(self) -> None:
        script = synthesis.SCRIPT.format(
            source=f"{self.name}.v", options=OPTIONS.format(name=self.name)
        )
        script += SAVE.format(name=self.name)

        def action() -> None:
            (self.folder / "synthesis.ys").write_text(script)
            command = [find("yosys"), "-q", "-l", "synthesis.log", "-s", "synthesis.ys"]
            run(command, self.folder, "synthesis.log", environment(), self._tell_pass)
            make_placeable(self.file("json"), self.name)

        outputs = [f"{self.name}.json", "cells.json"]
        self.progress(0, STEPS[0])
        self.steps.step(
            STEPS[0], [self.file("v"), *SOURCES], outputs, action, [script, self.versions["yosys"]]
        )

    def place_and_route(self, clock_mhz: float, seed: int | None) -> None:
        options = {
            "--chipdb": self.toolchain.chip(self.database.device),
            "--device": self.part,
            "--json": f"{self.name}.json",
            "--write": f"{self.name}.routed.json",
            "--report": "nextpnr.json",
            "--log": "nextpnr.log",
        }
        if seed is not None:
            options["--seed"] = str(seed)
        named = [each for pair in options.items() for each in pair]
        files = ["-o", f"xdc={self.name}.xdc", "-o", f"fasm={self.name}.fasm"]
        # Whether the estimate is good enough is for the caller to judge.
        command = self.toolchain.command(
            "nextpnr-himbaechel-xilinx", *named, *files, "--timing-allow-fail", "--quiet"
        )
        self.progress(1, STEPS[1])
        self.steps.step(
            STEPS[1],
            [self.file("json"), self.file("xdc")],
            [f"{self.name}.fasm", f"{self.name}.routed.json", "nextpnr.json"],
            lambda: run(
                command, self.folder, "nextpnr.log", self.toolchain.environment, self._tell_info
            ),
            [clock_mhz, self.part, seed, self.versions],
        )

    def assemble(self) -> None:
        def action() -> None:
            bits = assemble(self.database, self.file("fasm"))
            self.file("frames").write_text(frames_text(bits))

        self.progress(2, STEPS[2])
        inputs = [self.file("fasm"), *CODE]
        self.steps.step(STEPS[2], inputs, [f"{self.name}.frames"], action, self.versions)

    def bitstream(self) -> dict[str, int]:
        """Write the file unless it is there; return what was found in it."""
        counts = self.folder / "readback.json"

        def action() -> None:
            beside = self.folder / f"{self.name}.bit.part"
            options = {
                "--part_file": self.database.part_file,
                "--part_name": self.part,
                "--frm_file": self.file("frames"),
                "--output_file": beside,
            }
            named = [each for pair in options.items() for each in pair]
            command = self.toolchain.command("xc7frames2bit", *named)
            subprocess.run(command, env=self.toolchain.environment, check=True, capture_output=True)
            counts.write_text(json.dumps(self._read_back(beside)) + "\n")
            beside.replace(self.file("bit"))

        self.progress(3, STEPS[3])
        inputs = [self.file(suffix) for suffix in ("frames", "json", "routed.json")]
        outputs = [f"{self.name}.bit", counts.name]
        self.steps.step(STEPS[3], [*inputs, *CODE], outputs, action, self.versions)
        found: dict[str, int] = json.loads(counts.read_text())
        return found

    def _read_back(self, bitstream: Path) -> dict[str, int]:
        """Hold what is read from `bitstream` against what went into it; return the numbers."""
        found = read_back(self.toolchain, self.database, bitstream)
        if found != assemble(self.database, self.file("fasm")):
            raise RuntimeError(f"{bitstream} does not hold the bits of {self.file('fasm')}")
        cells = json.loads(self.file("json").read_text())["modules"][self.name]["cells"]
        routed = json.loads(self.file("routed.json").read_text())
        count = 0
        for memory in memories(self.database, found, routed):
            if wrong := differences(memory, cells[memory.name]):
                raise RuntimeError(f"{bitstream}: {wrong} bits of {memory.name} are wrong")
            count += 1
        return {"bits": len(found), "block_rams": count}

    def _tell_pass(self, line: str) -> None:
        if heading := synthesis.HEADING.fullmatch(line):
            self.progress(0, f"Yosys: {heading[1]}")

    def _tell_info(self, line: str) -> None:
        if line.startswith("Info: ") and line.endswith(("..", "...")):
            self.progress(1, f"nextpnr: {line.removeprefix('Info: ').rstrip('. ')}")
