"""The outcome of `bbnn device`: its rows, its table and its picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from golden.devices.cases import IDEAL
from golden.studies.figures import METRICS


def row(
    case: str, compensated: bool, correction: str, figures: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """Return the row of one case: of each metric the mean, the spread and every chip's value."""
    values = {name: [of[name] for of in figures] for name in METRICS}
    return {
        "case": case,
        "drift_compensation": compensated,
        "logit_correction": correction,
        **{
            name: {
                "mean": float(np.mean(each)),
                "deviation": float(np.std(each, ddof=1)) if len(each) > 1 else None,
                "chips": each,
            }
            for name, each in values.items()
        },
    }


def corrected_by(each: dict[str, Any]) -> str:
    """Return what has been corrected in a row, in words."""
    parts = ["drift"] * each["drift_compensation"] + ["logits"] * (
        each["logit_correction"] != "off"
    )
    return " and ".join(parts) or "nothing"


def show(told: dict[str, Any]) -> None:
    """Print the table: for every case and correction the mean and the deviation over chips."""
    console = Console(highlight=False)
    console.print(
        f"[bold]{told['model']}[/] on {told['images']:,} images of {told['dataset']}, "
        f"{told['members']} members, {len(told['chips'])} chips of {told['device'].upper()}; "
        f"{told['calibration']} images calibrate; AUROC by entropy against {told['ood']}\n"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("case")
    table.add_column("corrected")
    for heading in METRICS.values():
        table.add_column(heading, justify="right")
    last = IDEAL
    for each in told["rows"]:
        if each["case"] != last:
            table.add_section()
        what = "" if each["case"] == IDEAL else corrected_by(each)
        name = "" if each["case"] == last != IDEAL else each["case"]
        table.add_row(name, what, *(cell(each[metric]) for metric in METRICS))
        last = each["case"]
    console.print(table)


def cell(figure: dict[str, Any]) -> str:
    """Return a mean with its deviation."""
    deviation = figure["deviation"]
    return f"{figure['mean']:.4f}" + ("" if deviation is None else f" ±{deviation:.4f}")


def draw(path: Path, told: dict[str, Any]) -> None:
    """Write the picture of the rows."""
    # Here, because it takes a second to import.
    from bbnn import panels

    ideal, *rest = told["rows"]
    cases = list(dict.fromkeys(each["case"] for each in rest))
    names = list(dict.fromkeys(map(corrected_by, rest)))

    def figures(row: dict[str, Any], metric: str) -> tuple[float, float]:
        return row[metric]["mean"], row[metric]["deviation"] or 0.0

    panels.draw(
        path,
        title=told["model"].replace("_", " "),
        subtitle=(
            f"{len(told['chips'])} chips of {told['device'].upper()}, {told['images']:,} images of "
            f"{told['dataset']}, {told['members']} members, {told['calibration']} images calibrate"
        ),
        cases=cases,
        legend="corrected: ",
        panels=[
            panels.Panel(
                name=heading,
                ideal=figures(ideal, metric),
                series={
                    name: np.array(
                        [figures(each, metric) for each in rest if corrected_by(each) == name]
                    )
                    for name in names
                },
            )
            for metric, heading in METRICS.items()
        ],
    )
