"""Run the scripts of `boards.vivado.files` where Vivado is, each of them again only if need be."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bbnn.errors import InputError
from boards.process import run
from boards.steps import Steps
from boards.vivado.files import SCRIPTS

__all__ = ["STEPS", "build"]

Progress = Callable[[int, str], None]
"""Called with the number of steps done and what is being done now."""

STEPS = ("package the IP", "synthesize the block design", "place, route and write the bitstream")
COMMAND = re.compile(r"Command: (\w+)")
PHASE = re.compile(r"Phase [\d.]+ (.+)")


def build(name: str, folder: Path, progress: Progress = lambda done, what: None) -> dict[str, Any]:
    """Make ``NAME.bit`` and ``NAME.hwh`` in `folder`; return what Vivado found, for JSON.

    fmax_mhz : after routing, from the slack of the slowest path.

    Raise `InputError` if Vivado is not on PATH, stops, or ends without its files.
    """
    program = shutil.which("vivado")
    if program is None:
        raise InputError(
            f"vivado must be on PATH to run {folder / name}.tcl, not missing: the files are "
            "written, so take the folder to where it is, or use --toolchain open"
        )
    between = (f"{name}.synth.dcp", f"{name}.synth.hwh")
    reads = ((f"{name}.v",), ("ip/component.xml", f"{name}.v", f"{name}.xdc"), between)
    writes = (("ip/component.xml",), between, (f"{name}.bit", f"{name}.hwh", "vivado.json"))
    # A version of Vivado has a folder of its own.
    steps, version = Steps(folder), str(Path(program).resolve())
    for done, script in enumerate(SCRIPTS):
        progress(done, STEPS[done])
        inputs = [folder / each for each in ("settings.tcl", f"{script}.tcl", *reads[done])]
        action = partial(_run, program, script, folder, writes[done], partial(progress, done))
        steps.step(STEPS[done], inputs, writes[done], action, version)
    figures = json.loads((folder / "vivado.json").read_text())
    slowest = figures["period_ns"] - figures["setup_slack_ns"]
    return {
        "fmax_mhz": round(1e3 / slowest, 2),
        "fmax_is": "Vivado's timing analysis after routing",
        "hold_slack_ns": figures["hold_slack_ns"],
        "tools": {"vivado": figures["version"]},
    }


def _run(
    program: str, script: str, folder: Path, outputs: Sequence[str], tell: Callable[[str], None]
) -> None:
    """Run ``SCRIPT.tcl`` in `folder`, which must write `outputs`."""

    def read(line: str) -> None:
        if found := COMMAND.match(line) or PHASE.match(line):
            tell(f"Vivado: {found[1]}")

    for output in outputs:
        (folder / output).unlink(missing_ok=True)
    log = f"{script}.log"
    # Without -applog, Vivado would put the log aside that is being followed, and begin another.
    options = ["-mode", "batch", "-nojournal", "-notrace", "-applog", "-log", log]
    run([program, *options, "-source", f"{script}.tcl"], folder, log, os.environ, read)
    for output in outputs:
        if not (folder / output).is_file():
            raise InputError(
                f"Vivado must write {folder / output}, not end without (log: {folder / log})"
            )
