"""`bbnn study early-exit`: what it saves to end an image's members early, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bbnn import data
from bbnn.cli import emit, study_options
from bbnn.cli.evaluate import progress
from bbnn.cli.images import labelled_sample, require_shape
from bbnn.errors import require_int
from bbnn.model_file import load
from golden.network import checked_members, logits
from golden.studies.early_exit import curves, margins


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--members", type=int, help="T, the most that run [the model's].")
@click.option("--dataset", help=f"{', '.join(data.NAMES)} [the network's own, a sample].")
@click.option("--images", "count", type=int, help="Take the first so many [all].")
@click.option("--report", "picture", type=click.Path(path_type=Path), help="Draw into this PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    members: int | None,
    dataset: str | None,
    count: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Measure what early exit saves MODEL: quality against the mean number of members.

    By vote, an image ends when its winner is certain; by margin, when the sums of logits part by
    so much. Beside them, as many members for every image. MODEL need not have the hardware.

    Example: bbnn study early-exit models/fashion-mlp.safetensors --images 300
    """
    study_options.require_picture(picture)
    network = load(model)
    members = require_int("--members", checked_members(network, members), 2, network.max_members)
    dataset = dataset or labelled_sample(network)
    images, labels = data.load(dataset)
    require_shape(network, dataset, images)
    count = len(images) if count is None else require_int("--images", count, 1, len(images))
    with progress(network.name, count * members) as advance:
        drawn = logits(network, images[:count], members, advance)
    bits = network.output.fraction_bits
    told: dict[str, Any] = {
        "model": network.name,
        "dataset": dataset,
        "images": count,
        "members": members,
        "fraction_bits": bits,
        **curves(drawn, bits, labels[:count].astype(np.int64), margins(drawn)),
    }
    if picture is not None:
        draw(picture, told)
    if as_json:
        emit(told)
    else:
        show(told)


def show(told: Mapping[str, Any]) -> None:
    """Print a row for each rule."""
    console = Console(highlight=False)
    console.print(
        "[bold]{model}[/] on {images:,} images of {dataset}, T at most {members}\n".format(**told)
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rule")
    for heading in ("mean T", "median", "90 %", "exits", "accuracy", "NLL", "votes' accuracy"):
        table.add_column(heading, justify="right")
    for name, row in rows(told):
        table.add_row(
            name,
            f"{row['mean_members']:.2f}",
            f"{row['median_members']:g}",
            f"{row['members_90']:g}",
            f"{row['exits']:.0%}",
            *(f"{row[key]:.4f}" for key in ("accuracy", "nll", "vote_accuracy")),
        )
    console.print(table)


def rows(told: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the rows of the table, by name; margins in logits."""
    unit = 2.0 ** told["fraction_bits"]
    return [
        *((f"T = {number}", row) for number, row in enumerate(told["fixed"], start=1)),
        ("vote", told["vote"]),
        *((f"margin {row['margin'] / unit:.3g}", row) for row in told["margin"]),
    ]


def draw(path: Path, told: Mapping[str, Any]) -> None:
    """Write the picture: NLL and accuracy over the mean T, a line for each rule."""
    # Here, because it takes a second to import.
    from bbnn import panels

    fixed, margin, vote = told["fixed"], told["margin"], [told["vote"]]
    places = sorted({each["mean_members"] for each in (*margin, *vote)})

    def curve(points: Sequence[Mapping[str, Any]], key: str) -> np.ndarray[Any, Any]:
        """Between points, the straight line; outside, nothing."""
        ordered = sorted(points, key=lambda each: float(each["mean_members"]))
        x, y = ([each[name] for each in ordered] for name in ("mean_members", key))
        values = np.interp(places, x, y, left=np.nan, right=np.nan)
        return np.column_stack([values, np.zeros(len(places))])

    panels.draw(
        path,
        title=told["model"].replace("_", " "),
        subtitle=(
            f"quality over the mean number of members, T at most {told['members']}, "
            f"{told['images']:,} images of {told['dataset']}"
        ),
        cases=[f"{place:.1f}" for place in places],
        legend="",
        panels=[
            panels.Panel(
                name=heading,
                series={
                    "fixed T": curve(fixed, key),
                    "margin": curve(margin, key),
                    "vote": curve(vote, key),
                },
            )
            for key, heading in (("nll", "NLL"), ("accuracy", "accuracy"))
        ],
    )
