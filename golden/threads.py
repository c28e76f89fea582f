"""Blocks of images side by side, one on each processor.

NumPy lets go of Python's lock while it copies, compares and multiplies, so threads do. The matrix
library's own threads only stand in their way: they help with the products alone, and wait for each
other by spinning, which on a busy machine costs many times what it gains.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np

PROCESSORS = len(os.sched_getaffinity(0))
Buffers = TypeVar("Buffers")
Each = Callable[[Callable[[Buffers, slice], Any], Sequence[slice]], list[Any]]
"""Returns ``[work(buffers, block) for block in blocks]`` of ``work`` and ``blocks``."""


@contextmanager
def side_by_side(buffers: Callable[[], Buffers], most: int) -> Iterator[Each[Buffers]]:
    """Yield an `Each` that does as many blocks at a time as there are processors.

    buffers : makes what a thread needs for itself. most : blocks of a call.
    """
    idle = [buffers() for _ in range(min(PROCESSORS, most))]
    with _one_thread_a_product(), ThreadPoolExecutor(len(idle)) as pool:

        def each(work: Callable[[Buffers, slice], Any], blocks: Sequence[slice]) -> list[Any]:
            def one(block: slice) -> Any:
                own = idle.pop()
                try:
                    return work(own, block)
                finally:
                    idle.append(own)

            return list((map if len(blocks) == 1 else pool.map)(one, blocks))

        yield each


_lock = Lock()
_before: list[int] = []
"""How many threads the matrix library had, as the first of those who need one has found it."""


@contextmanager
def _one_thread_a_product() -> Iterator[None]:
    library = _openblas()
    if library is None:
        yield
        return
    with _lock:
        _before.append(_before[0] if _before else library.scipy_openblas_get_num_threads64_())
        library.scipy_openblas_set_num_threads64_(1)
    try:
        yield
    finally:
        with _lock:
            before = _before.pop()
            if not _before:
                library.scipy_openblas_set_num_threads64_(before)


@cache
def _openblas() -> Any:
    """Return the OpenBLAS that NumPy's wheels bring along, loaded already; None without it."""
    folder = Path(np.__file__).parents[1] / "numpy.libs"
    library = next(folder.glob("libscipy_openblas64_*"), None)
    return library and ctypes.CDLL(str(library))
