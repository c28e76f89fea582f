"""One picture of figures over cases, as a PNG: a panel for each figure, a line for each choice.

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

COLOURS = ("#d55e00", "#e69f00", "#56b4e9", "#0072b2")
"""Of Okabe and Ito's palette, from one end to the other, told apart by all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A figure. series : by name, shape (cases, 2), mean and deviation; NaN where there is none.

    ideal : the same of what the cases are held against, if there is one.
    """

    name: str
    series: Mapping[str, NDArray[np.floating[Any]]]
    ideal: tuple[float, float] | None = None


def draw(
    path: Path,
    *,
    title: str,
    subtitle: str,
    cases: Sequence[str],
    panels: Sequence[Panel],
    legend: str,
) -> None:
    """Write the picture to `path`, 1600 pixels wide; raise `InputError` if that is refused.

    Bars are one deviation to both sides; the ideal is a line in such a band. cases : their names,
    which may be empty. panels : with up to four series of the same names. legend : stands before
    these.
    """
    height = 200 + 430 * -(-len(panels) // 2)
    page = Canvas(1600, height)
    page.text(48, 86, title, 44, weight="bold")
    page.text(48, 122, subtitle, 18, color=MUTED)
    places = np.arange(len(cases))
    names = list(panels[0].series)
    ends = len(names) <= 2
    colours = dict(zip(names, COLOURS[::3] if ends else COLOURS, strict=False))
    for number, panel in enumerate(panels):
        x, y = 48 + 780 * (number % 2), 170 + 430 * (number // 2)
        page.heading(x, y, panel.name, "")
        axes = page.axes(x + 60, y + 50, 640, 310)
        if panel.ideal is not None:
            mean, spread = panel.ideal
            axes.axhspan(mean - spread, mean + spread, color=FAINT, alpha=0.5, linewidth=0)
            axes.axhline(mean, color=INK, linewidth=1)
        for shift, name in enumerate(names):
            means, deviations = panel.series[name].T
            there = ~np.isnan(means)
            beside = places + 0.06 * (shift - (len(names) - 1) / 2)
            axes.errorbar(
                beside[there],
                means[there],
                deviations[there],
                color=colours[name],
                marker="o",
                markersize=5,
                linewidth=1.5,
            )
        axes.set_xticks(places, cases)
        axes.set_xlim(-0.4, len(cases) - 0.6)
    if panels[0].ideal is not None:
        page.text(48, height - 28, "ideal", 16, color=INK)
    for number, name in enumerate(names):
        page.text(130 + 230 * number, height - 28, f"{legend}{name}", 16, color=colours[name])
    page.save(path)
