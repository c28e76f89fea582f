"""Packages of a Debian release, fetched and unpacked without root.

apt does the fetching, with a state of its own and the machine's settings (proxies, credentials),
so that the signatures are checked and nothing of the system changes. Nothing is installed: no
script of a package runs.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from bbnn.errors import InputError, require

__all__ = ["Apt", "Package", "mirror", "require_apt"]

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NEEDED = ("apt-get", "dpkg-deb")
URI = re.compile(r"'\S+' (\S+)_(\S+)_\w+\.deb (\d+) ", re.MULTILINE)
"""A line of ``apt-get --print-uris``: name, version, size in bytes."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package to fetch. size : bytes to download."""

    name: str
    version: str
    size: int


def require_apt() -> None:
    """Raise `InputError` where there is no apt to fetch packages with."""
    for name in NEEDED:
        if shutil.which(name) is None:
            raise InputError(
                f"{name} must be here to fetch Debian's packages, not missing: on another system, "
                "run this in a Debian container"
            )


def mirror() -> str:
    """Return the address of the Debian mirror that this machine's apt is set to.

    Raise `InputError` if it is set to none.
    """
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    releases = {codename, "oldstable", "stable", "testing", "unstable", "sid"} - {""}
    wanted = ["--format", "$(RELEASE) $(SITE)", "Created-By: Packages", "Component: main"]
    listed = _run(["apt-get", "indextargets", *wanted]).splitlines()
    # Other vendors have releases and components of the same names, but not Debian's keys.
    sites = [site for release, site in map(str.split, listed) if release in releases]
    if not sites or not KEYRING.is_file():
        raise InputError(
            "apt must be set to a Debian mirror, with the package debian-archive-keyring, "
            "not to another system's: try --mirror, or run this in a Debian container"
        )
    return sites[0]


@dataclass(frozen=True, slots=True)
class Apt:
    """An apt of its own, in `folder`, that knows only one release of one mirror."""

    folder: Path
    mirror: str
    release: str

    def update(self) -> None:
        """Fetch the list of packages; raise `InputError` if the mirror refuses."""
        for name in ("lists/partial", "archives/partial"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "status").touch()
        line = f"deb [signed-by={KEYRING}] {self.mirror} {self.release} main\n"
        (self.folder / "sources.list").write_text(line)
        self._get("update", "--error-on=any")

    def plan(self, names: Sequence[str]) -> list[Package]:
        """Return the packages `names` and all that they depend on."""
        listed = self._get("install", "--print-uris", *names)
        found = [
            Package(name=unquote(name), version=unquote(version), size=int(size))
            for name, version, size in URI.findall(listed)
        ]
        missing = sorted({*names} - {package.name for package in found})
        require(not missing, f"packages of {self.release}", "among those offered", missing)
        return found

    def download(self, names: Sequence[str], progress: Callable[[int], None]) -> None:
        """Fetch what `plan` lists; `progress` is called with all bytes there so far."""
        command = self._command("install", "--download-only", *names)
        log = self.folder / "download.log"
        with (
            log.open("w") as said,
            subprocess.Popen(command, stdout=said, stderr=said, env=_environment()) as process,
        ):
            try:
                while process.poll() is None:
                    time.sleep(0.1)
                    progress(sum(map(_size, (self.folder / "archives").rglob("*.deb"))))
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise _refusal(command, log.read_text())

    def unpack(self, root: Path, progress: Callable[[str], None]) -> None:
        """Unpack what was fetched into `root`; `progress` gets each package's file name."""
        for path in sorted((self.folder / "archives").glob("*.deb")):
            progress(path.name)
            _run(["dpkg-deb", "--extract", str(path), str(root)])

    def _get(self, *arguments: str) -> str:
        return _run(self._command(*arguments))

    def _command(self, *arguments: str) -> list[str]:
        folder = self.folder.absolute()
        settings = {
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": os.devnull,
            "Dir::Etc::preferences": os.devnull,
            "Dir::Etc::preferencesparts": os.devnull,
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder,
            "Dir::Cache::archives": folder / "archives",
            # Frozen copies of a mirror are as welcome as fresh ones; the signature is checked.
            "Acquire::Check-Valid-Until": "false",
            # Root's own apt would hand the folder to another user.
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            "Debug::NoLocking": "true",
        }
        options = [f"-o{name}={value}" for name, value in settings.items()]
        return ["apt-get", "-qq", "-y", *options, *arguments]


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(),
        check=False,
    )
    if done.returncode:
        raise _refusal(command, done.stdout)
    return done.stdout


def _refusal(command: list[str], said: str) -> InputError:
    lines = said.strip().splitlines() or ["nothing said"]
    reason = next((line for line in lines if line.startswith("E: ")), lines[-1])
    return InputError(f"{command[0]} must succeed, not stop: {reason.removeprefix('E: ')}")


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}


def _size(path: Path) -> int:
    """Return the size of a file that may just have been renamed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
