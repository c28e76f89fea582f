"""The IDX format of the MNIST family: a big-endian header, then bytes; plain or gzipped."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbnn.errors import InputError, require

Bytes = NDArray[np.uint8]

UNSIGNED_BYTE = 8
"""Type code of the third header byte; the fourth is the number of dimensions."""


def images_and_labels(files: list[tuple[Path, bytes]]) -> tuple[Bytes, Bytes]:
    """Return images (count, height, width, 1) and labels (count,) of a file of each."""
    images, labels = (parse(raw, str(path)) for path, raw in files)
    return images[..., np.newaxis], labels


def find(folder: Path, stem: str) -> Path | None:
    """Return the file `stem` or `stem`.gz in `folder`, or None; the plain one is read faster."""
    candidates = (folder / stem, folder / f"{stem}.gz")
    return next((path for path in candidates if path.is_file()), None)


def content(path: Path) -> bytes:
    """Return the decompressed bytes of a file; raise `InputError` where gzip is damaged."""
    raw = path.read_bytes()
    if path.suffix != ".gz":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} must be a whole gzip file, not this: {error}") from None


def parse(raw: bytes, where: str) -> Bytes:
    """Return the uint8 array that the IDX bytes `raw` hold, in the header's shape (read-only).

    Raise `InputError` beginning with `where` if the header and the length disagree.
    """
    dimensions = raw[3] if len(raw) > 3 and raw[:3] == bytes([0, 0, UNSIGNED_BYTE]) else 0
    require(dimensions > 0, f"{where}: header", "00 00 08 (IDX of bytes)", raw[:4].hex(" "))
    start = 4 + 4 * dimensions
    shape = tuple(int(size) for size in np.frombuffer(raw[4:start], ">u4"))
    length = start + int(np.prod(shape))
    require(len(raw) == length, f"{where}: length", f"{length} bytes for {shape}", len(raw))
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
