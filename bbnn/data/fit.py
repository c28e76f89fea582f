"""Images of one set in the shape of another's, so that it can be a stranger to a network."""

from __future__ import annotations

import numpy as np

from bbnn.data.sets import Images
from bbnn.errors import require

LUMA = np.array([299, 587, 114])
"""Thousandths of red, green and blue in a grey value (Recommendation ITU-R BT.601, 2.5.1)."""


def fitted(images: Images, shape: tuple[int, int, int]) -> Images:
    """Return `images` (count, height, width, channels) as uint8 of (count, *shape).

    Colours become their luma, grey values all colours alike. What is too large loses its borders,
    what is too small gets black ones; its middle stays in the middle. Raise `InputError` where
    channels are neither as many, nor one, nor three for one.
    """
    *size, channels = shape
    own = images.shape[-1]
    possible = own in (channels, 1) or (own == len(LUMA) and channels == 1)
    require(possible, "channels", f"{channels}, or what becomes them", own)
    if own > channels:
        images = ((images @ LUMA + 500) // 1000).astype(np.uint8)[..., np.newaxis]
    result = np.zeros((len(images), *shape), np.uint8)
    here = [_middle(wanted, given) for wanted, given in zip(size, images.shape[1:3], strict=True)]
    there = [_middle(given, wanted) for wanted, given in zip(size, images.shape[1:3], strict=True)]
    result[:, *here] = images[:, *there]
    return result


def _middle(outer: int, inner: int) -> slice:
    """Return where `inner` places lie in the middle of `outer` ones; all of these if it is more."""
    start = max(outer - inner, 0) // 2
    return slice(start, start + min(outer, inner))
