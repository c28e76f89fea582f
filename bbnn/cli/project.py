"""`bbnn project`: what a network would cost in silicon, from cited constants."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bbnn.cli import emit
from bbnn.errors import require, require_int
from bbnn.model_file import digest, load
from bbnn.projection import (
    TECHNOLOGIES,
    Mode,
    Prices,
    Projection,
    Technology,
    baselines_of,
    project,
    ranged,
    told,
)

if TYPE_CHECKING:
    from bbnn.projection.constants import Floats

PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--technology",
    default="pcm",
    show_default=True,
    type=click.Choice(TECHNOLOGIES),
    help="What holds the weights.",
)
@click.option("--node", default="28nm", show_default=True, help="Of transistors, 7nm to 90nm.")
@click.option("--pipelined", is_flag=True, help="T copies of what members do not share.")
@click.option("--apart", is_flag=True, help="Rows without chance apart; their first sum is reused.")
@click.option("--members", type=int, help="T [the model's].")
@click.option("--report", "picture", type=click.Path(path_type=Path), help="Draw into this PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    technology: Technology,
    node: str,
    pipelined: bool,
    apart: bool,
    members: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Project area, energy, time and efficiency of MODEL, by part, beside its baselines.

    Nothing is measured: counts from the model and its cycle model, times constants from the
    literature (docs/projection.md). Every figure has the range that these leave.

    Example: bbnn project models/fashion-mlp.safetensors --technology pcm --node 28nm
    """
    size = nanometres(node)
    if picture is not None:
        require(picture.parent.is_dir(), "--report", "a file in an existing folder", str(picture))
    network = load(model)
    most = network.max_members
    members = (
        network.ensemble.members if members is None else require_int("--members", members, 1, most)
    )
    prices = Prices(size)
    mode = Mode(pipelined=pipelined, apart=apart)
    own = project(network, technology, prices, mode, members)
    others = baselines_of(network, technology, prices, mode, members)
    if picture is not None:
        draw(picture, own, others, size)
    if as_json:
        emit(
            {
                "digest": digest(network),
                **told(own, size),
                "baselines": {k: told(v, size) for k, v in others.items()},
            }
        )
    else:
        show(own, others, size, Console(highlight=False))


def nanometres(text: str) -> float:
    """Return the number of a node such as 28nm; raise `InputError` on anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:nm)?", text)
    require(match is not None, "--node", "a node such as 28nm", text)
    assert match is not None
    return float(match[1])


def show(own: Projection, others: dict[str, Projection], node: float, console: Console) -> None:
    """Print the parts, the totals and the baselines."""
    layout = "pipelined" if own.mode.pipelined else "one copy"
    console.print(
        f"[bold]{own.network.name}[/], {own.members} members, {own.technology} at {node:g} nm,"
        f" {layout}: all figures projected, typical (5 % to 95 % of the draws)\n"
    )
    parts = _table("part", "area in mm2", "energy an inference", "share")
    energy = own.energy[0]
    chip = own.technology != "fpga"
    for name, each in own.energies.items():
        area = _range(own.areas[name]) if chip and name in own.areas else "-"
        parts.add_row(name, area, _range(each, "J"), f"{each[0] / energy:.1%}")
    parts.add_section()
    total = _range(own.area) if chip else "-"
    parts.add_row("total", total, _range(own.energy, "J"), "")
    console.print(parts)
    console.print()
    figures = _table("", "projected")
    figures.add_row("energy a member", _range(own.energy / own.members, "J"))
    figures.add_row("power", _range(own.power, "W"))
    figures.add_row("from image to image", _range(own.interval, "s"))
    figures.add_row("latency of an image", _range(own.latency, "s"))
    for name, operations in (("nominal", own.nominal), ("executed", own.executed)):
        figures.add_row(f"operations, {name}", f"{operations:,}")
        figures.add_row("  GOPS", _range(own.gops(operations)))
        figures.add_row("  GOPS/W", _range(own.efficiency(operations)))
        if chip:
            figures.add_row("  GOPS/W/mm2", _range(own.total_efficiency(operations)))
    console.print(figures)
    if not others:
        return
    console.print()
    table = _table("baseline", "area in mm2", "energy an inference", "its energy / ours", "area")
    for name, other in others.items():
        same = chip and other.technology != "fpga"
        table.add_row(
            name,
            _range(other.area) if other.technology != "fpga" else "-",
            _range(other.energy, "J"),
            _range(other.energy / own.energy),
            _range(other.area / own.area) if same else "-",
        )
    console.print(table)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _range(values: Floats, unit: str = "") -> str:
    """Return a typical figure with its range, in the prefix that suits it."""
    found = ranged(values)
    prefix = ""
    if unit and found.typical:
        fits = (name for name, size in PREFIXES.items() if found.typical >= size)
        prefix = next(fits, "p")
    size = PREFIXES[prefix]
    low, typical, high = (_digits(v / size) for v in (found.low, found.typical, found.high))
    return f"{typical} ({low} to {high}) {prefix}{unit}".rstrip()


def _digits(value: float) -> str:
    """Return three digits of a number, without an exponent where it is not huge."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def draw(path: Path, own: Projection, others: dict[str, Projection], node: float) -> None:
    """Write the picture: energy and area by part, of the network and of its baselines."""
    # Here, because it takes a second to import.
    from bbnn.projection import picture

    rows = {own.technology: own, **others}
    names = list(dict.fromkeys(name for each in rows.values() for name in each.energies))

    def series(kind: str) -> picture.Panel:
        def of(each: Projection) -> Any:
            return each.energies if kind == "energy" else each.areas

        scale = 1e6 if kind == "energy" else 1.0
        kept = {k: v for k, v in rows.items() if kind == "energy" or v.technology != "fpga"}
        totals = [each.energy if kind == "energy" else each.area for each in kept.values()]
        ends = [ranged(total * scale) for total in totals]
        return picture.Panel(
            title="Energy an inference" if kind == "energy" else "Area",
            unit="uJ" if kind == "energy" else "mm2",
            rows=list(kept),
            parts={
                name: np.array(
                    [scale * of(v)[name][0] if name in of(v) else 0.0 for v in kept.values()]
                )
                for name in names
            },
            ranges=np.array([(end.low, end.high) for end in ends]),
        )

    panels = [series("energy")]
    if own.technology != "fpga":
        panels.append(series("area"))
    picture.draw(
        path,
        title=own.network.name.replace("_", " "),
        subtitle=(
            f"{own.members} members, {own.technology} at {node:g} nm"
            f"{', pipelined' if own.mode.pipelined else ''}: all projected;"
            " lines from the 5th to the 95th percentile"
        ),
        panels=panels,
    )
