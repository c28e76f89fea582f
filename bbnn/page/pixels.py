"""Pixels as PNG files inside a page.

A page that holds its own pictures needs no other file; these few lines write the same bytes for the
same pixels, without a date or a program's name.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE = 0, 2, 3
"""PNG's types of colour."""
SHADES = 16


def image(pixels: NDArray[np.uint8]) -> str:
    """Return an image of shape (height, width, channels), 1 or 3 of these, as a data URI.

    A single channel is ink on paper: 0 is white.
    """
    height, width, channels = pixels.shape
    if channels == 1:
        return _uri(_png(width, height, 8, GREY, 255 - pixels[..., 0]))
    return _uri(_png(width, height, 8, RGB, pixels[..., :3].reshape(height, -1)))


def shades(values: NDArray[np.floating], colour: tuple[int, int, int]) -> str:
    """Return values in 0..1, shape (height, width), as a data URI: transparent to `colour`."""
    height, width = values.shape
    levels = np.rint(values * (SHADES - 1)).astype(np.uint8)
    levels = np.pad(levels, ((0, 0), (0, width % 2)))
    packed = (levels[:, 0::2] << 4 | levels[:, 1::2]).astype(np.uint8)
    opacity = bytes(255 * level // (SHADES - 1) for level in range(SHADES))
    chunks = _chunk(b"PLTE", bytes(colour) * SHADES) + _chunk(b"tRNS", opacity)
    return _uri(_png(width, height, 4, PALETTE, packed, chunks))


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _png(
    width: int, height: int, depth: int, kind: int, lines: NDArray[np.uint8], more: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    # Every line starts with the number of its filter, 0 for none.
    body = zlib.compress(np.pad(lines, ((0, 0), (1, 0))).tobytes(), 9)
    ends = _chunk(b"IHDR", header), _chunk(b"IDAT", body), _chunk(b"IEND", b"")
    return SIGNATURE + ends[0] + more + ends[1] + ends[2]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
