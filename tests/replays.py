"""Play recordings of `blocks.play` to generated Verilog: same inputs, same outputs, cycle by cycle.

All blocks, and broken copies of them, share one simulation. A block's recordings follow one another
with a reset between them, and the first, which starts from the initial values that an FPGA loads,
comes once more at the end.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bbnn.tools import find
from blocks import Recording

GUARDS = {
    "payload": "valid",
    "tdata": "tvalid",
    "tlast": "tvalid",
    "bresp": "bvalid",
    "rdata": "rvalid",
    "rresp": "rvalid",
}
"""Outputs that mean something only while another one is high."""
READ = ("data", "word_data", "row_noise", "column_noise", "kept")
"""Outputs of memories, unknown before the first `enable`."""
RESET_CYCLES = 2
MAKE = (
    # The simulation is short; compiling is not.
    "OPT_FAST=-O0",
    "OPT_SLOW=-O0",
    "OPT_GLOBAL=-O0",
    # How a compiler is given a precompiled header; the wheel knows no compiler and leaves it empty.
    "CFG_CXXFLAGS_PCH_I=-include",
)

PLAYER = """
module player #(
    parameter INPUTS = 1, OUTPUTS = 1, ROWS = 1, NAME = "", FILE = ""
) (
    input  wire clk,
    output wire [INPUTS-1:0] inputs,
    input  wire [OUTPUTS-1:0] outputs,
    output reg done
);
  reg [INPUTS+2*OUTPUTS-1:0] rows [0:ROWS-1];
  wire [OUTPUTS-1:0] expected, means;
  integer row, wrong, first;
  assign {means, expected, inputs} = rows[row];

  initial begin
    $readmemh(FILE, rows);
    done = 0;
    row = 0;
    wrong = 0;
    first = 0;
  end

  always @(posedge clk)
    if (!done) begin
      // An unknown bit where one is expected differs, too.
      if (((outputs ^ expected) & means) !== 0) begin
        if (wrong == 0) first <= row;
        wrong <= wrong + 1;
      end
      if (row == ROWS - 1) done <= 1;
      else row <= row + 1;
    end

  always @(posedge done)
    $display("%0s: %0d rows, %0d wrong, first %0d", NAME, ROWS, wrong, first);
endmodule
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Rows played, rows with a wrong output, and the first of these."""

    rows: int
    wrong: int
    first: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What is played: recordings of the same block, and the texts that shall answer.

    texts : each defines a module of the block's name, and others that begin with it.
    """

    recordings: list[Recording]
    texts: list[str]


def replay(blocks: dict[str, Played], simulator: str, folder: Path) -> dict[str, list[Result]]:
    """Play to every text of every block; return the results, in the order of the texts."""
    sources, benches = [PLAYER], []
    for name, block in blocks.items():
        rows = list(_rows(block.recordings))
        (folder / f"{name}.hex").write_text("".join(f"{row:x}\n" for row in rows))
        for index, text in enumerate(block.texts):
            copy = f"{name}_{index}"
            # The name is followed by a space, a bracket, or the dot before a submodule's name.
            sources.append(re.sub(rf"\b{name}(?=[ (.])", copy, text))
            bench = _instance(block.recordings[0], copy, f"{name}.hex", len(rows), len(benches))
            benches.append(bench)
    clock = "reg clk = 0; always #5 clk = !clk;"
    end = f"wire [{len(benches) - 1}:0] done; always @(posedge clk) if (&done) $finish;"
    text = ["`timescale 1ns / 1ps", *sources, "module bench;", clock, end, *benches, "endmodule\n"]
    (folder / "bench.v").write_text("\n".join(text))
    line = re.compile(r"^(\w+)_(\d+): (\d+) rows, (\d+) wrong, first (\d+)$", re.MULTILINE)
    found = {
        (name, int(index)): Result(rows=int(rows), wrong=int(wrong), first=int(first))
        for name, index, rows, wrong, first in line.findall(_simulate(simulator, folder))
    }
    return {
        name: [found[name, index] for index in range(len(block.texts))]
        for name, block in blocks.items()
    }


def _inputs(recording: Recording) -> dict[str, int]:
    """Return the ports that a player drives: a core's reset is one of its recorded inputs."""
    return recording.inputs if "aresetn" in recording.inputs else {**recording.inputs, "rst": 1}


def _rows(recordings: list[Recording]) -> Iterator[int]:
    """Yield a player's rows: inputs lowest, then outputs, then which of their bits are meant."""
    for recording in [*recordings, recordings[0]]:
        known = False
        for given, expected in recording.rows:
            inputs = dict(zip(recording.inputs, given, strict=True))
            outputs = dict(zip(recording.outputs, expected, strict=True))
            yield _row(recording, inputs, outputs, known)
            known = known or inputs.get("enable") == 1
        yield from [_row(recording, {"rst": 1, "aresetn": 0}, {}, False)] * RESET_CYCLES


def _row(recording: Recording, inputs: dict[str, int], outputs: dict[str, int], known: bool) -> int:
    """Return a row; nothing is meant where there are no `outputs`."""
    fields = [(inputs.get(name, 0), width) for name, width in _inputs(recording).items()]
    fields += [(outputs.get(name, 0), width) for name, width in recording.outputs.items()]
    for name, width in recording.outputs.items():
        meant = bool(outputs) and _means(name, outputs, known)
        fields.append(((1 << width) - 1 if meant else 0, width))
    row = start = 0
    for value, width in fields:
        row |= value << start
        start += width
    return row


def _means(name: str, outputs: dict[str, int], known: bool) -> bool:
    """Say whether the output `name` means something; `known` is whether memories were read."""
    if name in READ:
        return known
    prefix, _, last = name.rpartition("__")
    return last not in GUARDS or bool(outputs[f"{prefix}__{GUARDS[last]}"])


def _instance(recording: Recording, copy: str, file: str, rows: int, number: int) -> str:
    """Return a player and what it plays to."""
    ports = []
    for vector, widths in (("inputs", _inputs(recording)), ("outputs", recording.outputs)):
        start = 0
        for port, width in widths.items():
            ports.append(f".{port}({copy}_{vector}[{start} +: {width}])")
            start += width
    inputs, outputs = sum(_inputs(recording).values()), sum(recording.outputs.values())
    clock = "aclk" if "aresetn" in recording.inputs else "clk"
    return f"""
  wire [{inputs - 1}:0] {copy}_inputs;
  wire [{outputs - 1}:0] {copy}_outputs;
  player #(
      .INPUTS({inputs}), .OUTPUTS({outputs}), .ROWS({rows}), .NAME("{copy}"), .FILE("{file}")
  ) {copy}_player (clk, {copy}_inputs, {copy}_outputs, done[{number}]);
  {copy} {copy}_block (.{clock}(clk), {", ".join(ports)});"""


def _simulate(simulator: str, folder: Path) -> str:
    """Compile and run ``bench.v``; return what it says."""
    if simulator == "verilator":
        options = ["--binary", "-j", "2", "--top-module", "bench", "--Mdir", "build"]
        options += ["-CFLAGS", "-std=c++20", "-MAKEFLAGS", " ".join(MAKE)]
        _call(folder, find("verilator"), *options, "bench.v")
        return _call(folder, folder / "build" / "Vbench")
    _call(folder, find("iverilog"), "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v")
    return _call(folder, find("iverilog").with_name("vvp"), "-n", "bench.vvp")


def _call(folder: Path, *command: object) -> str:
    result = subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False
    )
    said = result.stdout + result.stderr
    assert result.returncode == 0, f"{command[0]} fails:\n{said[-3000:]}"
    return said
