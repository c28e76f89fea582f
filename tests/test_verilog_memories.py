"""Large memories that begin as 0 are a loop in the text, and still begin as 0."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bbnn.tools import environment, find
from boards.process import run
from hdl.verilog import LARGE, verilog_of
from icarus import bench_says

BENCH = """
module bench;
  reg clk = 0, rst = 0, enable = 0;
  reg [12:0] address = 0;
  reg [2:0] data = 5;
  wire [2:0] value;
  memories dut(
    .clk(clk), .rst(rst), .enable(enable), .address(address), .data(data), .value(value)
  );
  integer i, zeros = 0;
  initial begin
    for (i = 0; i < 5000; i = i + 1) begin
      address = i; #1 clk = 1; #1 clk = 0;
      if (value === 0) zeros = zeros + 1;
    end
    enable = 1; address = 4321; #1 clk = 1; #1 clk = 0;
    enable = 0; #1 clk = 1; #1 clk = 0;
    $display("%0d zeros, then %0d", zeros, value);
  end
endmodule
"""


class Memories(wiring.Component):
    """A memory that is written, and one of zeros that is not, added up."""

    enable: Signal
    address: Signal
    data: Signal
    value: Signal

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__({"enable": In(1), "address": In(13), "data": In(3), "value": Out(3)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.written = written = memory.Memory(shape=3, depth=self.depth, init=[])
        m.submodules.fixed = fixed = memory.Memory(shape=3, depth=self.depth, init=[])
        write = written.write_port()
        reads = written.read_port(), fixed.read_port()
        m.d.comb += [write.en.eq(self.enable), write.data.eq(self.data)]
        m.d.comb += [port.addr.eq(self.address) for port in (write, *reads)]
        m.d.comb += self.value.eq(reads[0].data + reads[1].data)
        return m


@pytest.mark.icarus
def test_a_large_memory_is_a_loop(tmp_path: Path) -> None:
    source, bench = tmp_path / "memories.v", tmp_path / "bench.v"
    source.write_text(verilog_of(Memories(5000), "memories"))
    bench.write_text(BENCH)
    text = source.read_text()
    assert text.count("for (word = 0; word <= 4999; word = word + 1)") == 1
    assert text.count("] = 3'h0;") == 1 + 5000, "what is never written keeps its words"
    assert bench_says(source, bench, folder=tmp_path) == "5000 zeros, then 5\n"


def test_synthesis_gets_none(tmp_path: Path) -> None:
    """Words that Yosys is told: those of the memory that is never written."""
    (tmp_path / "memories.v").write_text(verilog_of(Memories(5000), "memories"))
    script = "read_verilog memories.v; select -count t:$meminit*"
    run([find("yosys"), "-l", "log", "-p", script], tmp_path, "log", environment(), lambda _: None)
    assert "5000 objects." in (tmp_path / "log").read_text()


def test_a_small_one_is_not() -> None:
    text = verilog_of(Memories(LARGE), "memories")
    assert "integer word" not in text
    assert text.count("] = 3'h0;") == 2 * LARGE
