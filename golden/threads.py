"""Blocks of images side by side, one on each processor.

NumPy lets go of Python's lock while it copies, compares and multiplies, so threads do. The matrix
library's own threads only stand in their way: they help with the products alone, and wait for each
other by spinning, which on a busy machine costs many times what it gains.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

PROCESSORS = (
    len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
)
Buffers = TypeVar("Buffers")
Each = Callable[[Callable[[Buffers, slice], Any], Sequence[slice]], list[Any]]
"""Returns ``[work(buffers, block) for block in blocks]`` of ``work`` and ``blocks``."""


@contextmanager
def side_by_side(buffers: Callable[[], Buffers], most: int) -> Iterator[Each[Buffers]]:
    """Yield an `Each` that does as many blocks at a time as there are processors.

    buffers : makes what a thread needs for itself. most : blocks of a call.
    """
    idle = [buffers() for _ in range(min(PROCESSORS, most))]
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(len(idle)) as pool:

        def each(work: Callable[[Buffers, slice], Any], blocks: Sequence[slice]) -> list[Any]:
            def one(block: slice) -> Any:
                own = idle.pop()
                try:
                    return work(own, block)
                finally:
                    idle.append(own)

            return list((map if len(blocks) == 1 else pool.map)(one, blocks))

        yield each
