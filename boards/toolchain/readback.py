"""What a finished bitstream holds, read by another program than those that wrote it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from bbnn.errors import InputError
from boards.toolchain.database import Database
from boards.toolchain.frames import bits_read
from boards.toolchain.programs import Toolchain

__all__ = ["read_back"]


def read_back(toolchain: Toolchain, database: Database, bitstream: Path) -> set[int]:
    """Return the bits that Project X-Ray's ``bitread`` finds in `bitstream`.

    The error correction of each frame, which it checks, is left out. Raise `InputError` if it
    refuses the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "bits"
        arguments = ["--part_file", database.part_file, "-y", "-z", "-o", found, bitstream]
        command = toolchain.command("bitread", *arguments)
        done = subprocess.run(
            command, env=toolchain.environment, capture_output=True, text=True, check=False
        )
        if done.returncode or not found.is_file():
            said = (done.stderr + done.stdout).strip().splitlines() or ["nothing said"]
            raise InputError(f"{bitstream} must be a bitstream for {database.part}: {said[0]}")
        return bits_read(found.read_text())
