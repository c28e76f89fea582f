"""The data sets: their files, their published checksums, their classes.

A checksum is the MD5 of a file's *content*, the IDX bytes after decompression, since packagers
compress anew and gzip headers carry names and dates. They are tied to the MD5s of the .gz files
that the authors publish: `tests/test_data.py` puts the original gzip header back on Debian's
Fashion-MNIST and gets 8d4fb7e6..., 25c81989..., bef4ecab... and bb300cfd..., all four of
zalandoresearch/fashion-mnist. For MNIST the four values are those of the files from
yann.lecun.com after `gunzip`, as deep-learning libraries pin them; for CIFAR-10 those of the six
files of its "binary version" from www.cs.toronto.edu/~kriz/cifar.html, as C++ and Go loaders do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bbnn.data import cifar, idx
from bbnn.errors import InputError

Images = NDArray[np.uint8]
"""uint8 values, shape (count, height, width, channels)."""
Labels = NDArray[np.uint8]
"""uint8 class indices, shape (count,)."""
Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")
Parse = Callable[[list[tuple[Path, bytes]]], tuple[Images, Labels]]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet:
    """A set of images in ten classes, as published files.

    splits : for each split its files in reading order, name without .gz -> MD5 of the content.
    parse : what those files, with their contents, say. classes : their names, in label order.
    remedy : how a person without `bbnn data` gets the files.
    package_folder : where a system package installs the files, if one does.
    """

    name: str
    splits: dict[Split, dict[str, str]]
    parse: Parse
    classes: tuple[str, ...]
    remedy: str
    package_folder: Path | None = None

    @property
    def md5(self) -> dict[str, str]:
        """All files of the set: name without .gz -> MD5 of the content."""
        return {stem: md5 for files in self.splits.values() for stem, md5 in files.items()}


FASHION_MNIST = DataSet(
    name="fashion-mnist",
    splits={
        "train": {
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        },
        "test": {
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
    },
    parse=idx.images_and_labels,
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    remedy="install Debian's package dataset-fashion-mnist",
    package_folder=Path("/usr/share/datasets/fashion-mnist"),
)

MNIST = DataSet(
    name="mnist",
    splits={
        "train": {
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        },
        "test": {
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    },
    parse=idx.images_and_labels,
    classes=tuple(str(digit) for digit in range(10)),
    remedy="install npm",
)

CIFAR_10 = DataSet(
    name="cifar-10",
    splits={
        "train": {
            "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
            "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
            "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
            "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
            "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
        },
        "test": {"test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d"},
    },
    parse=cifar.images_and_labels,
    classes=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    remedy="install npm",
)

DATA_SETS = {data_set.name: data_set for data_set in (FASHION_MNIST, MNIST, CIFAR_10)}


def by_name(name: str) -> DataSet:
    """Return the data set called `name`; raise `InputError` with the known names otherwise."""
    if name not in DATA_SETS:
        raise InputError(f"data set must be one of {', '.join(DATA_SETS)}, not {name!r}")
    return DATA_SETS[name]
