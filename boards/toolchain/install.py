"""`bbnn toolchain install`: place and route, and the database of the bitstream, unpacked."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from boards.toolchain.debian import Apt, mirror, require_apt
from boards.toolchain.programs import FOLDER, PACKAGES, RECORD, Toolchain

__all__ = ["RELEASE", "install"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0: unknown)."""

RELEASE = "forky"
"""The Debian release that has them; a code name, since "testing" becomes another one."""
NOT_NEEDED = (
    "etc",
    "var",
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/zoneinfo",
    "usr/share/prjxray/database/[!z]*7",
    "usr/share/nextpnr/himbaechel/xilinx/chipdb-xc7[!z]*",
)
"""What of the packages is not kept: above all, other families of parts."""


def install(
    folder: Path = FOLDER, source: str | None = None, progress: Progress = lambda *told: None
) -> Toolchain:
    """Unpack the toolchain into `folder` unless it is there; return it.

    source : address of a Debian mirror; that of this machine's apt, if None. Nothing is left
    behind if it fails. Raise `InputError` if there is no apt or no Debian mirror, or if the
    mirror refuses.
    """
    if (folder / RECORD).is_file():
        return Toolchain.at(folder)
    require_apt()
    source = source or mirror()
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=folder.name, suffix=".part", dir=folder.parent))
    try:
        apt = Apt(beside / "apt", source, RELEASE)
        progress("fetch the list of packages", 0, 0)
        apt.update()
        packages = apt.plan([*PACKAGES])
        total = sum(package.size for package in packages)
        progress("download", 0, total)
        apt.download([*PACKAGES], lambda done: progress("download", done, total))
        unpacked: list[str] = []

        def tell(name: str) -> None:
            progress("unpack", len(unpacked), len(packages))
            unpacked.append(name)

        apt.unpack(beside, tell)
        for pattern in ("apt", *NOT_NEEDED):
            for path in beside.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        versions = {package.name: package.version for package in packages}
        record = {"release": RELEASE, "packages": versions}
        (beside / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        beside.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Toolchain.at(folder)
