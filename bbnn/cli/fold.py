"""`bbnn fold`: choose the lanes of every layer for a part and a rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bbnn.cli import emit
from bbnn.errors import InputError, require, require_int
from bbnn.folding import Fold, fastest, fold, layer_cost
from bbnn.model_file import load, save_network


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--target-fps", "rate", type=float, required=True, help="Images a second.")
@click.option("--members", type=int, help="T [the model's].")
@click.option("--part", default="xc7z020clg400-1", show_default=True, help="FPGA part.")
@click.option("--clock", default=100.0, show_default=True, help="Clock of the core, MHz.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the model folded so.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    rate: float,
    members: int | None,
    part: str,
    clock: float,
    output: Path | None,
    as_json: bool,
) -> None:
    """Choose lanes for MODEL: the fewest LUTs that reach a rate with T members.

    Cycles are exact, LUTs and block RAMs estimated; `bbnn synth` counts them. Exits with 2 where
    no folding reaches the rate, or where the cheapest that does is larger than the part.

    Example: bbnn fold models/fashion-mlp.safetensors --target-fps 20000 -o build/fast.safetensors
    """
    from boards.parts import part_named

    network = load(model)
    chosen = part_named(part)
    require(rate > 0, "--target-fps", "more than 0", rate)
    require(clock > 0, "--clock", "more than 0", clock)
    if members is not None:
        require_int("--members", members, 1, network.max_members)
        network = replace(network, ensemble=replace(network.ensemble, members=members))
    with Console(stderr=True).status("choosing lanes"):
        try:
            found = fold(network, int(1e6 * clock / rate), chosen.lut, chosen.bram36)
        except InputError as error:
            best = fastest(network, chosen.lut, chosen.bram36)
            most = (
                f"{1e6 * clock / best.cycles:,.0f} images a second fit" if best else "nothing fits"
            )
            raise InputError(f"{error}; {most}") from None
    told = describe(found, clock, part)
    if output is not None:
        save_network(found.network, output)
        told["file"] = str(output)
    if as_json:
        emit(told)
    else:
        show(told, Console(highlight=False))


def describe(found: Fold, clock: float, part: str) -> dict[str, Any]:
    """Return what `--json` prints."""
    layers = []
    for layer in found.network.layers:
        cost = layer_cost(layer)
        layers.append(
            {
                "name": layer.name,
                "lanes_in": layer.folding.lanes_in,
                "lanes_out": layer.folding.lanes_out,
                "estimated_lut": cost.lut,
                "estimated_bram36": cost.bram36,
            }
        )
    return {
        "network": found.network.name,
        "part": part,
        "clock_mhz": clock,
        "members": found.network.ensemble.members,
        "cycles_per_image": found.cycles,
        "slowest_stage": found.slowest,
        "images_per_second": round(1e6 * clock / found.cycles, 1),
        "estimated_lut": found.cost.lut,
        "estimated_bram36": found.cost.bram36,
        "layers": layers,
    }


def show(told: dict[str, Any], console: Console) -> None:
    """Print the lanes and what they come to."""
    title = "{network} for {part}, T = {members}".format(**told)
    table = Table("layer", title=title)
    for heading in ("lanes in", "lanes out", "LUT, estimated", "BRAM36, estimated"):
        table.add_column(heading, justify="right")
    for layer in told["layers"]:
        table.add_row(
            layer["name"],
            f"{layer['lanes_in']:,}",
            f"{layer['lanes_out']:,}",
            f"{layer['estimated_lut']:,}",
            f"{layer['estimated_bram36']:g}",
        )
    total = f"{told['estimated_lut']:,}", f"{told['estimated_bram36']:g}"
    table.add_row("total", "", "", *total)
    console.print(table)
    console.print(
        "{images_per_second:,} images a second at {clock_mhz:g} MHz: {cycles_per_image:,} cycles an"
        " image, {slowest_stage}".format(**told)
    )
    if "file" in told:
        console.print(f"file: {told['file']}")
