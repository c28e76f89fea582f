"""The page's diagrams: each takes a part of a command's JSON, as the command prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, log10, sqrt
from typing import Any

from bbnn.page.names import amount, named, plain
from bbnn.page.svg import Plot

Told = Mapping[str, Any]
WIDTH = 400


def reliability(told: Told) -> str:
    """Return accuracy over confidence; a disc's area is the share of images in its bin."""
    plot = Plot(
        "Reliability diagram: accuracy over confidence", WIDTH, 400, (0, 1), (0, 1), (8, 8, 44, 48)
    )
    plot.ticks_left([(0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1, "100 %")])
    plot.ticks_below([(0, "0"), (0.5, "50 %"), (1, "100 %")], "confidence")
    plot.line([(0, 0), (1, 1)], "diagonal")
    bins = told["reliability"]
    found = [
        (share, accuracy, confidence)
        for share, accuracy, confidence in zip(
            bins["share"], bins["accuracy"], bins["confidence"], strict=True
        )
        if accuracy is not None
    ]
    for _, accuracy, confidence in found:
        plot.line([(confidence, confidence), (confidence, accuracy)], "gap")
    for share, accuracy, confidence in found:
        plot.dot(confidence, accuracy, 2.5 + 20 * sqrt(share), "disc")
    return plot.svg()


def entropies(told: Told) -> str:
    """Return a histogram of entropy for each group, one above the other, each to its own height."""
    counted = told["entropies"]
    edges = counted["edges"]
    groups = [(name, "ink", counted[name]) for name in ("right", "wrong")]
    groups += [(named(name), "accent", counts) for name, counts in counted["ood"].items()]
    step, top = 84, 8
    height = top + step * len(groups) + 44
    plot = Plot(
        "Histograms of entropy", WIDTH, height, (0, edges[-1]), (0, len(groups)), (top, 8, 44, 96)
    )
    for row, (name, style, counts) in enumerate(groups):
        base, most = len(groups) - 1 - row, max(*counts, 1)
        corners = [(0.0, float(base))]
        for (low, high), count in zip(pairwise(edges), counts, strict=True):
            corners += [(edge, base + 0.86 * count / most) for edge in (low, high)]
        plot.area([*corners, (edges[-1], base)], f"fill-{style}")
        plot.line([(0, base), (edges[-1], base)], "axis")
        plot.text(0, plot.y(base) - 22, name, f"label {style}")
        plot.text(0, plot.y(base) - 5, f"{sum(counts):,}", "tick")
    ends = [(0, "0, sure"), (edges[-1], f"{edges[-1]:.2f}, no idea")]
    plot.ticks_below(ends, "entropy in nats")
    return plot.svg()


def curves(
    title: str, members: Sequence[int], lines: Sequence[tuple[str, str, Sequence[Told]]]
) -> str:
    """Return lines over the number of members, each in a band of its deviation.

    lines : name, colour, and mean and deviation (or None) at each number of members.
    """
    spans = [
        (each["mean"], each["deviation"] or 0.0) for _, _, points in lines for each in points[1:]
    ] or [(lines[0][2][0]["mean"], 0.0)]
    low, high = min(m - d for m, d in spans), max(m + d for m, d in spans)
    room = 0.15 * (high - low) or 0.01
    y = low - room, high + room
    most = max(members[-1], 2)
    plot = Plot(title, WIDTH, 320, (1, most), y, (8, 92, 44, 48))
    plot.ticks_left([(tick, f"{tick:g}") for tick in round_ticks(*y)])
    halves = sorted({1, most // 4, most // 2, most} - {0})
    plot.ticks_below([(t, f"{t}") for t in halves], "members T")
    for _, style, points in lines:
        # A single member may be far above; its line leaves the picture there.
        inside = [
            (t, each)
            for t, each in zip(members, points, strict=True)
            if each["mean"] + (each["deviation"] or 0) <= y[1]
        ]
        upper = [(t, each["mean"] + (each["deviation"] or 0)) for t, each in inside]
        lower = [(t, each["mean"] - (each["deviation"] or 0)) for t, each in inside]
        plot.area([*upper, *reversed(lower)], f"band-{style}")
        plot.line([(t, each["mean"]) for t, each in inside], f"stroke-{style}")
    ends = sorted((plot.y(points[-1]["mean"]), name, style) for name, style, points in lines)
    free = 0.0
    for y_end, name, style in ends:
        free = max(y_end + 4, free + 15)
        plot.text(plot.x(most) + 8, free, name, f"label {style}")
    return plot.svg()


def bars(
    title: str,
    rows: Sequence[tuple[str, str, float]],
    *,
    most: float,
    loud: str | None = None,
    limit: bool = False,
) -> str:
    """Return lying bars with their name above to the left, and a text to the right.

    rows : name, text, value in 0..`most`. loud : the row in the accent. limit : whether to show
    what remains up to `most`.
    """
    step = 34
    plot = Plot(title, WIDTH, step * len(rows) + 4, (0, most), (0, 1), (0, 0, 0, 0))
    for row, (name, text, value) in enumerate(rows):
        top = step * row
        style = "accent" if name == loud else "ink"
        plot.text(0, top + 14, name, f"label {style}")
        plot.text(WIDTH, top + 14, text, "tick", "end")
        if limit:
            plot.bar((0, most), top + 20, 6, "fill-faint")
        plot.bar((0, value), top + 20, 6, f"fill-{style}")
    return plot.svg()


def passes(title: str, rows: Sequence[Told]) -> str:
    """Return cycles of a pass with zeros skipped, before the bar of those without.

    rows : of the layers of `bbnn cycles`. A line spans the middle 90 % of the images and members.
    """
    most = max(row["without"] for row in rows)
    step = 34
    plot = Plot(title, WIDTH, step * len(rows) + 4, (0, most), (0, 1), (0, 0, 0, 0))
    for number, row in enumerate(rows):
        top, spread = step * number, row["percentiles"]
        told = f"{row['mean']:,.0f} of {row['without']:,}" if row["skips"] else "cannot skip"
        plot.text(0, top + 14, plain(row["name"]), "label ink")
        plot.text(WIDTH, top + 14, told, "tick", "end")
        plot.bar((0, row["without"]), top + 20, 6, "fill-faint")
        plot.bar((0, row["mean"]), top + 20, 6, "fill-ink")
        if row["skips"]:
            plot.bar((spread["5"], spread["95"]), top + 28, 1.5, "fill-accent")
    return plot.svg()


def ranges(title: str, rows: Mapping[str, Told], loud: str | None = None) -> str:
    """Return a dot at each typical figure on a line from low to high, on a logarithmic scale.

    rows : records of unit, low, typical and high, by name; all above 0 but for low. loud : the row
    in the accent.
    """
    least = min(row["low"] or row["typical"] for row in rows.values())
    x = log10(least) - 0.05, log10(max(row["high"] for row in rows.values())) + 0.05
    step = 34
    plot = Plot(title, WIDTH, step * len(rows) + 20, x, (0, 1), (0, 4, 16, 4))
    for number, (name, row) in enumerate(rows.items()):
        top, style = step * number, "accent" if name == loud else "ink"
        plot.text(0, top + 14, name, f"label {style}")
        plot.text(WIDTH, top + 14, " ".join(amount(row["typical"], row["unit"])), "tick", "end")
        plot.bar(x, top + 23, 0.75, "fill-faint")
        plot.bar(
            (log10(row["low"] or least), log10(row["high"])), top + 22.5, 1.75, f"fill-{style}"
        )
        plot.spot(log10(row["typical"]), top + 23.4, 4, f"fill-{style}")
    unit = next(iter(rows.values()))["unit"]
    decades = [k for k in range(ceil(x[0]), floor(x[1]) + 1)]
    # As many labels as there is room for.
    for k in decades[:: ceil(len(decades) / 5)]:
        plot.text(
            plot.x(k), step * len(rows) + 14, " ".join(amount(10.0**k, unit)), "tick", "middle"
        )
    return plot.svg()


def round_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Return round values between two, evenly apart."""
    rough = (high - low) / about
    unit = 10.0 ** floor(log10(rough))
    step = unit * min((m for m in (1, 2, 5, 10) if m * unit >= rough), default=10)
    return [round(step * k, 12) for k in range(ceil(low / step), floor(high / step) + 1)]
