"""Images to train and measure with: published sets, the shipped samples and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bbnn.data.files import read, require_located
from bbnn.data.fit import fitted
from bbnn.data.sets import DATA_SETS, SPLITS, Images, Labels, Split, by_name
from bbnn.errors import InputError, require

__all__ = [
    "NAMES",
    "NOISE",
    "OOD_NAMES",
    "SAMPLE",
    "SAMPLES",
    "SHUFFLED",
    "Images",
    "Labels",
    "Split",
    "load",
    "noise",
    "ood",
    "shuffled",
]

SAMPLE = "fashion-mnist-1000"
SAMPLES = {SAMPLE: "fashion-mnist", "mnist-1000": "mnist"}
"""First 1,000 test images of a set, which ship in models/data and need no download."""
NAMES = (*DATA_SETS, *SAMPLES)
NOISE, SHUFFLED = "noise", "shuffled"
OOD_NAMES = (*NAMES, NOISE, SHUFFLED)
SEED = 1
"""Of the images that are made: `noise` and `shuffled`."""


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


def ood(name: str, images: Images) -> Images:
    """Return as many images out of the distribution of `images`, or as many as there are.

    name : one of `OOD_NAMES`: another set's test images in the shape of these (`bbnn.data.fit`),
    noise, or `images` themselves shuffled.
    """
    if name == NOISE:
        return noise(images.shape)
    if name == SHUFFLED:
        return shuffled(images)
    height, width, channels = images.shape[1:]
    return fitted(load(name)[0][: len(images)], (height, width, channels))


def noise(shape: tuple[int, ...], seed: int = SEED) -> Images:
    """Return images of independent uniform values, far from any data set.

    uint8, shape (count, height, width, channels); the same for the same seed (NumPy's PCG64).
    """
    return _generator(seed).integers(0, 256, size=shape, dtype=np.uint8)


def shuffled(images: Images, seed: int = SEED) -> Images:
    """Return the images with the pixels of each in an order of its own: its colours, no shape.

    An image's order depends on the seed and on its place alone.
    """
    pixels = images.reshape(len(images), -1, images.shape[-1])
    order = _generator(seed).random(pixels.shape[:2]).argsort(axis=1)
    return np.take_along_axis(pixels, order[..., np.newaxis], axis=1).reshape(images.shape)


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _sample(name: str) -> tuple[Images, Labels]:
    # models/ lies beside bbnn/ in a checkout and in an installed wheel alike.
    path = Path(__file__).parents[2] / "models" / "data" / f"{name}.npz"
    if not path.is_file():
        raise InputError(f"{path} must be installed beside bbnn, not missing")
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]
