"""The vendor's flow, for the same Verilog, pins and clocks as the open one.

``NAME.tcl`` is Amaranth's template for Vivado; it runs without a project on disk and leaves its
reports beside the bitstream.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from bbnn.errors import InputError
from boards.process import run

__all__ = ["build"]


def build(name: str, folder: Path, tell: Callable[[str], None] = lambda line: None) -> Path:
    """Run ``NAME.tcl`` in `folder` and return the path of ``NAME.bit``; `tell` gets Vivado's log.

    Raise `InputError` if Vivado is not on PATH or stops.
    """
    program = shutil.which("vivado")
    if program is None:
        raise InputError(
            f"vivado must be on PATH to run {folder / name}.tcl, not missing: the files are "
            "written, so take the folder to where it is, or use --toolchain open"
        )
    command = [program, "-mode", "batch", "-nojournal", "-log", "vivado.log"]
    bitstream = folder / f"{name}.bit"
    bitstream.unlink(missing_ok=True)
    run([*command, "-source", f"{name}.tcl"], folder, "vivado.log", os.environ, tell)
    if not bitstream.is_file():
        raise InputError(f"Vivado must write {bitstream}, not end without (log: {folder})")
    return bitstream
