"""Where the unpacked tools are, which versions they have, and how to run them.

They are built for another release's C library, so its own loader, which is unpacked with them,
starts them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bbnn.errors import InputError, require

__all__ = ["FOLDER", "PACKAGES", "RECORD", "Toolchain"]

FOLDER = Path("build/toolchain")
RECORD = "packages.json"
"""Which packages were unpacked; the last thing that an installation writes."""
PACKAGES = {
    "nextpnr-himbaechel-xilinx": "0.11.1+dfsg-5+b1",
    "nextpnr-himbaechel-xilinx-chipdb": "0.11.1+dfsg-5+b1",
    "prjxray": "0.1+git3356.gc9f02d85+~db20211214.g0a0added-4",
    "prjxray-database": "0.1+git3356.gc9f02d85+~db20211214.g0a0added-4",
}
"""The versions that this project was tested with; what they depend on matters less."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The tools below `root`, which is laid out as a file system of Debian is.

    versions : of every package unpacked, by name.
    """

    root: Path
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path = FOLDER) -> Toolchain:
        """Return the toolchain in `folder`; raise `InputError` if it is not installed there."""
        record = folder / RECORD
        if not record.is_file():
            raise InputError(
                f"{folder} must hold the open toolchain, not nothing: try `bbnn toolchain install`"
            )
        return cls(folder.absolute(), json.loads(record.read_text())["packages"])

    @property
    def differences(self) -> dict[str, tuple[str, str]]:
        """Packages whose version is not the tested one: name -> (version, tested version)."""
        found = {
            name: (self.versions.get(name, "none"), tested) for name, tested in PACKAGES.items()
        }
        return {name: versions for name, versions in found.items() if versions[0] != versions[1]}

    def command(self, program: str, *arguments: str | Path) -> list[str]:
        """Return the command line that runs `program` through the loader that came with it."""
        path = self.root / "usr/bin" / program
        require(path.is_file(), str(path), "a program of the toolchain", "missing")
        loader = self._one("usr/lib*/ld-linux*.so.*")
        libraries = self._one("usr/lib/*/libc.so.6").parent
        return [str(loader), "--library-path", str(libraries), str(path), *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        """What the programs run in; nextpnr holds a Python, which must find its own library."""
        return {**os.environ, "PYTHONHOME": str(self.root / "usr")}

    def chip(self, device: str) -> Path:
        """Return nextpnr's description of a device such as "xc7z020"."""
        path = self.root / f"usr/share/nextpnr/himbaechel/xilinx/chipdb-{device}.bin"
        require(path.is_file(), str(path), "nextpnr's file of a device", "missing")
        return path

    @property
    def database(self) -> Path:
        """Project X-Ray's database of the Zynq-7000 family."""
        return self.root / "usr/share/prjxray/database/zynq7"

    def _one(self, pattern: str) -> Path:
        found = sorted(self.root.glob(pattern))
        require(bool(found), f"{self.root}/{pattern}", "a file of the toolchain", "missing")
        return found[0]
