"""Find a data set's files and read them, checksums first."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bbnn.data import idx
from bbnn.data.sets import DataSet, Images, Labels, Split
from bbnn.errors import InputError, require

ENVIRONMENT = "BBNN_DATA"


def build_folder(data_set: DataSet) -> Path:
    """Return where `fetch` puts a set: build/data/NAME of the checkout, else of the current folder.

    An installed package has no checkout around it; its parent holds no pyproject.toml.
    """
    root = Path(__file__).parents[2]
    base = root if (root / "pyproject.toml").is_file() else Path()
    return base / "build" / "data" / data_set.name


def search_folders(data_set: DataSet, folder: Path | None = None) -> list[Path]:
    """Return the folders to look in, first match wins.

    `folder` alone if it is given; else $BBNN_DATA, the build folder, the system package's. A given
    folder holds either the files or a folder of the set's name that holds them.
    """
    given = folder or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    own = [given / data_set.name, given] if given else []
    if folder:
        return own
    package = [data_set.package_folder] if data_set.package_folder else []
    return [*own, build_folder(data_set), *package]


def locate(data_set: DataSet, folder: Path | None = None) -> Path | None:
    """Return the first folder that holds all files of the set, or None."""
    for candidate in search_folders(data_set, folder):
        if all(idx.find(candidate, stem) for stem in data_set.md5):
            return candidate
    return None


def require_located(data_set: DataSet, folder: Path | None = None) -> Path:
    """Return `locate`'s folder; raise `InputError` saying what to run where there is none."""
    found = locate(data_set, folder)
    if found is None:
        places = ", ".join(map(str, search_folders(data_set, folder)))
        raise InputError(
            f"{data_set.name} must be in one of {places}, not missing:"
            f" run `bbnn data {data_set.name}`"
        )
    return found


def checked_content(folder: Path, data_set: DataSet, stem: str) -> tuple[Path, bytes]:
    """Return path and decompressed bytes of one file; raise `InputError` where the MD5 differs."""
    path = idx.find(folder, stem)
    if path is None:
        raise InputError(f"{folder / stem} must be an existing file, plain or .gz, not missing")
    raw = idx.content(path)
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    wanted = data_set.md5[stem]
    require(digest == wanted, f"{path}: MD5 of the content", f"{wanted} ({data_set.name})", digest)
    return path, raw


def read(folder: Path, data_set: DataSet, split: Split) -> tuple[Images, Labels]:
    """Return images (count, height, width, channels) and labels (count,) of one split, uint8."""
    return data_set.parse(
        [checked_content(folder, data_set, stem) for stem in data_set.splits[split]]
    )
