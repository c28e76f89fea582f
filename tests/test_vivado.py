"""Vivado's scripts, run by Tcl with `vivado_model` in place of Vivado: no Vivado has run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from amaranth.back import verilog
from amaranth.hdl import Elaboratable, Fragment
from amaranth.lib.wiring import Out
from click.testing import CliRunner

from bbnn.cli import bitstream
from bbnn.errors import InputError
from bbnn.model_file import digest, to_bytes
from boards import vivado
from boards.driver.description import Description
from boards.platforms import board_named
from boards.shell.axi3 import GP, HP
from boards.shell.describe import describe
from boards.vivado.files import SCRIPTS
from networks import random_network
from vivado_model import ModelError, Vivado, ports_of

pytestmark = pytest.mark.tcl
NETWORK = random_network(sizes=(64, 32, 4), probability_bits=(1, 1), lanes=((2, 2), (2, 2)))
NAME = NETWORK.name
PYNQ = board_named("pynq-z2")
SIZES = {"awlen": 4, "awsize": 3, "awburst": 2, "awlock": 2, "awcache": 4, "awprot": 3, "awqos": 4}
"""Of the ports of the processor's IP in a block design, of all buses (Xilinx PG082)."""
VIVADO = """#!{python}
import sys
sys.path[:0] = {path}
from vivado_model import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written")
    vivado.write_files(NETWORK, PYNQ, 80, out)
    return out


@pytest.fixture
def folder(written: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a copy of what was written, which is the working folder."""
    out = tmp_path / "out"
    shutil.copytree(written, out)
    monkeypatch.chdir(out)
    return out


@pytest.fixture
def converted(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not convert the same hardware to Verilog again; this takes seconds."""

    def convert(component: Elaboratable, **_: object) -> str:
        Fragment.get(component, None)
        return (written / f"{NAME}.v").read_text()

    monkeypatch.setattr(verilog, "convert", convert)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put the model on PATH as Vivado, alone; return it."""
    program = tmp_path / "bin/vivado"
    program.parent.mkdir()
    program.write_text(VIVADO.format(python=sys.executable, path=[str(Path(__file__).parent)]))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


def sourced(*scripts: str) -> Vivado:
    """Return the session that has run the last of `scripts`, one after another as Vivado would."""
    session = Vivado()
    for script in scripts:
        session = Vivado()
        session.source(f"{script}.tcl")
    return session


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_ip_has_all_ports_of_the_module(folder: Path) -> None:
    """Each port is in one interface, with its direction and width; the LED alone is in none."""
    sourced("package")
    component = json.loads((folder / "ip/component.xml").read_text())
    ports = ports_of((folder / f"{NAME}.v").read_text(), NAME)
    assert component["ports"] == {name: list(port) for name, port in ports.items()}
    assert (folder / f"ip/src/{NAME}.v").read_bytes() == (folder / f"{NAME}.v").read_bytes()
    assert component["vlnv"] == f"bbnn:user:{NAME}:1.0"
    interfaces = component["interfaces"]
    mapped = [port for each in interfaces.values() for port in each["ports"].values()]
    assert sorted([*mapped, "led"]) == sorted(ports)
    kinds = {name: (each["type"], each["mode"]) for name, each in interfaces.items()}
    assert kinds == {
        "aclk": ("clock_rtl", "slave"),
        "aresetn": ("reset_rtl", "slave"),
        "irq": ("interrupt_rtl", "master"),
        "s_axi": ("aximm_rtl", "slave"),
        "m_axi": ("aximm_rtl", "master"),
    }
    assert interfaces["aclk"]["parameters"] == {
        "ASSOCIATED_BUSIF": "s_axi:m_axi",
        "ASSOCIATED_RESET": "aresetn",
    }
    assert interfaces["aresetn"]["parameters"] == {"POLARITY": "ACTIVE_LOW"}
    assert interfaces["irq"]["parameters"] == {"SENSITIVITY": "LEVEL_HIGH"}
    compared = 0
    for name, bus, outwards in (("s_axi", GP, "input"), ("m_axi", HP, "output")):
        told = interfaces[name]["parameters"]
        widths = SIZES | {
            "awaddr": int(told["ADDR_WIDTH"]),
            "awid": int(told["ID_WIDTH"]),
            "wdata": int(told["DATA_WIDTH"]),
        }
        assert told["PROTOCOL"] == "AXI3"
        for member, description in bus.members.items():
            direction, width = ports[interfaces[name]["ports"][member.upper()]]
            assert (direction == outwards) == (description.flow == Out), member
            key = member.replace("ar", "aw", 1) if member.startswith("ar") else member
            key = {"wid": "awid", "bid": "awid", "rid": "awid", "rdata": "wdata"}.get(key) or key
            assert width == widths.get(key, description.shape), member
            compared += 1
    assert compared == 2 * len(GP.members) == 76


@pytest.mark.parametrize("port", ["s_axi_awaddr", "m_axi_rready", "aresetn", "irq"])
def test_a_port_of_another_name_is_noticed(port: str, folder: Path) -> None:
    edited(folder / f"{NAME}.v", port, f"{port}_")
    with pytest.raises(ModelError, match=rf"^ERROR: {port} must be a port of the packaged module"):
        sourced("package")
    assert not (folder / "ip/component.xml").exists()


def test_the_block_design(folder: Path) -> None:
    """The IP lies where the driver looks for it, and everything is connected."""
    session = sourced("package", "design")
    told = Description(describe(NETWORK))
    assert session.addresses == {
        f"{NAME}/s_axi/reg0": (told.base, told.span),
        "processing_system7_0/S_AXI_HP0/HP0_DDR_LOWOCM": (0, 0),
    }
    ps7 = "cell:processing_system7_0"
    assert session.values[ps7, "CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ"] == "80"
    assert session.values["project:", "board_part"] == "tul.com.tw:pynq-z2:part0:1.0"
    assert session.named("create_project")[0][0]["-part"] == "xc7z020clg400-1"
    driven = {pin: net[0] for net in session.nets for pin in net[1:]}
    clock = "processing_system7_0/FCLK_CLK0"
    assert driven[f"{NAME}/aclk"] == driven["processing_system7_0/S_AXI_HP0_ACLK"] == clock
    assert driven[f"{NAME}/aresetn"] == "proc_sys_reset_0/peripheral_aresetn"
    assert driven["processing_system7_0/IRQ_F2P"] == f"{NAME}/irq"
    assert driven["/led"] == f"{NAME}/led"
    assert [pin for pin in session.pins if pin.startswith(f"{NAME}/")]
    order = [name for name, _, _ in session.calls]
    assert order.index("validate_bd_design") < order.index("generate_target")
    assert order.index("make_wrapper") < order.index("synth_design")
    assert (folder / f"{NAME}.synth.dcp").is_file()
    assert (
        json.loads((folder / f"{NAME}.synth.hwh").read_text())[f"{NAME}/s_axi/reg0"] == "0x40000000"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("$name/aclk]", "$name/clk]", "not there"),
        ("[get_bd_pins $name/irq] ", "[get_bd_pins $name/aresetn] ", "one driver"),
        (
            "connect_bd_intf_net [get_bd_intf_pins $name/m",
            "# [get_bd_intf_pins $name/m",
            "not conn",
        ),
        ("$name/s_axi/reg0]", "$name/s_axi/mem0]", "not there"),
        ("-range $span", "-range 0x1000", "4096 bytes"),
        ("PCW_USE_S_AXI_HP0 1", "PCW_USE_S_AXI_HP0 0", "not there"),
        ("CONFIG.PCW_USE_M", "CONFIG.PWC_USE_M", "no property"),
        ("create_bd_port -dir O led", "create_bd_port -dir O light", "not there"),
        ("validate_bd_design", "validate_design", "invalid command name"),
        ("save_bd_design", "save_bd_design -all", "unknown option"),
    ],
)
def test_a_broken_block_design_is_noticed(old: str, new: str, message: str, folder: Path) -> None:
    edited(folder / "design.tcl", old, new)
    with pytest.raises(ModelError, match=message):
        sourced("package", "design")


def test_another_bus_is_noticed(folder: Path) -> None:
    edited(folder / "settings.tcl", "DATA_WIDTH 64", "DATA_WIDTH 32")
    with pytest.raises(ModelError, match="S_AXI_HP0 is not like m_axi"):
        sourced("package", "design")


def test_a_board_that_vivado_does_not_know(folder: Path) -> None:
    edited(folder / "settings.tcl", "pynq-z2", "pynq-z9")
    session = sourced("package", "design")
    assert ("project:", "board_part") not in session.values


def test_one_script_runs_all(folder: Path) -> None:
    """As somebody does by hand."""
    session = Vivado()
    session.source(f"{NAME}.tcl")
    assert (folder / f"{NAME}.bit").read_text() == "bits"
    assert (folder / f"{NAME}.hwh").read_bytes() == (folder / f"{NAME}.synth.hwh").read_bytes()
    for report in ("timing", "utilization", "drc"):
        assert (folder / f"{NAME}.{report}.rpt").is_file()


@pytest.mark.usefixtures("converted")
def test_files_are_written_once(folder: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(times) == len(SCRIPTS) + 4
    vivado.write_files(NETWORK, PYNQ, 80, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    vivado.write_files(NETWORK, board_named("zybo-z7-10"), 100, folder)
    changed = {path.name for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert changed == {"settings.tcl", f"{NAME}.xdc"}
    assert "set part {xc7z010clg400-1}\n" in (folder / "settings.tcl").read_text()


def test_resumed(folder: Path, installed: Path) -> None:
    told: list[tuple[int, str]] = []

    def again() -> set[str]:
        """Build, and return the scripts that were run for it."""
        for script in SCRIPTS:
            (folder / f"{script}.log").unlink(missing_ok=True)
        told.clear()
        figures = vivado.build(NAME, folder, lambda done, what: told.append((done, what)))
        assert figures["fmax_mhz"] == 105.26
        assert figures["tools"] == {"vivado": "2024.1"}
        assert (folder / f"{NAME}.bit").read_text() == "bits"
        return {script for script in SCRIPTS if (folder / f"{script}.log").exists()}

    assert again() == set(SCRIPTS)
    assert (0, "package the IP") in told
    assert (1, "Vivado: synth_design") in told
    assert (2, "Vivado: route_design") in told
    assert again() == set()
    (folder / f"{NAME}.hwh").unlink()
    assert again() == {"implement"}
    edited(folder / f"{NAME}.xdc", "R14", "P14")
    assert again() == {"design"}  # the model's checkpoint does not know the pin
    edited(folder / "settings.tcl", "set clock_mhz {80}", "set clock_mhz {90}")
    assert again() == set(SCRIPTS)
    another = installed.with_name("vivado-2")
    another.write_bytes(installed.read_bytes())
    another.chmod(0o755)
    installed.unlink()
    installed.symlink_to(another)
    assert again() == set(SCRIPTS)


@pytest.mark.parametrize(
    ("command", "left"),
    [
        ("ipx::save_core", ()),
        ("synth_design", ("package",)),
        ("route_design", ("package", "design")),
        ("write_bitstream", ("package", "design")),
    ],
)
def test_vivado_stops(
    command: str,
    left: Sequence[str],
    folder: Path,
    installed: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line says why; no bitstream is left; the next run goes on where this one stopped."""
    monkeypatch.setenv("STOP_AT", command)
    log = folder / f"{SCRIPTS[len(left)]}.log"
    pattern = (
        rf"^vivado must succeed, not stop: ERROR: .*told to stop \(log: {re.escape(str(log))}\)$"
    )
    for _ in range(2):
        with pytest.raises(InputError, match=pattern):
            vivado.build(NAME, folder)
        assert not list(folder.glob(f"{NAME}.bit*"))
        assert not (folder / f"{NAME}.hwh").exists()
    assert "told to stop" in log.read_text()
    monkeypatch.delenv("STOP_AT")
    for script in SCRIPTS:
        (folder / f"{script}.log").unlink(missing_ok=True)
    vivado.build(NAME, folder)
    assert [script for script in left if (folder / f"{script}.log").exists()] == []


def test_hold_is_met_or_there_is_no_bitstream(
    folder: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACKS", "1.0 -0.02")
    with pytest.raises(
        InputError, match=r"ERROR: the hold slack must be 0 ns at least, not -0\.02 "
    ):
        vivado.build(NAME, folder)
    assert not (folder / f"{NAME}.bit").exists()


def test_vivado_that_ends_without_a_file(folder: Path, installed: Path) -> None:
    installed.write_text("#!/bin/sh\n")
    message = r"^Vivado must write \S+ip/component\.xml, not end without \(log: \S+package\.log\)$"
    with pytest.raises(InputError, match=message):
        vivado.build(NAME, folder)


def run(*arguments: object) -> str:
    told = [str(argument) for argument in arguments]
    return CliRunner().invoke(bitstream.command, told, catch_exceptions=False).stdout


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(NETWORK))
    return path


@pytest.mark.usefixtures("converted")
def test_command(model: Path, installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    options = [model, "--toolchain", "vivado", "--clock", "100"]
    about = json.loads(run(*options, "--json"))
    folder = Path("build") / NAME / "pynq-z2-vivado"
    assert json.loads((folder / "bitstream.json").read_text()) == about
    assert about["model_digest"] == digest(NETWORK)
    assert (about["toolchain"], about["clock_mhz"]) == ("vivado", 100)
    assert about["bitstream"] == str(folder / f"{NAME}.bit")
    assert about["fmax_is"] == "Vivado's timing analysis after routing"
    assert "Fmax: 105.26 MHz, Vivado's timing analysis" in run(*options)
    monkeypatch.setenv("SLACKS", "-0.5 0.1")
    message = r"^--clock must be at most 95\.24 MHz, Vivado's timing analysis .+, not 99\.0$"
    with pytest.raises(InputError, match=message):
        run(*options[:-1], "99")
    with pytest.raises(InputError, match=r"^--seed must be absent for Vivado, not 3$"):
        run(*options, "--seed", 3)
    assert (folder / f"{NAME}.bit").is_file()


@pytest.mark.usefixtures("converted")
def test_command_without_vivado(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    folder = tmp_path / "out"
    with pytest.raises(
        InputError, match=rf"^vivado must be on PATH to run \S+out/{NAME}\.tcl, not"
    ):
        run(model, "--toolchain", "vivado", "-o", folder)
    names = {*(f"{NAME}.{suffix}" for suffix in ("v", "xdc", "tcl")), "settings.tcl"}
    assert {path.name for path in folder.iterdir()} == names | {f"{each}.tcl" for each in SCRIPTS}
