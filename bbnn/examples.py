"""Which images to show of many: those that an ensemble is surest of, least sure of, and between.

q : the ensemble's probabilities, shape (N, classes). entropy : of q in nats, shape (N,). All return
indices of at most `count` images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.intp]


def surest(q: Floats, entropy: Floats, count: int) -> Indices:
    """Return the surest image of each predicted class, of those classes that have the surest."""
    order = np.argsort(entropy, kind="stable")
    _, first = np.unique(q[order].argmax(axis=1), return_index=True)
    return np.asarray(order[np.sort(first)[:count]])


def least_sure(entropy: Floats, count: int) -> Indices:
    """Return the images of the highest entropy."""
    return np.asarray(np.argsort(-entropy, kind="stable")[:count])


def spread(entropy: Floats, count: int) -> Indices:
    """Return images at even steps through the order of entropy, both ends included."""
    order = np.argsort(entropy, kind="stable")
    steps = np.linspace(0, len(order) - 1, min(count, len(order)))
    return np.asarray(order[steps.round().astype(np.intp)])
