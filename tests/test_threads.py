"""Blocks side by side: in order, with buffers of their own, and the matrix library as before."""

from __future__ import annotations

import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

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


def products() -> list[int]:
    """Return in how many threads each matrix library works."""
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_matrix_library_is_left_as_it_was() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = products()
        assert before
        with side_by_side(list, 1):
            assert products() == [1] * len(before)
        assert products() == before
