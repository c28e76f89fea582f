"""`bbnn cycles`: what skipping zero row groups saves, as a distribution over real images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bbnn.cli import emit
from bbnn.cli.evaluate import progress
from bbnn.cli.images import dataset_option, default_sample, images_for
from bbnn.errors import require_int
from bbnn.folding import skipping
from bbnn.model_file import digest, load
from bbnn.schedule import stage_cycles
from golden.network import checked_members
from golden.reads import crossbar_cycles

SHARES = (5, 50, 95)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@dataset_option
@click.option("--images", "count", default=100, show_default=True, help="The first N of the set.")
@click.option("--members", type=int, help="T [the model's].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path, dataset: str | None, count: int, members: int | None, as_json: bool
) -> None:
    """Count the crossbar cycles of MODEL on real images if no layer reads rows that drive nothing.

    For each layer that can skip (`folding.skip_zeros`): cycles of a member's pass, without skipping
    and with it, by images and members. Logits are the same. They are the network's own cycles
    where that crossbar is its slowest stage. --json has the cycle model's `stages` of one image,
    too.

    Example: bbnn cycles models/mnist-levels.safetensors --images 20
    """
    plain = load(model)
    network = skipping(plain)
    dataset = dataset or default_sample(network)
    images, _ = images_for(network, dataset)
    require_int("--images", count, 1, len(images))
    members = checked_members(network, members)
    with progress(f"{network.name} on {dataset}", count * members) as advance:
        found = crossbar_cycles(network, images[:count], members, advance)
    stages = stage_cycles(plain, 1)
    without = {layer.name: stages[f"{layer.name} crossbar"] for layer in plain.layers}
    rows = []
    for index, layer in enumerate(network.layers):
        # Layers that run once an image have their cycles in member 0.
        once = index < network.first_ensembling
        cycles = found[:, :1, index] if once else found[..., index]
        rows.append(_row(layer.name, layer.folding.skip_zeros, without[layer.name], cycles))
    told = {
        "model": network.name,
        "digest": digest(plain),
        "dataset": dataset,
        "images": count,
        "members": members,
        "stages": stage_cycles(plain, members),
        "layers": rows,
    }
    if as_json:
        emit(told)
    else:
        _show(told)


def _row(name: str, skips: bool, plain: int, cycles: Any) -> dict[str, Any]:
    return {
        "name": name,
        "skips": skips,
        "without": plain,
        "mean": float(cycles.mean()),
        "percentiles": {str(q): float(np.percentile(cycles, q)) for q in SHARES},
    }


def _show(told: dict[str, Any]) -> None:
    title = "{model}: cycles a pass, {images} images of {dataset}, {members} members".format(**told)
    table = Table(title=title, box=None, pad_edge=False, header_style="bold")
    table.add_column("crossbar")
    for heading in ("without", "mean", *(f"{q} %" for q in SHARES), "saved"):
        table.add_column(heading, justify="right")
    for row in told["layers"]:
        values = (row["without"], row["mean"], *row["percentiles"].values())
        saved = f"{1 - row['mean'] / row['without']:.1%}" if row["skips"] else "cannot"
        table.add_row(row["name"], *(f"{value:,.0f}" for value in values), saved)
    Console().print(table)
