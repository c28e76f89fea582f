"""The model of the block RAM does what Yosys maps memories to it for, at every width."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from boards.netlist import write_netlist
from icarus import bench_says

DEPTHS = {1: 16384, 4: 8192, 9: 2048, 18: 2048, 36: 1024, 72: 512}
"""Depth of a memory of each width, such that it takes a block RAM or half of one."""
MEMORY = """
module memory_{width}(input clk, we, re, input [{top}:0] w, r, input [{bit}:0] d,
                      output reg [{bit}:0] q, output reg [{bit}:0] rom);
  reg [{bit}:0] words [0:{last}];
  reg [{bit}:0] fixed [0:{last}];
  integer i;
  initial for (i = 0; i <= {last}; i = i + 1) begin
    words[i] = {{3{{i * 32'h9E3779B1 ^ i >> 3}}}};
    fixed[i] = {{3{{i * 32'h85EBCA77 ^ i >> 5}}}};
  end
  always @(posedge clk) begin
    if (we) words[w] <= d;
    if (re) begin
      q <= words[r];
      rom <= fixed[r];
    end
  end
endmodule
"""
BENCH = """
module bench;
  reg clk = 0, we, re;
  reg [{top}:0] w, r;
  reg [{bit}:0] d;
  wire [{bit}:0] q, rom, q_net, rom_net;
  memory_{width} source(clk, we, re, w, r, d, q, rom);
  net_{width} netlist(clk, we, re, w, r, d, q_net, rom_net);
  integer i, seed = 1, equal = 0, wrong = 0, written = 0;
  initial begin
    for (i = 0; i < 20000; i = i + 1) begin
      we = $random(seed); re = i < 2 || $random(seed) % 4;
      w = $random(seed); r = $random(seed) % 3 ? $random(seed) : w;
      // Within a few words, too, so that what is written is read.
      if (i % 2) begin w = w % 16; r = r % 16; end
      if (we && re && w == r) we = 0;
      d = {{$random(seed), $random(seed), $random(seed)}};
      #1 clk = 1; #1 clk = 0;
      if (q === q_net && rom === rom_net) equal = equal + 1; else wrong = wrong + 1;
    end
    $display("equal %0d wrong %0d", equal, wrong);
  end
endmodule
"""


def shape(width: int) -> dict[str, int]:
    depth = DEPTHS[width]
    return {
        "width": width,
        "bit": width - 1,
        "last": depth - 1,
        "top": depth.bit_length() - 2,
    }


@pytest.mark.slow
@pytest.mark.icarus
@pytest.mark.parametrize("width", DEPTHS)
def test_memory(width: int, tmp_path: Path) -> None:
    source = tmp_path / "memory.v"
    source.write_text(MEMORY.format(**shape(width)))
    netlist = write_netlist(source, f"memory_{width}", tmp_path)
    cells = json.loads((tmp_path / "cells.json").read_text())["design"]["num_cells_by_type"]
    assert set(cells) <= {"RAMB18E1", "RAMB36E1", "LUT1", "INV"}
    assert sum(cells.get(kind, 0) for kind in ("RAMB18E1", "RAMB36E1")) == 2
    renamed = tmp_path / "net.v"
    text = netlist.read_text().replace(f"module memory_{width}(", f"module net_{width}(")
    renamed.write_text(text)
    bench = tmp_path / "bench.v"
    bench.write_text(BENCH.format(**shape(width)))
    assert "equal 20000 wrong 0\n" in bench_says(source, renamed, bench, folder=tmp_path)

    # A bit of the contents changed, and the bench sees it.
    init = re.compile(r"(?<=\.INIT_00\(256'h)([0-9a-f]{64})")
    changed = init.sub(lambda match: f"{int(match[1], 16) ^ 1 << 3:064x}", text)
    assert changed != text
    renamed.write_text(changed)
    assert "wrong 0\n" not in bench_says(source, renamed, bench, folder=tmp_path)
