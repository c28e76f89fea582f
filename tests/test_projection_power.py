"""FPGA power: toggles counted from waves, times energies; the order of published ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from bbnn.cli import group
from bbnn.cli.power import show
from bbnn.errors import InputError
from bbnn.model_file import save_network
from bbnn.projection import Prices, ranged
from bbnn.projection.activity import Activity, Count, measured, registers
from bbnn.projection.model import total
from bbnn.projection.power import Design, estimated
from networks import random_network

VERILOG = """
module known(aclk, word);
  reg [3:0] count = 4'h0;
  reg seen = 1'h0;
  wire [3:0] \\$1 ;
  always @(posedge aclk)
    count <= \\$1 ;
  always @(posedge aclk)
    if (word) seen <= 1'h1;
endmodule
module \\known.store (clk, data);
  reg [7:0] words [15:0];
  reg [7:0] _0_;
  reg plain;
  always @(posedge clk) begin
    _0_ <= words[address];
  end
  assign data = _0_;
  always @* begin
    plain = word;
  end
endmodule
"""
WAVES = """$timescale 1ps $end
$scope module bench $end
 $var wire 1 ! clk $end
 $var wire 8 z elsewhere [7:0] $end
 $scope module dut $end
  $var wire 1 ! aclk $end
  $var wire 4 " count [3:0] $end
  $var wire 1 # seen $end
  $var wire 4 $ $1 [3:0] $end
  $scope module store $end
   $var wire 1 ! clk $end
   $var wire 8 % data [7:0] $end
   $var wire 4 " address [3:0] $end
   $var wire 1 & plain $end
  $upscope $end
 $upscope $end
$upscope $end
$enddefinitions $end
#0
0!
b0000 "
0#
b0001 $
b00000000 %
0&
b00000000 z
#5
1!
b0001 "
1#
b0010 $
b11111111 %
b11111111 z
#10
0!
#15
1!
b0010 "
b0011 $
1&
#20
0!
"""
ACTIVITY = Activity(
    cycles=3_697,
    counts={
        "net": Count(bits=1, toggles=252),
        "register": Count(bits=1, toggles=116),
        "memory": Count(bits=1, changed=1_860),
    },
)
"""Rates of fashion-mlp: `bbnn power models/fashion-mlp.safetensors`, an image, three members."""
FASHION_MLP = Design(lut=9_873, ff=4_222, bram36=65.5, dsp=0)
"""`bbnn synth models/fashion-mlp.safetensors`."""


def close(values: Any, expected: Any) -> bool:
    """Whether all figures are equal to rounding, however small they are."""
    return np.allclose(values, expected, rtol=1e-9, atol=0)


def write(folder: Path, text: str = WAVES) -> Path:
    path = folder / "waves.vcd"
    path.write_text(text)
    return path


def test_registers_of_verilog() -> None:
    assert registers(VERILOG) == {
        "known": {"count": "register", "seen": "register"},
        "known.store": {"_0_": "memory", "data": "memory"},
    }


def test_toggles_by_hand(tmp_path: Path) -> None:
    activity = measured(write(tmp_path), VERILOG, "known")
    assert activity.cycles == 2
    # count 0 -> 1 -> 2 toggles one bit, then two; seen toggles once.
    assert activity.counts["register"] == Count(bits=5, toggles=1 + 2 + 1, changed=2 * 4 + 1)
    # $1: 1 -> 2 -> 3, two bits and one, and its first value; plain once.
    assert activity.counts["net"] == Count(bits=5, toggles=1 + 2 + 1 + 1, changed=3 * 4 + 1)
    assert activity.counts["memory"] == Count(bits=8, toggles=8, changed=8)
    assert activity.rate("register") == 4 / (5 * 2)
    assert activity.access_rate == 1 / 2
    assert {name: set(each) for name, each in activity.groups.items()} == {
        "ports": {"register", "net", "memory"}
    }


def test_waves_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be an existing VCD file, not 'missing'"):
        measured(tmp_path / "none.vcd", VERILOG, "known")
    for old, new in (("module dut", "module other"), ("1!\n", "0!\n")):
        path = write(tmp_path, WAVES.replace(old, new))
        with pytest.raises(InputError, match=r"must be waves of"):
            measured(path, VERILOG, "known")


def test_energies_times_rates() -> None:
    prices = Prices(28)
    watts = estimated(FASHION_MLP, ACTIVITY, 50, prices)
    nets = ACTIVITY.rate("net")
    expected = 50e6 * 1e-12 * 9_873 * nets * prices["fpga_lut_toggle"]
    assert close(watts["LUTs"], expected)
    doubled = estimated(FASHION_MLP, ACTIVITY, 100, prices)
    for name, each in watts.items():
        assert close(doubled[name], each * (1 if name == "static" else 2))
    assert not watts["DSP"].any()


PUBLISHED = {
    "Spiker+, XC7Z020, MNIST: 7,612 cells, 18 block RAMs (TCSI 2024)": 0.180,
    "synaptic delays on PYNQ-Z2, SHD, 125 MHz: 0.282 W (2025)": 0.282,
    "RV32 softcore, XC7Z020, 45 MHz: 26,762 LUTs (Vivado; without its MMCM)": 0.193,
}
APART = 3.0
"""How many times more or less than each of them fashion-mlp may take: an order of magnitude."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_order_of_magnitude(name: str) -> None:
    """9,873 LUTs at 100 MHz lie with published small designs on the same part."""
    watts = ranged(total(estimated(FASHION_MLP, ACTIVITY, 100, Prices(28))))
    assert PUBLISHED[name] / APART < watts.low <= watts.high < PUBLISHED[name] * APART


def test_the_source_of_the_energies_comes_back() -> None:
    """The softcore that they were computed from, at UG440's rate: 80 mW without its MMCM."""
    softcore = Design(lut=26_762, ff=22_793, bram36=86, dsp=0)
    assumed = Activity(
        cycles=1_000,
        counts={
            "net": Count(bits=1, toggles=125),
            "register": Count(bits=1),
            "memory": Count(bits=1, changed=1_000),
        },
    )
    watts = estimated(softcore, assumed, 45, Prices(28))
    assert total(watts)[0] - watts["static"][0] == pytest.approx(0.080, rel=0.02)


def synthesized(name: str, **counts: int) -> Any:
    used = {"LUT": 100, "FF": 50, "BRAM36": 1, "BRAM18": 1, "DSP": 0} | counts
    rows = [{"name": key, "used": value} for key, value in used.items()]
    return {"network": name, "resources": rows}


def test_command(tmp_path: Path) -> None:
    network = random_network()
    model, resources = tmp_path / "model.safetensors", tmp_path / "resources.json"
    save_network(network, model)
    resources.write_text(json.dumps(synthesized(network.name)))
    waves = write(tmp_path, WAVES.replace("module store", "module control"))
    arguments = ["power", str(model), "--waves", str(waves), "--resources", str(resources)]
    arguments += ["-o", str(tmp_path / "out"), "--dataset", "noise"]
    ran = CliRunner().invoke(group, [*arguments, "--json"], catch_exceptions=False)
    told = json.loads(ran.stdout)
    assert told["resources"] == {"lut": 100, "ff": 50, "bram36": 1.5, "dsp": 0}
    assert {each["kind"] for each in told["parts"].values()} == {"estimated"}
    parts = sum(each["typical"] for each in told["parts"].values())
    assert told["total"]["typical"] == pytest.approx(parts)
    said = io.StringIO()
    verilog = (tmp_path / "out" / "random_network.v").read_text()
    show(told, measured(waves, verilog, network.name), Console(width=120, file=said))
    assert "all figures estimated" in said.getvalue()

    resources.write_text(json.dumps(synthesized("another")))
    ran = CliRunner().invoke(group, arguments)
    assert str(ran.exception) == f"{resources}: network must be random_network, not 'another'"
    resources.write_text("{}")
    ran = CliRunner().invoke(group, arguments)
    assert "must be what `bbnn synth --json` prints" in str(ran.exception)
    resources.write_text("no JSON")
    ran = CliRunner().invoke(group, arguments)
    assert "must be JSON of `bbnn synth --json`" in str(ran.exception)


@pytest.mark.slow
def test_waves_of_a_real_simulation(tmp_path: Path) -> None:
    network = random_network()
    model = tmp_path / "model.safetensors"
    save_network(network, model)
    resources = tmp_path / "resources.json"
    resources.write_text(json.dumps(synthesized(network.name)))
    arguments = ["power", str(model), "--dataset", "noise", "-o", str(tmp_path / "out"), "--json"]
    arguments += ["--resources", str(resources)]
    ran = CliRunner().invoke(group, arguments, catch_exceptions=False)
    told = json.loads(ran.stdout)
    assert told["resources"]["dsp"] == 0
    for rate in told["rates"].values():
        assert 0 < rate < 1
    assert 0.09 < told["total"]["low"] < told["total"]["high"] < 0.25
