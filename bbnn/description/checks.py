"""Checks of arrays that every part of the description shares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.errors import require

Integers = NDArray[np.integer[Any]]


def require_integers(subject: str, values: Any, dimensions: int) -> None:
    """Raise `InputError` unless `values` is an integer array of so many dimensions."""
    is_array = isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.integer)
    kind = getattr(values, "dtype", type(values).__name__)
    require(is_array, subject, "an integer array", kind)
    require(values.ndim == dimensions, subject, f"of {dimensions} dimensions", values.ndim)


def require_range(subject: str, values: Integers, low: int, high: int) -> None:
    """Raise `InputError` naming the first element of `values` that is not in low..high."""
    bad = (values < low) | (values > high)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        index = ", ".join(map(str, place))
        require(False, f"{subject}[{index}]", f"in {low}..{high}", int(values[place]))


def require_vector(subject: str, values: Any, length: int, low: int, high: int) -> None:
    """Raise `InputError` unless `values` are `length` integers in low..high."""
    require_integers(subject, values, 1)
    require(values.shape == (length,), subject, f"of shape {(length,)}", values.shape)
    require_range(subject, values, low, high)


def require_identifier(subject: str, value: Any) -> None:
    """Raise `InputError` unless `value` can name something in Verilog."""
    fits = isinstance(value, str) and value.isidentifier() and value.isascii()
    require(fits, subject, "a Verilog identifier", value)
