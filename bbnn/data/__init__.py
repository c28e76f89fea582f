"""Images to train and measure with: published sets, the shipped samples and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bbnn.data.files import read, require_located
from bbnn.data.sets import DATA_SETS, SPLITS, Images, Labels, Split, by_name
from bbnn.errors import InputError, require

__all__ = ["NAMES", "SAMPLE", "SAMPLES", "Images", "Labels", "Split", "load", "noise"]

SAMPLE = "fashion-mnist-1000"
SAMPLES = {SAMPLE: "fashion-mnist", "mnist-1000": "mnist"}
"""First 1,000 test images of a set, which ship in models/data and need no download."""
NAMES = (*DATA_SETS, *SAMPLES)


def load(
    name: str, split: Split = "test", folder: str | Path | None = None
) -> tuple[Images, Labels]:
    """Return a split's images (count, height, width, channels) and labels (count,), both uint8.

    name : one of `NAMES`; a sample has only "test". folder : look there alone (`bbnn.data.files`
    has the order otherwise). Nothing is fetched: a missing set is an `InputError` that says how to
    get it, and so is a file whose content has not the published checksum.
    """
    require(split in SPLITS, "split", '"train" or "test"', split)
    if name in SAMPLES:
        require(split == "test", f"split of {name}", '"test"', split)
        return _sample(name)
    if name not in DATA_SETS:
        raise InputError(f"data set must be one of {', '.join(NAMES)}, not {name!r}")
    data_set = by_name(name)
    return read(require_located(data_set, Path(folder) if folder else None), data_set, split)


def noise(count: int, seed: int) -> Images:
    """Return `count` images of independent uniform grey values, far from any data set.

    uint8, shape (count, 28, 28, 1); the same for the same seed (NumPy's PCG64).
    """
    require(count >= 0, "noise count", "0 or more", count)
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.integers(0, 256, size=(count, 28, 28, 1), dtype=np.uint8)


def _sample(name: str) -> tuple[Images, Labels]:
    # models/ lies beside bbnn/ in a checkout and in an installed wheel alike.
    path = Path(__file__).parents[2] / "models" / "data" / f"{name}.npz"
    if not path.is_file():
        raise InputError(f"{path} must be installed beside bbnn, not missing")
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]
