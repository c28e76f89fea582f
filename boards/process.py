"""Run a program that takes minutes: follow its log, and stop in one line where it fails."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from bbnn.errors import InputError

__all__ = ["run"]


def run(
    command: Sequence[str | Path],
    folder: Path,
    log: str,
    environment: Mapping[str, str],
    tell: Callable[[str], None],
) -> None:
    """Run `command` in `folder` until it ends.

    log : the file in `folder` that the program writes; `tell` gets every line of it soon after.
    What it says on its outputs is added at the end. Raise `InputError` with its first error, and
    kill it where this process is interrupted.
    """
    path, said = folder / log, folder / f"{log}.part"
    path.write_text("")
    try:
        with (
            said.open("w") as output,
            path.open(errors="replace") as stream,
            subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=output
            ) as process,
        ):
            try:
                _follow(process, stream, tell)
            except BaseException:
                process.kill()
                raise
        text = said.read_text(errors="replace")
        with path.open("a") as whole:
            whole.write(text)
    finally:
        said.unlink(missing_ok=True)
    if process.returncode:
        lines = [line for line in text.splitlines() if line.strip()] or ["nothing said"]
        # The last line is that of an exception where WebAssembly itself gave up.
        reason = next((line for line in lines if "ERROR: " in line), lines[-1])
        program = next(str(Path(part).name) for part in command if "ld-linux" not in str(part))
        raise InputError(f"{program} must succeed, not stop: {reason} (log: {path})")


def _follow(process: subprocess.Popen[bytes], stream: IO[str], tell: Callable[[str], None]) -> None:
    rest = ""
    while True:
        ended = process.poll() is not None
        *lines, rest = (rest + stream.read()).split("\n")
        for line in lines:
            tell(line)
        if ended:
            return
        time.sleep(0.1)
