"""A bench of a few lines, compiled and run by Icarus."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["bench_says"]


def bench_says(*sources: Path, folder: Path) -> str:
    """Return what module `bench` of the Verilog in `sources` prints."""
    program = folder / "bench.vvp"
    subprocess.run(["iverilog", "-g2005", "-s", "bench", "-o", program, *sources], check=True)
    command = ["vvp", "-n", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
