"""The line buffer against windows cut out of a padded array."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbnn.description import Window
from bbnn.schedule import lines_held, window_cycles
from blocks import Recording, groups, packed, play
from hdl.lines import LineBuffer
from hdl.repack import piece_size
from simtools import reader, run, writer


def cut(image: np.ndarray[Any, Any], window: Window, fill: int) -> list[np.ndarray[Any, Any]]:
    """Return every position's rows: channel by channel, in each line by line."""
    edge = ((window.padding,) * 2, (window.padding,) * 2, (0, 0))
    padded = np.pad(image, edge, constant_values=fill)
    kernel, stride = window.kernel, window.stride
    return [
        padded[top : top + kernel, left : left + kernel].transpose(2, 0, 1).ravel()
        for top in range(0, window.out_height * stride, stride)
        for left in range(0, window.out_width * stride, stride)
    ]


def line_buffer(
    window: Window,
    bits: int = 1,
    chunk: int = 1,
    together: int = 1,
    *,
    passes: int = 1,
    masked: bool = False,
    maps: int = 3,
    stall: int = 3,
    must_stall: bool = True,
) -> Recording:
    """Send maps with pauses, and read every window `passes` times with pauses."""
    pad = 0 if masked or window.padding else 1
    dut = LineBuffer(
        window,
        element_bits=bits,
        chunk=chunk,
        together=together,
        pad=pad,
        masked=masked,
        replays=passes > 1,
    )
    rng = np.random.default_rng(31)
    images = rng.integers(0, 2**bits, (maps, *window.shape))
    chunks, words = [], []
    for image in images:
        for pixel in image.reshape(-1, window.channels):
            # What lies beyond a pixel's channels must not matter.
            beyond = rng.integers(0, 2**bits, -window.channels % chunk)
            chunks += groups(np.append(pixel, beyond), chunk, 0)
        size = together * window.taps
        elements = [
            packed(g, bits) for row in cut(image, window, 0) for g in groups(row, size, pad)
        ]
        there = cut(np.ones_like(image), window, 0)
        driven = [packed(g, 1) for row in there for g in groups(row, size, 0)]
        both = [{"elements": e, "driven": d} for e, d in zip(elements, driven, strict=True)]
        words += (both if masked else [{"elements": e} for e in elements]) * passes

    async def configure(ctx: Any) -> None:
        if passes > 1:
            ctx.set(dut.passes, passes)

    return play(
        dut,
        configure,
        writer(dut.i, [packed(part, bits) for part in chunks], stall),
        reader(dut.o, words, stall),
        watched=[dut.o],
        must_stall=must_stall and stall > 0,
    )


def window(
    size: tuple[int, int], channels: int, kernel: int, stride: int = 1, padding: int = 0
) -> Window:
    height, width = size
    return Window(
        height=height, width=width, channels=channels, kernel=kernel, stride=stride, padding=padding
    )


LINES: dict[str, tuple[Window, dict[str, Any]]] = {
    "pixels": (window((5, 6), 1, 3), {"bits": 8}),
    "colours": (window((5, 5), 3, 3, 2, 1), {"bits": 8, "chunk": 3, "together": 3}),
    "masked": (window((4, 5), 4, 3, 1, 1), {"chunk": 2, "together": 2, "masked": True}),
    "short-group": (window((4, 4), 5, 3, 1, 1), {"chunk": 5, "together": 2, "masked": True}),
    "short-group-of-signs": (window((4, 4), 5, 2), {"chunk": 1, "together": 3}),
    "one-group": (window((5, 5), 2, 3, 2, 1), {"chunk": 1, "together": 2, "masked": True}),
    "one-by-one": (window((3, 3), 3, 1), {"chunk": 3, "together": 2}),
    "one-pixel": (window((1, 1), 7, 1), {"chunk": 4, "together": 3, "bits": 2, "passes": 3}),
    "even": (window((5, 4), 2, 2, 2), {"bits": 2}),
    "leftover-lines": (window((8, 8), 1, 3, 3), {"bits": 2}),
    "wide-padding": (window((2, 3), 2, 5, 1, 4), {"together": 2, "masked": True}),
    "replayed": (window((4, 4), 2, 3, 1, 1), {"passes": 3, "masked": True}),
    "replayed-short": (window((6, 5), 3, 3, 2), {"passes": 2, "together": 2, "bits": 2}),
    "whole-map": (window((3, 3), 2, 3), {"passes": 4, "together": 2}),
}


@pytest.mark.parametrize("stall", [0, 4], ids=["full-rate", "stalls"])
@pytest.mark.parametrize("case", LINES)
def test_windows(case: str, stall: int) -> None:
    shape, options = LINES[case]
    line_buffer(shape, **options, stall=stall)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    kernel = draw(st.integers(1, 5))
    padding = draw(st.integers(0, kernel - 1))
    size = st.integers(max(1, kernel - 2 * padding), 7)
    return window(
        (draw(size), draw(size)),
        draw(st.integers(1, 6)),
        kernel,
        draw(st.integers(1, kernel)),
        padding,
    )


@settings(max_examples=25)
@given(windows(), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.data())
def test_any_window(shape: Window, bits: int, chunk: int, together: int, data: Any) -> None:
    line_buffer(
        shape,
        bits,
        chunk,
        min(together, shape.channels),
        passes=data.draw(st.integers(1, 3)),
        masked=data.draw(st.booleans()),
        stall=data.draw(st.integers(0, 3)),
        maps=2,
        must_stall=False,
    )


@pytest.mark.parametrize("channels", [2, 3, 5], ids=["one-group", "two-groups", "three-groups"])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 1), (3, 1), (3, 2), (3, 3)])
def test_words_come_at_the_stated_cycles(channels: int, kernel: int, stride: int) -> None:
    shape = window((7, 6), channels, kernel, stride)
    dut = LineBuffer(shape, element_bits=1, chunk=channels, together=2, replays=True)
    word_groups = -(-channels // 2)
    per_map = shape.out_height * shape.out_width * word_groups
    offered: list[int] = []

    async def watch(ctx: Any) -> None:
        ctx.set(dut.passes, 2)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        cycle = 0
        while len(offered) < 2 * per_map:
            if ctx.get(dut.o.valid):
                offered.append(cycle)
            await ctx.tick()
            cycle += 1

    run(dut, watch)
    # Repacking delays the first line by a cycle; an odd number of channels moves one by one.
    pixel = channels // piece_size(channels, 2, channels)
    first_row = kernel * shape.width * pixel
    assert offered[0] == first_row + kernel + 2
    of_position = [kernel] * word_groups
    of_row = of_position * shape.out_width
    if word_groups == 1:
        of_row = [kernel, *[stride] * (shape.out_width - 1)]
    # In the second pass nothing is waited for.
    gaps = [later - before for before, later in pairwise(offered[per_map - 1 :])]
    assert gaps == of_row * shape.out_height
    assert sum(gaps) == window_cycles(shape, 2)


@pytest.mark.parametrize("passes", [1, 3])
def test_lines_are_freed_in_the_last_pass(passes: int) -> None:
    """The buffer takes as many lines ahead as it holds, and no more."""
    shape = window((6, 6), 1, 3)
    dut = LineBuffer(shape, element_bits=1, chunk=1, together=1, replays=passes > 1)
    taken = 0

    async def fill(ctx: Any) -> None:
        nonlocal taken
        if passes > 1:
            ctx.set(dut.passes, passes)
        ctx.set(dut.i.valid, 1)
        for _ in range(200):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            taken += ready
        # And the pixel that waits before the banks.
        assert taken == lines_held(shape, replays=passes > 1) * shape.width + 1

    run(dut, fill)
