"""Blocks side by side: in order, with buffers of their own, and the matrix library as before."""

from __future__ import annotations

import threading

import pytest

from golden import threads
from golden.threads import side_by_side

BLOCKS = [slice(start, start + 1) for start in range(9)]


@pytest.fixture(autouse=True)
def _three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PROCESSORS", 3)


def test_answers_are_in_order_and_buffers_are_not_shared() -> None:
    used: set[int] = set()
    three = threading.Barrier(3, timeout=10)

    def work(buffers: list[int], block: slice) -> int:
        buffers.append(block.start)
        used.add(id(buffers))
        three.wait()
        assert buffers.pop() == block.start
        assert not buffers
        return block.start

    with side_by_side(list, len(BLOCKS)) as each:
        assert each(work, BLOCKS) == list(range(9))
    assert len(used) == 3


def test_one_block_needs_no_thread() -> None:
    with side_by_side(list, 1) as each:
        here = each(lambda buffers, block: threading.get_ident(), BLOCKS[:1])
    assert here == [threading.get_ident()]


def test_errors_come_through_and_buffers_come_back() -> None:
    def fail(buffers: list[int], block: slice) -> int:
        if block.start == 4:
            raise ValueError("four")
        return block.start

    with side_by_side(list, len(BLOCKS)) as each:
        with pytest.raises(ValueError, match="four"):
            each(fail, BLOCKS)
        assert each(fail, BLOCKS[:4] * 3) == [0, 1, 2, 3] * 3


def test_matrix_library_is_left_as_it_was() -> None:
    library = threads._openblas()
    if library is None:
        pytest.skip("this NumPy brings no OpenBLAS along")
    count = library.scipy_openblas_get_num_threads64_
    before = count()
    library.scipy_openblas_set_num_threads64_(2)
    try:
        first = side_by_side(list, 1)
        with side_by_side(list, 1):
            first.__enter__()
            assert count() == 1
        # The other one still counts on it.
        assert count() == 1
        first.__exit__(None, None, None)
        assert count() == 2
    finally:
        library.scipy_openblas_set_num_threads64_(before)
