"""One picture of what something is made of, as a PNG: stacked bars, a row for each alternative.

Plain arrays in, so that whoever computed them does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbnn.canvas import FAINT, INK, MUTED, Canvas

COLOURS = (
    *("#0072b2", "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#f0e442"),
    *("#7b5aa6", "#8c564b", "#999999", "#4d4d4d", "#b2df8a", "#c9a66b"),
    *("#a6cee3", "#fb9a99", "#35618f", "#6b8e23", "#d4b9da", "#1b7837"),
)
"""Okabe and Ito's palette, and more for parts that are small."""
ROW = 46


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A quantity. rows : names of the alternatives. parts : name -> its share in each, (rows,).

    ranges : low and high of the totals, shape (rows, 2).
    """

    title: str
    unit: str
    rows: Sequence[str]
    parts: Mapping[str, NDArray[np.floating[Any]]]
    ranges: NDArray[np.floating[Any]]


def draw(path: Path, *, title: str, subtitle: str, panels: Sequence[Panel]) -> None:
    """Write the picture to `path`, 1600 pixels wide; raise `InputError` if that is refused."""
    names = list(panels[0].parts)
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    heights = [ROW * len(panel.rows) + 130 for panel in panels]
    page = Canvas(1600, 190 + sum(heights) + 40)
    page.text(48, 86, title, 44, weight="bold")
    page.text(48, 122, subtitle, 18, color=MUTED)
    top = 170.0
    for panel, height in zip(panels, heights, strict=True):
        page.heading(48, top, f"{panel.title}, {panel.unit}", "")
        axes = page.axes(180, top + 44, 1090, ROW * len(panel.rows))
        places = np.arange(len(panel.rows))
        left = np.zeros(len(panel.rows))
        for name, values in panel.parts.items():
            axes.barh(places, values, 0.66, left=left, color=colours[name], linewidth=0)
            left = left + values
        low, high = panel.ranges.T
        reach = 1.15 * float(min(high.max(), 2.5 * left.max()))
        axes.hlines(places + 0.42, low, np.minimum(high, reach), color=INK, linewidth=1.2)
        for place, total in enumerate(left):
            axes.text(total + reach / 120, place, f"{total:.3g}", color=INK, va="center", size=10)
        axes.set_yticks(places, panel.rows)
        axes.set(xlim=(0, reach), ylim=(len(panel.rows) - 0.4, -0.6))
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        top += height
    page.text(1320, 194, "Parts", 24, weight="bold")
    present = [name for name in names if any(panel.parts[name].any() for panel in panels)]
    for place, name in enumerate(present):
        y = 236 + 30 * place
        page.text(1320, y, "\u25a0", 22, color=colours[name])
        page.text(1350, y, name, 16, color=INK)
    page.save(path)
