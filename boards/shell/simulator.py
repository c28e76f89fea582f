"""The shell of a network as a program that a driver can talk to (``bench/bench.v``)."""

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
from boards.shell.shell import Shell
from hdl.verilog import verilog_of

__all__ = ["Simulator", "build", "shell_verilog"]

Simulator = Literal["verilator", "icarus"]
TOP = "shell"
SOURCES = tuple(sorted((Path(__file__).parent / "bench").glob("*.v")))
VERILATOR = (
    *("verilator", "--binary", "--timing", "-O3", "--x-assign", "fast", "--x-initial", "fast"),
    *("-CFLAGS", "-std=c++20", "-Wno-fatal", "--top-module", "bench", "-Mdir", ".", "-o", "bench"),
    # The wheel does not know how this compiler includes a header that it has compiled.
    *("-MAKEFLAGS", "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1 CFG_CXXFLAGS_PCH_I=-include"),
    f"-DDUT={TOP}",
)
ICARUS = ("iverilog", "-g2005", "-o", "bench", "-s", "bench", f"-DDUT={TOP}")
NEEDED = {"verilator": ("verilator", "c++", "make", "perl"), "icarus": ("iverilog",)}


def shell_verilog(network: Network) -> str:
    """Return the shell with the core of `network` as one Verilog file, module ``shell``."""
    return verilog_of(Shell(network), TOP)


def build(network: Network, folder: Path, simulator: Simulator = "verilator") -> Sequence[str]:
    """Return the command of a simulator of the network's shell, made below `folder` if new.

    Raise `InputError` where a tool is missing or refuses.
    """
    for tool in NEEDED[simulator]:
        find(tool)
    command = VERILATOR if simulator == "verilator" else ICARUS
    verilog = shell_verilog(network)
    content = [verilog, *command, version(command[0]), *(path.read_text() for path in SOURCES)]
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]
    made = folder.absolute() / f"{simulator}-{digest}"
    if not made.is_dir():
        _make(command, verilog, made)
    program = str(made / "bench")
    if simulator == "verilator":
        return [program]
    return [str(find("iverilog").with_name("vvp")), "-n", program]


def _make(command: Sequence[str], verilog: str, made: Path) -> None:
    made.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=made.name, suffix=".part", dir=made.parent))
    try:
        (beside / f"{TOP}.v").write_text(verilog)
        sources = [f"{TOP}.v", *map(str, SOURCES)]
        run = subprocess.run(
            [*command, *sources],
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
