"""Run a deploy folder on a board over SSH and bring back what it says."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from bbnn.errors import InputError, require

__all__ = ["verify_on"]

# PYNQ's environment comes with a login shell.
SCRIPT = """\
folder=$(mktemp -d) && tar -xzf - -C "$folder" && cd "$folder" || exit 2
python3 -m boards.driver.verify --json
code=$?
rm -rf "$folder"
exit $code
"""


def verify_on(host: str, folder: Path) -> dict[str, Any]:
    """Return what ``boards.driver.verify`` in `folder` finds on `host`, "root@pynq" say.

    Raise `InputError` with what the board or SSH says, if it is anything else.
    """
    ssh = shutil.which("ssh")
    require(ssh is not None, "ssh", "installed to reach the board", "missing")
    require(not host.startswith("-"), "--host", "USER@HOST", host)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    run = subprocess.run(
        [str(ssh), host, f"bash -l -c {shlex.quote(SCRIPT)}"],
        input=packed.getvalue(),
        capture_output=True,
        check=False,
    )
    said = run.stderr.decode(errors="replace").strip().split("\n")
    if run.returncode not in (0, 1):
        raise InputError(f"{host} must verify, not stop with {run.returncode}: {said[-1]}")
    try:
        result: dict[str, Any] = json.loads(run.stdout)
    except ValueError:
        raise InputError(f"{host} must answer with JSON, not with: {said[-1]}") from None
    return result
