"""The shell of a network as a program that a driver can talk to (``bench/bench.v``, ``uart.v``)."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bbnn.description import Network
from bbnn.errors import InputError
from bbnn.tools import environment, find, version
from boards.driver.backend import Backend
from boards.driver.simulation import SimulatedLine, Simulation
from boards.driver.uart import Uart
from boards.platforms.board import Family
from boards.shell.shell import Shell
from boards.uart import UartShell
from hdl.verilog import verilog_of

__all__ = ["Simulator", "build", "connect", "shell_verilog"]

Simulator = Literal["verilator", "icarus"]
TOP = "shell"
BENCH = Path(__file__).parent / "bench"
SOURCES: dict[Family, tuple[Path, ...]] = {
    "zynq": (BENCH / "bench.v", BENCH / "memory.v"),
    "ecp5": (BENCH / "uart.v",),
}
DIVISOR = 8
"""Clock cycles of a bit of the serial line: fewer than on a board, where nothing else waits."""
SILENCE = 4000
"""Clock cycles after which a command is forgotten, 50 bytes' time."""
VERILATOR = (
    *("verilator", "--binary", "--timing", "-O3", "--x-assign", "fast", "--x-initial", "fast"),
    *("-CFLAGS", "-std=c++20", "-Wno-fatal", "--top-module", "bench", "-Mdir", ".", "-o", "bench"),
    # The wheel does not know how this compiler includes a header that it has compiled.
    *("-MAKEFLAGS", "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1 CFG_CXXFLAGS_PCH_I=-include"),
    *(f"-DDUT={TOP}", f"-DDIVISOR={DIVISOR}"),
)
ICARUS = (
    *("iverilog", "-g2005", "-o", "bench", "-s", "bench"),
    *(f"-DDUT={TOP}", f"-DDIVISOR={DIVISOR}"),
)
NEEDED = {"verilator": ("verilator", "c++", "make", "perl"), "icarus": ("iverilog",)}


def shell_verilog(network: Network, family: Family = "zynq") -> str:
    """Return the shell with the core of `network` as one Verilog file, module ``shell``."""
    if family == "zynq":
        return verilog_of(Shell(network), TOP)
    return verilog_of(UartShell(network, DIVISOR, SILENCE), TOP)


def build(
    network: Network,
    folder: Path,
    simulator: Simulator = "verilator",
    family: Family = "zynq",
) -> Sequence[str]:
    """Return the command of a simulator of the network's shell, made below `folder` if new.

    Raise `InputError` where a tool is missing or refuses.
    """
    for tool in NEEDED[simulator]:
        find(tool)
    command = VERILATOR if simulator == "verilator" else ICARUS
    verilog, bench = shell_verilog(network, family), SOURCES[family]
    content = [verilog, *command, version(command[0]), *(path.read_text() for path in bench)]
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]
    made = folder.absolute() / f"{simulator}-{digest}"
    if not made.is_dir():
        _make([*command, *map(str, bench)], verilog, made)
    program = str(made / "bench")
    if simulator == "verilator":
        return [program]
    return [str(find("iverilog").with_name("vvp")), "-n", program]


def connect(command: Sequence[str], family: Family, *plusargs: str) -> Backend:
    """Start what `build` has made for `family`, and return the driver's way to it."""
    if family == "zynq":
        return Simulation(command, plusargs=plusargs)
    line = SimulatedLine(command, divisor=DIVISOR, silence_cycles=SILENCE, plusargs=plusargs)
    return Uart(line)


def _make(command: Sequence[str], verilog: str, made: Path) -> None:
    made.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=made.name, suffix=".part", dir=made.parent))
    try:
        (beside / f"{TOP}.v").write_text(verilog)
        run = subprocess.run(
            [*command, f"{TOP}.v"],
            cwd=beside,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            reason = (run.stderr.strip() or run.stdout.strip()).split("\n")[0]
            raise InputError(f"{command[0]} must compile the shell, not stop: {reason}")
        for path in beside.iterdir():
            if path.name not in ("bench", f"{TOP}.v"):
                path.unlink()
        # Whoever builds the same at the same time may have been faster.
        with contextlib.suppress(OSError):
            beside.rename(made)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
