"""One picture of what a network knows and of what it doubts, as a PNG.

Plain arrays in, so that whoever computed them does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from bbnn.canvas import FAINT, INK, MUTED, PAPER, Canvas, points
from bbnn.examples import least_sure, spread, surest

Floats = NDArray[np.floating[Any]]

RIGHT, WRONG, UNKNOWN = "#0072b2", "#d55e00", "#7b5aa6"
"""Blue and vermilion of Okabe and Ito's palette, told apart by all; violet has its own row."""
GREYS = LinearSegmentedColormap.from_list("ink on paper", [PAPER, INK])
CARDS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Images and what the ensemble says of them.

    images : uint8, shape (N, height, width, channels). member_q : every member's probabilities,
    shape (N, T, classes). q : the ensemble's, (N, classes). entropy : of q in nats, (N,).
    """

    images: NDArray[np.uint8]
    member_q: Floats
    q: Floats
    entropy: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Reliability diagram in equal bins of confidence, each array of shape (bins,).

    share : of all images. accuracy, confidence : means, NaN in an empty bin. ece : their mean gap.
    """

    share: Floats
    accuracy: Floats
    confidence: Floats
    ece: float


def draw(
    path: Path,
    *,
    title: str,
    subtitle: str,
    headline: Sequence[tuple[str, str]],
    classes: Sequence[str],
    test: Sample,
    labels: NDArray[np.integer[Any]],
    ood: Sample,
    ood_name: str,
    calibration: Calibration,
) -> None:
    """Write the report to `path`, 1600 pixels wide; raise `InputError` if that is refused.

    headline : up to four (number, what it is) to print large. labels : integers (N,) of `test`.
    """
    page = Canvas(1600, 1200)
    page.text(48, 86, title, 44, weight="bold")
    page.text(48, 122, subtitle, 18, color=MUTED)
    for place, (number, meaning) in enumerate(reversed(headline)):
        page.text(1552 - 150 * place, 86, number, 38, ha="right")
        page.text(1552 - 150 * place, 122, meaning, 18, color=MUTED, ha="right")
    rows = (
        (
            "Surest",
            "one image each\nof the classes\nit knows best",
            test,
            surest(test.q, test.entropy, CARDS),
        ),
        (
            "Least sure",
            "the test images\nof highest\nentropy",
            test,
            least_sure(test.entropy, CARDS),
        ),
        (
            "Never seen",
            f"{ood_name}: from\nthe surest to\nthe least sure",
            ood,
            spread(ood.entropy, CARDS),
        ),
    )
    for row, (name, note, sample, chosen) in enumerate(rows):
        top = 176 + 326 * row
        page.heading(48, top, name, note)
        for column, index in enumerate(chosen):
            truth = int(labels[index]) if sample is test else None
            bars = _card(page, 218 + 182 * column, top, sample, index, classes, truth)
            bars.set_yticks(range(len(classes)), classes if column == 0 else [""] * len(classes))
    members = test.member_q.shape[1]
    legend = f"Bars: the mean of {members} members. Lines: the middle 90 % of them."
    page.text(218, 1164, legend, 15, color=MUTED)
    right = test.q.argmax(axis=1) == labels
    groups = (
        ("right", RIGHT, test.entropy[right]),
        ("wrong", WRONG, test.entropy[~right]),
        (ood_name, UNKNOWN, ood.entropy),
    )
    _calibration(page, 1192, 176, calibration)
    _doubt(page, 1192, 702, groups, float(np.log(len(classes))))
    page.save(path)


def _card(
    page: Canvas,
    x: float,
    y: float,
    sample: Sample,
    index: int,
    classes: Sequence[str],
    truth: int | None,
) -> Axes:
    """Draw an image, what it is taken for, and its distribution; return the latter's axes."""
    picture = page.axes(x, y, 112, 112)
    picture.imshow(sample.images[index].squeeze(), cmap=GREYS, vmin=0, vmax=255)
    picture.axis("off")
    mean = sample.q[index]
    best = int(mean.argmax())
    color = UNKNOWN if truth is None else RIGHT if best == truth else WRONG
    page.text(x, y + 138, f"{classes[best]} {100 * mean[best]:.0f} %", 16, color=color)
    axes = page.axes(x, y + 148, 150, 138)
    rows = np.arange(len(classes))
    colors = [color if k == best else RIGHT if k == truth else FAINT for k in rows]
    low, high = np.quantile(sample.member_q[index], (0.05, 0.95), axis=0)
    axes.barh(rows, mean, height=0.7, color=colors)
    axes.hlines(rows, low, high, color=INK, linewidth=1)
    if truth is not None and best != truth:
        axes.text(1, truth, "true", color=RIGHT, size=points(14), ha="right", va="center")
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6), xticks=[])
    axes.tick_params(labelsize=points(13))
    axes.spines["bottom"].set_visible(False)
    return axes


def _calibration(page: Canvas, x: float, y: float, calibration: Calibration) -> None:
    """Draw accuracy over confidence; a dot's area is the share of images in its bin."""
    page.heading(x, y, "Calibration", f"accuracy by confidence, ECE {calibration.ece:.3f}")
    axes = page.axes(x + 56, y + 88, 304, 304)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1.5, zorder=0)
    area = 20 + 900 * calibration.share
    axes.scatter(
        calibration.confidence, calibration.accuracy, area, RIGHT, linewidth=0, clip_on=False
    )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    _ticks_below(axes, [0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.set_yticks([0.5, 1], ["50 %", "100 %"])


def _doubt(
    page: Canvas, x: float, y: float, groups: Sequence[tuple[str, str, Floats]], limit: float
) -> None:
    """Draw a histogram of entropy for each (name, colour, entropies), each to its own height."""
    page.heading(x, y, "Doubt", "entropy of the prediction in nats")
    for row, (name, color, values) in enumerate(groups):
        top = y + 90 + 104 * row
        page.text(x, top + 52, name, 16, color=color)
        mean = f"mean {values.mean():.2f}" if len(values) else "none"
        page.text(x, top + 76, mean, 16, color=color)
        axes = page.axes(x + 120, top, 240, 84)
        axes.hist(values, list(np.linspace(0, limit, 47)), color=color)
        axes.spines["left"].set_visible(False)
        axes.set(xlim=(0, limit), yticks=[])
        ends = ["0", f"{limit / 2:.2f}", f"{limit:.2f}"] if row == len(groups) - 1 else [""] * 3
        _ticks_below(axes, [0, limit / 2, limit], ends)


def _ticks_below(axes: Axes, places: list[float], names: list[str]) -> None:
    """Set the ticks of the lower edge, the last label ending where the axes end."""
    axes.set_xticks(places, names)
    axes.get_xticklabels()[-1].set_horizontalalignment("right")
