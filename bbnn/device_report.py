"""One picture of what devices cost, as a PNG: every figure over the cases, with each correction.

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
"""Of Okabe and Ito's palette, from nothing corrected to all, told apart by all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A figure. ideal : mean and deviation. series : by name, shape (cases, 2), the same."""

    name: str
    ideal: tuple[float, float]
    series: Mapping[str, NDArray[np.floating[Any]]]


def draw(
    path: Path, *, title: str, subtitle: str, cases: Sequence[str], panels: Sequence[Panel]
) -> None:
    """Write the picture to `path`, 1600 pixels wide; raise `InputError` if that is refused.

    Bars are one deviation over chips to both sides; the ideal network is a line in such a band.
    """
    page = Canvas(1600, 1060)
    page.text(48, 86, title, 44, weight="bold")
    page.text(48, 122, subtitle, 18, color=MUTED)
    places = np.arange(len(cases))
    names = list(panels[0].series)
    colours = dict(
        zip(names, COLOURS if len(names) == len(COLOURS) else COLOURS[::3], strict=False)
    )
    for number, panel in enumerate(panels):
        x, y = 48 + 780 * (number % 2), 170 + 430 * (number // 2)
        page.heading(x, y, panel.name, "")
        axes = page.axes(x + 60, y + 50, 640, 310)
        mean, spread = panel.ideal
        axes.axhspan(mean - spread, mean + spread, color=FAINT, alpha=0.5, linewidth=0)
        axes.axhline(mean, color=INK, linewidth=1)
        for shift, name in enumerate(names):
            means, deviations = panel.series[name].T
            beside = places + 0.06 * (shift - (len(names) - 1) / 2)
            axes.errorbar(
                beside,
                means,
                deviations,
                color=colours[name],
                marker="o",
                markersize=5,
                linewidth=1.5,
            )
        axes.set_xticks(places, cases)
        axes.set_xlim(-0.4, len(cases) - 0.6)
    page.text(48, 1032, "ideal", 16, color=INK)
    for number, name in enumerate(names):
        page.text(130 + 230 * number, 1032, f"corrected: {name}", 16, color=colours[name])
    page.save(path)
