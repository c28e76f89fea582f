"""Memories of one port share slices, as cells that nextpnr packs, and remember what they did."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from boards.netlist import write_netlist
from boards.single_port import join
from icarus import bench_says

MEMORY = """
module memory(input clk, we, input [5:0] a, input [5:0] d, output [5:0] q);
  reg [5:0] words [0:63];
  integer i;
  initial for (i = 0; i < 64; i = i + 1) words[i] = i * 37 ^ i >> 2;
  assign q = words[a];
  always @(posedge clk) if (we) words[a] <= d;
endmodule
"""
BENCH = """
module bench;
  reg clk = 0, we;
  reg [5:0] a, d;
  wire [5:0] q, q_net;
  memory source(clk, we, a, d, q);
  net netlist(clk, we, a, d, q_net);
  integer i, seed = 1, equal = 0, wrong = 0;
  initial begin
    for (i = 0; i < 2000; i = i + 1) begin
      we = i > 200 && $random(seed) % 2; a = $random(seed); d = $random(seed);
      #1 if (q === q_net) equal = equal + 1; else wrong = wrong + 1;
      clk = 1; #1 clk = 0;
    end
    $display("equal %0d wrong %0d", equal, wrong);
  end
endmodule
"""


@pytest.mark.icarus
def test_memory(tmp_path: Path) -> None:
    """Six bits, each address with a word of its own; with two bits swapped it differs."""
    source, bench, renamed = (tmp_path / f"{name}.v" for name in ("memory", "bench", "net"))
    source.write_text(MEMORY)
    bench.write_text(BENCH)
    netlist = write_netlist(source, "memory", tmp_path)
    mapped = json.loads((tmp_path / "cells.json").read_text())["design"]["num_cells_by_type"]
    assert mapped == {"RAM64X1S": 6}
    text = re.sub(r"\bmodule memory\(", "module net(", netlist.read_text())
    assert len(re.findall(r"^  RAM64M #\(", text, re.MULTILINE)) == 2
    assert not re.search(r"^  RAM64X1S\b", text, re.MULTILINE)
    renamed.write_text(text)
    assert bench_says(source, bench, renamed, folder=tmp_path) == "equal 2000 wrong 0\n"
    broken, count = re.subn(r"(\.DO)A(\(q\[\d\]\),\s+\.DO)B", r"\1B\2A", text)
    assert count == 1
    renamed.write_text(broken)
    assert " wrong 0\n" not in bench_says(source, bench, renamed, folder=tmp_path)


def single(we: int, clock: int, bit: int, **parameters: str) -> dict[str, Any]:
    inputs = {f"A{k}": [10 + k] for k in range(6)} | {"D": [bit], "WE": [we], "WCLK": [clock]}
    return {
        "type": "RAM64X1S",
        "parameters": {"INIT": f"{bit:064b}", **parameters},
        "port_directions": {**dict.fromkeys(inputs, "input"), "O": "output"},
        "connections": {**inputs, "O": [bit + 100]},
    }


def test_only_what_shares_its_ports_shares_a_slice() -> None:
    cells = {f"m{bit}": single(2, 3, bit) for bit in range(20, 29)}
    cells |= {"enable": single(4, 3, 30), "clock": single(2, 5, 31)}
    cells |= {"edge": single(2, 3, 32, IS_WCLK_INVERTED="1")}
    cells |= {"other": {"type": "RAM64M", "parameters": {}, "connections": {}}}
    module = {"cells": copy.deepcopy(cells)}
    assert join(module) == 6
    made = module["cells"]
    assert sorted(made) == ["clock", "edge", "enable", "m20", "m24", "m28", "other"]
    assert made["other"] == cells["other"]
    seen = []
    for name, cell in made.items():
        if name == "other":
            continue
        ports = cell["connections"]
        assert cell["type"] == "RAM64M"
        assert ports.keys() == cell["port_directions"].keys()
        assert [ports[f"ADDR{lut}"] for lut in "ABCD"] == [[*range(10, 16)]] * 4
        for port in ("WE", "WCLK"):
            assert ports[port] == cells[name]["connections"][port]
        assert ("IS_WCLK_INVERTED" in cell["parameters"]) == (name == "edge")
        for lut in "ABCD":
            if f"DI{lut}" in ports:
                (bit,) = ports[f"DI{lut}"]
                seen.append(bit)
                assert ports[f"DO{lut}"] == [bit + 100]
                assert cell["parameters"][f"INIT_{lut}"] == f"{bit:064b}"
                assert cell["port_directions"][f"DO{lut}"] == "output"
    assert sorted(seen) == [*range(20, 29), 30, 31, 32]
