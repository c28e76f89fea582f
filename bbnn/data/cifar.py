"""The binary version of CIFAR-10: records of a label and 32 x 32 pixels, colour plane by plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbnn.errors import require

Bytes = NDArray[np.uint8]

HEIGHT = WIDTH = 32
COLOURS = 3
RECORD = 1 + COLOURS * HEIGHT * WIDTH


def images_and_labels(files: list[tuple[Path, bytes]]) -> tuple[Bytes, Bytes]:
    """Return the images (count, 32, 32, 3) and labels (count,) of all records, file by file."""
    for path, raw in files:
        require(len(raw) % RECORD == 0, f"{path}: length", f"a multiple of {RECORD}", len(raw))
    records = np.frombuffer(b"".join(raw for _, raw in files), np.uint8).reshape(-1, RECORD)
    planes = records[:, 1:].reshape(-1, COLOURS, HEIGHT, WIDTH)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, 0].copy()


def content(images: Bytes, labels: Bytes) -> bytes:
    """Return images (count, 32, 32, 3) and labels (count,) as the bytes of a file."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.column_stack([labels, planes]).tobytes()
