"""`bbnn study members`: how many members stratification saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bbnn.cli import device_table, emit, study_options
from bbnn.errors import require_int
from bbnn.model_file import digest, load
from golden.network import checked_members
from golden.studies.figures import spread
from golden.studies.members import KINDS, MembersStudy, Point, drawn, needed

SHOWN = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32)
"""The T that the table has."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--most", default=32, show_default=True, help="The largest T.")
@click.option("--reference", default=10, show_default=True, help="T whose NLL is to be reached.")
@study_options.options(seeds=8)
def command(
    model: Path,
    most: int,
    reference: int,
    seeds: int,
    seed: int,
    dataset: str | None,
    count: int | None,
    results: Path | None,
    scheduler: str | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Measure how many members stratification saves MODEL at equal NLL, over seeds.

    NLL and accuracy against T of independent members and of stratified ones, and the first T at
    which the latter reach the NLL of --reference independent members.

    Example: bbnn study members models/fashion-mlp.safetensors --images 300
    """
    numbers = study_options.numbers(seed, seeds)
    require_int("--most", most, 1, 1000)
    require_int("--reference", reference, 1, most)
    study_options.require_picture(picture)
    network = load(model)
    study_options.require_sampled(network)
    checked_members(network, most)
    for kind in KINDS:
        drawn(network, kind)
    named, sets = study_options.sets_of(network, dataset, None, count)
    del named["ood"]
    study = MembersStudy(network=network, sets=sets, most=most)
    points = [Point(drawn=kind, seed=number) for kind in KINDS for number in numbers]
    settings = {**named, "most": most}
    measured = study_options.measure(network, study, points, settings, results, scheduler)
    told: dict[str, Any] = {
        "model": network.name,
        "digest": digest(network),
        **named,
        "seeds": numbers,
        "reference": reference,
        "members": list(range(1, most + 1)),
        **{
            kind: curves([measured[Point(drawn=kind, seed=number)] for number in numbers])
            for kind in KINDS
        },
    }
    told |= saving(told, reference)
    if picture is not None:
        draw(picture, told)
    if as_json:
        emit(told)
    else:
        show(told)


def curves(results: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return accuracy and NLL at each T, with their spread over seeds."""
    return {
        metric: [spread(values) for values in zip(*(of[metric] for of in results), strict=True)]
        for metric in ("accuracy", "nll")
    }


def saving(told: Mapping[str, Any], reference: int) -> dict[str, Any]:
    """Return the NLL to be reached, the T that stratified members need for it, and the saving.

    needed : of the mean over seeds. saving : the share of members that need not run. Both are None
    if the NLL is not reached. needed_by_seed : of each seed's own members.
    """
    target = told["independent"]["nll"][reference - 1]["mean"]
    stratified = told["stratified"]["nll"]
    mean = needed([each["mean"] for each in stratified], target)
    return {
        "nll": target,
        "needed": mean,
        "needed_by_seed": [
            needed(values, target)
            for values in zip(*(each["seeds"] for each in stratified), strict=True)
        ],
        "saving": None if mean is None else 1 - mean / reference,
    }


def show(told: dict[str, Any]) -> None:
    """Print the curves at some T, and the saving."""
    console = Console(highlight=False)
    console.print(
        f"[bold]{told['model']}[/] on {told['images']:,} images of {told['dataset']}, "
        f"{len(told['seeds'])} seeds\n"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("T", "NLL independent", "NLL stratified", "accuracy indep.", "accuracy strat."):
        table.add_column(heading, justify="right")
    for count in SHOWN:
        if count in told["members"]:
            cells = (
                device_table.cell(told[kind][metric][count - 1])
                for metric in ("nll", "accuracy")
                for kind in KINDS
            )
            table.add_row(str(count), *cells)
    console.print(table)
    goal = f"\nThe NLL of {told['reference']} independent members, {told['nll']:.4f}, "
    if told["needed"] is None:
        console.print(f"{goal}is not reached by {told['members'][-1]} stratified ones.")
        return
    console.print(f"{goal}takes {told['needed']:.1f} stratified ones: {told['saving']:.0%} saved.")
    each = [f"> {told['members'][-1]}" if t is None else f"{t:.1f}" for t in told["needed_by_seed"]]
    console.print(f"By seed: {', '.join(each)}.")


def draw(path: Path, told: dict[str, Any]) -> None:
    """Write the picture: NLL and accuracy over T, a line for each kind of members."""
    # Here, because it takes a second to import.
    from bbnn import panels

    def curve(kind: str, metric: str) -> np.ndarray[Any, Any]:
        points = told[kind][metric]
        return np.array([(each["mean"], each["deviation"] or 0.0) for each in points])

    panels.draw(
        path,
        title=told["model"].replace("_", " "),
        subtitle=(
            f"quality over the number of members T, {len(told['seeds'])} seeds, "
            f"{told['images']:,} images of {told['dataset']}"
        ),
        cases=[str(count) if count in SHOWN else "" for count in told["members"]],
        legend="",
        panels=[
            panels.Panel(name=heading, series={kind: curve(kind, metric) for kind in KINDS})
            for metric, heading in (("nll", "NLL"), ("accuracy", "accuracy"))
        ],
    )
